"""What a wallet posts: encrypted or in the clear, an answer or an error, and nothing in between."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.errors import RequestInvalid
from credentials.jose import dumps, encrypt, generate_private_jwk
from credentials.openid4vp.response import LONGEST, LONGEST_PRESENTATION, Answered, Declined, read_response

PRIVATE = generate_private_jwk() | {"kid": "of-this-request"}
PUBLIC = {name: PRIVATE[name] for name in ("kty", "crv", "x", "y", "kid")}
STATE = "s" * 43
TOKEN = {"x": ["a~b"]}


def read(form: dict[str, str], *, encrypted: bool = False) -> Answered | Declined:
    return read_response(form, state=STATE, private=PRIVATE, encrypted=encrypted)


def why(form: dict[str, str], *, encrypted: bool = False) -> str:
    with pytest.raises(RequestInvalid) as refused:
        read(form, encrypted=encrypted)
    return refused.value.why


def jwe(said: Any, key: dict[str, str] = PUBLIC, **changes: Any) -> dict[str, str]:
    return {"response": encrypt(dumps(said), key, enc="A256GCM", **changes)}


def test_both_ways_say_the_same() -> None:
    expected = Answered({"x": ("a~b",)})
    assert read({"vp_token": dumps(TOKEN).decode(), "state": STATE}) == expected
    assert read(jwe({"vp_token": TOKEN, "state": STATE}), encrypted=True) == expected
    assert read(jwe({"vp_token": TOKEN, "state": STATE, "further": 1})) == expected


def test_an_error_is_one_of_the_standards_encrypted_or_not() -> None:
    assert read({"error": "access_denied", "state": STATE}, encrypted=True) == Declined("access_denied")
    assert read(jwe({"error": "wallet_unavailable", "state": STATE})) == Declined("wallet_unavailable")
    assert read({"error": "<script>", "state": STATE}) == Declined("invalid_request")
    assert read(jwe({"error": ["x"], "state": STATE})) == Declined("invalid_request")


@pytest.mark.parametrize(
    ("form", "encrypted", "reason"),
    [
        ({}, False, "state"),
        ({"state": STATE}, False, "vp_token"),
        ({"vp_token": dumps(TOKEN).decode()}, False, "state"),
        ({"vp_token": dumps(TOKEN).decode(), "state": STATE[:-1]}, False, "state"),
        ({"vp_token": dumps(TOKEN).decode(), "state": "状"}, False, "state"),
        ({"vp_token": dumps(TOKEN).decode(), "state": STATE}, True, "encryption"),
        ({"vp_token": dumps(TOKEN).decode(), "state": STATE, "error": "access_denied"}, False, "form"),
        ({"vp_token": "a~b", "state": STATE}, False, "vp_token"),
        ({"vp_token": "[]", "state": STATE}, False, "vp_token"),
        ({"vp_token": "{}", "state": STATE}, False, "vp_token"),
        ({"vp_token": '{"x":"a"}', "state": STATE}, False, "vp_token"),
        ({"vp_token": '{"x":[]}', "state": STATE}, False, "vp_token"),
        ({"vp_token": '{"x":[{}]}', "state": STATE}, False, "vp_token"),
        ({"vp_token": '{"x":["a","a"]}', "state": STATE}, False, "vp_token"),
        ({"vp_token": '{"x":["a"],"y":["a"]}', "state": STATE}, False, "vp_token"),
        ({"vp_token": '{"x":["a"],"x":["b"]}', "state": STATE}, False, "vp_token"),
        ({"vp_token": '{"x":["\\u00e9"]}', "state": STATE}, False, "vp_token"),
        ({"vp_token": dumps({"x": ["a" * (LONGEST_PRESENTATION + 1)]}).decode(), "state": STATE}, False, "vp_token"),
        ({"vp_token": "a" * LONGEST, "state": STATE}, False, "size"),
        (jwe({"vp_token": TOKEN, "state": STATE}) | {"state": STATE}, True, "form"),
        (jwe({"vp_token": TOKEN}), True, "state"),
        (jwe({"vp_token": dumps(TOKEN).decode(), "state": STATE}), True, "vp_token"),
        (jwe([TOKEN]), True, "encryption"),
        (jwe({"vp_token": TOKEN, "state": STATE}, PUBLIC | {"kid": "another"}), True, "encryption"),
        (jwe({"vp_token": TOKEN, "state": STATE}, extra={"zip": "DEF"}), True, "encryption"),
        ({"response": "a.b.c"}, True, "encryption"),
    ],
)
def test_what_is_no_answer(form: dict[str, str], encrypted: bool, reason: str) -> None:
    assert why(form, encrypted=encrypted) == reason


def test_one_encrypted_to_another_key_under_our_kid() -> None:
    other = generate_private_jwk() | {"kid": PUBLIC["kid"]}
    other = {name: other[name] for name in ("kty", "crv", "x", "y", "kid")}
    assert why(jwe({"vp_token": TOKEN, "state": STATE}, other), encrypted=True) == "encryption"


@given(
    st.dictionaries(st.sampled_from(["vp_token", "state", "response", "error", "more"]), st.text(max_size=60)),
    st.booleans(),
)
def test_whatever_it_is_it_is_read_or_refused(form: dict[str, str], encrypted: bool) -> None:
    with contextlib.suppress(RequestInvalid):  # any other error fails
        read(form, encrypted=encrypted)
