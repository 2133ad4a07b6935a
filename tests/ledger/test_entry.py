"""Entries are written in one way only, and say nothing of the record they commit to."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.entry import KINDS, Entry, canonical, commit, parse_canonical, parse_entry
from ledger.errors import Malformed

AT = datetime(2026, 11, 25, 8, 9, 10, tzinfo=UTC)
ENTRY = Entry("query", "gd.sfj", AT, b"\1" * 32)
WRITTEN = (
    b'{"actor":"gd.sfj","commitment":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=","kind":"query",'
    b'"time":"2026-11-25T08:09:10Z","v":1}'
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.text(st.characters(max_codepoint=127), max_size=10)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=20,
)
entries = st.builds(
    Entry,
    st.sampled_from(sorted(KINDS - {"log"})),
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,40}", fullmatch=True),
    st.integers(0, 253402300799).map(lambda second: datetime.fromtimestamp(second, UTC)),
    st.binary(min_size=32, max_size=32),
)


def test_an_entry_is_written_as_documented() -> None:
    assert bytes(ENTRY) == WRITTEN
    assert parse_entry(WRITTEN) == ENTRY


def test_a_time_is_written_in_utc_to_the_second() -> None:
    there = AT.astimezone(timezone(timedelta(hours=8))).replace(microsecond=999999)
    assert bytes(Entry("query", "gd.sfj", there, b"\1" * 32)) == WRITTEN


@given(entries)
def test_an_entry_is_read_back(entry: Entry) -> None:
    assert parse_entry(bytes(entry)) == entry


def test_only_the_log_itself_says_something_in_public() -> None:
    said = Entry("log", "yimen", AT, b"\1" * 32, {"event": "key", "vkey": "a+b+c", "former": ["x"]})
    assert parse_entry(bytes(said)) == said
    with pytest.raises(Malformed):
        parse_entry(bytes(Entry("query", "yimen", AT, b"\1" * 32, {"name": "somebody"})))


@pytest.mark.parametrize(
    "said",
    [1.5, 2**53, -(2**53), "\ud800", {"名": 1}, [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],
)
def test_what_the_log_says_of_itself_is_canonical_too(said: Any) -> None:
    written = WRITTEN.replace(b"query", b"log").replace(
        b',"time"',
        b',"public":'
        + json.dumps({"x": said}, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        + b',"time"',
    )
    with pytest.raises(Malformed):
        parse_entry(written)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"1",
        b'"x"',
        WRITTEN + b"\n",
        b" " + WRITTEN,
        b"\xef\xbb\xbf" + WRITTEN,
        WRITTEN.decode().encode("utf-16"),
        WRITTEN[:-1] + b',"z":1}',
        WRITTEN[:-1] + b',"v":1}',
        WRITTEN.replace(b'"v":1', b'"v":1.0'),
        WRITTEN.replace(b'"v":1', b'"v":true'),
        WRITTEN.replace(b'"v":1', b'"v":2'),
        WRITTEN.replace(b'"v":1', b'"v":"1"'),
        WRITTEN.replace(b'"v":1', b'"v":1' + b"0" * 5000),
        WRITTEN.replace(b"query", b"quarry"),
        WRITTEN.replace(b"query", b"log") .replace(b"}", b',"public":null}'),
        WRITTEN.replace(b'"query"', b'["query"]'),
        WRITTEN.replace(b"gd.sfj", b""),
        WRITTEN.replace(b"gd.sfj", b"a b"),
        WRITTEN.replace(b"gd.sfj", "司法局".encode()),
        WRITTEN.replace(b"gd.sfj", b"\\ud800"),
        WRITTEN.replace(b"gd.sfj", b"gd.sf\\u006a"),
        WRITTEN.replace(b"gd.sfj", b"x" * 129),
        WRITTEN.replace(b"gd.sfj", b"\xff"),
        WRITTEN.replace(b"gd.sfj", b"gd.sfj\\n"),
        WRITTEN.replace(b"10Z", b"60Z"),
        WRITTEN.replace(b"10Z", b"10.0Z"),
        WRITTEN.replace(b"10Z", b"10+00:00"),
        WRITTEN.replace(b"T08", b"T24"),
        WRITTEN.replace(b"T08:09:10", b"T24:00:00"),
        WRITTEN.replace(b"-11-25", b"-02-30"),
        WRITTEN.replace(b"2026-", b"0000-"),
        WRITTEN.replace(b"T08", b" 08"),
        WRITTEN.replace(b"AQE=", b"AQE"),
        WRITTEN.replace(b"AQE=", b"AQF="),
        WRITTEN.replace(b"AQEBAQE=", b""),
        WRITTEN.replace(b'"v"', b'"public":{},"v"'),
        b"[" * 100_000,
        b'{"v":' * 100_000,
    ],
)  # fmt: skip
def test_what_is_not_an_entry(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_entry(data)


@given(values)
def test_canonical_json_is_what_another_writer_makes_with_sorted_keys(value: Any) -> None:
    assert canonical(value) == orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    assert parse_canonical(canonical(value)) == json.loads(canonical(value)) == value


def test_canonical_json_as_published() -> None:
    """The example of RFC 8785, section 3.2.2, without its fractions, which are never written."""
    value = {"string": '€$\u000f\nA\'B"\\\\"/', "literals": [None, True, False], "numbers": [333333333, 0, -1]}
    assert canonical(value).decode() == (
        '{"literals":[null,true,false],"numbers":[333333333,0,-1],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_a_commitment_is_the_published_hmac() -> None:
    """RFC 4231, test case 2."""
    found = commit(b"Jefe", b"what do ya want for nothing?").hex()
    assert found == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
