"""JSON read the quick way means what the slow way says it means, and what the slow way refuses is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.json_body import JsonRefused, _parsed_slowly, parse_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(VALUES, st.booleans(), st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t: ")]))
def test_both_ways_agree(value: object, ascii_only: bool, separators: tuple[str, str]) -> None:
    data = json.dumps(value, ensure_ascii=ascii_only, separators=separators).encode("utf-8", "surrogatepass")
    assert repr(parse_json(data)) == repr(_parsed_slowly(data))


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,"a":1}', b'{"a":{"b":1,"b":2}}', b'[{"a":1, "a" :1}]', b'{"a b":1,"ab":2,"a b":3}',
        b'{"a":1,"\\u0061":2}', b"[" * 65 + b"]" * 65, b'{"a":' * 65 + b"1" + b"}" * 65, b"[NaN]", b"[1e999]",
        b'["\\ud800"]', b"\xff", b"", b"[1]]",
    ],
)  # fmt: skip
def test_two_meanings_are_none(text: bytes) -> None:
    with pytest.raises(JsonRefused):
        parse_json(text)


def test_great_numbers_and_deep_but_not_too_deep() -> None:
    assert parse_json(b"[123456789012345678901234567890]") == [123456789012345678901234567890]
    assert parse_json(b"[" * 64 + b"]" * 64) == _parsed_slowly(b"[" * 64 + b"]" * 64)
    many = b"[" + b",".join([b'{"a":[1]}'] * 100) + b"]"
    assert len(parse_json(many)) == 100
