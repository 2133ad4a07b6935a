"""JWS, JWK and JWE: the RFCs' own vectors, and what must not be read."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwcrypto import jwk, jws

from credentials.errors import JoseInvalid
from credentials.jose import (
    LocalSigner,
    base64url,
    decrypt,
    dumps,
    encrypt,
    generate_private_jwk,
    json_object,
    parse,
    read_key,
    sign,
    unbase64url,
    verify,
)

# RFC 7515, appendix A.3
KEY = {
    "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
}  # fmt: skip
PUBLIC = {name: value for name, value in KEY.items() if name != "d"}
SIGNED = (
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl"
    "fQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
)
SIGNER = LocalSigner.generate()


def test_the_rfcs_own_signature_holds_and_ours_holds_for_jwcrypto() -> None:
    verify(parse(SIGNED), read_key(PUBLIC))
    ours = sign(LocalSigner(KEY), {"typ": "x"}, b'{"a":1}')
    theirs = jws.JWS()
    theirs.deserialize(ours, jwk.JWK(**PUBLIC))
    assert theirs.payload == b'{"a":1}'
    assert read_key(PUBLIC).thumbprint == jwk.JWK(**PUBLIC).thumbprint()


def test_a_key_is_what_it_says_or_none() -> None:
    with pytest.raises(JoseInvalid):
        LocalSigner({**KEY, "d": SIGNER.private_jwk()["d"]})  # the private half of another


SPOILT_KEYS: list[Any] = [
    None, [], {}, KEY, {**PUBLIC, "crv": "P-384"}, {**PUBLIC, "kty": "RSA"}, {**PUBLIC, "k": "AA"},
    {**PUBLIC, "x": PUBLIC["y"]}, {**PUBLIC, "x": PUBLIC["x"] + "="}, {**PUBLIC, "x": "A" * 43}, {**PUBLIC, "x": 1},
    {**PUBLIC, "x": "AA" + PUBLIC["x"]}, {**PUBLIC, "use": "other"}, {**PUBLIC, "alg": "HS256"}, {**PUBLIC, "alg": None},
    {**PUBLIC, "use": []}, {"kty": "oct", "k": "AA"}, {**PUBLIC, "x": PUBLIC["x"][:-1] + "é"},
]  # fmt: skip


@pytest.mark.parametrize("spoilt", SPOILT_KEYS)
def test_no_other_key_is_read(spoilt: Any) -> None:
    with pytest.raises(JoseInvalid):
        read_key(spoilt)


def _compact(header: dict[str, Any], payload: bytes = b"{}") -> str:
    return sign(SIGNER, header, payload)


@pytest.mark.parametrize(
    "compact",
    [
        "", "..", "a.b", "a.b.c.d", _compact({}) + ".", _compact({}) + "=", " " + _compact({}), _compact({}) + "\n",
        _compact({"alg": "none"}), _compact({"alg": "HS256"}), _compact({"alg": "ES384"}), _compact({"alg": ["ES256"]}),
        _compact({"alg": None}), _compact({"crit": []}), _compact({"b64": True}), _compact({"typ": "other"}),
        base64url(b'{"alg":"ES256","alg":"ES256"}') + "..", base64url(b"[]") + "..", "é.e.e", "a" * 70_000,
    ],
)  # fmt: skip
def test_no_other_form_is_read(compact: str) -> None:
    with pytest.raises(JoseInvalid):
        parse(compact, typ="x")


def test_a_public_key_is_no_shared_secret() -> None:
    head, payload = base64url(b'{"alg":"HS256"}'), base64url(b"{}")
    for secret in (dumps(dict(SIGNER.public.jwk)), unbase64url(SIGNER.public.jwk["x"])):
        made = hmac.new(secret, f"{head}.{payload}".encode(), hashlib.sha256).digest()
        with pytest.raises(JoseInvalid):
            verify(parse(f"{head}.{payload}.{base64url(made)}"), SIGNER.public)


@pytest.mark.parametrize(
    "signature", [b"", bytes(64), b"\xff" * 64, bytes(63), bytes(65), b"\x30\x06\x02\x01\x01\x02\x01\x01"]
)
def test_no_other_signature_holds(signature: bytes) -> None:
    head = _compact({}).rpartition(".")[0]
    with pytest.raises(JoseInvalid):
        verify(parse(f"{head}.{base64url(signature)}"), SIGNER.public)


def test_the_header_is_held_by_the_signature_though_it_is_read_once() -> None:
    one, two = _compact({"typ": "a"}), _compact({"typ": "b"})
    assert parse(one).header["typ"] == "a"
    mixed = ".".join([two.split(".")[0], *one.split(".")[1:]])
    with pytest.raises(JoseInvalid):
        verify(parse(mixed), SIGNER.public)
    parse(one).header["typ"] = "spoilt"  # type: ignore[index]  # somebody who does not look at types
    assert parse(one).header["typ"] == "a"


@given(st.binary(max_size=200))
def test_bytes_have_one_spelling(raw: bytes) -> None:
    spelt = base64url(raw)
    assert unbase64url(spelt) == raw
    for other in (spelt + "=", spelt + "A", spelt.replace("-", "+"), spelt.replace("_", "/"), " " + spelt):
        if other != spelt:
            try:
                found = unbase64url(other)
            except JoseInvalid:
                continue
            assert base64url(found) == other


@given(st.text(alphabet="ABCQgwx-_+/= é\n", max_size=12))
def test_what_is_read_is_spelt_as_we_spell_it(part: str) -> None:
    try:
        raw = unbase64url(part)
    except JoseInvalid:
        return
    assert base64url(raw) == part


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"1", b"null", b"[]", b'{"a":1,"a":1}', b'{"a":1,"\\u0061":1}', b'{"a":[{"b":1,"b":2}]}', b'{"a":NaN}',
        b'{"a":Infinity}', b'{"a":1e999}', b'{"a":"\\ud800"}', b'{"a":"\xff"}', b"\xef\xbb\xbf{}", b"{} {}", b'{"a":01}',
        b"{'a':1}", b'{"a":1,}', b'{"a":' * 3000 + b"1" + b"}" * 3000,
    ],
)  # fmt: skip
def test_no_other_json_is_read(raw: bytes) -> None:
    with pytest.raises(JoseInvalid):
        json_object(raw)


def test_json_with_spaces_is_json() -> None:
    assert json_object(b'{ "a" : [ {"b": 1}, {"b": 2} ],\n"c":1.50}') == {"a": [{"b": 1}, {"b": 2}], "c": 1.5}


@pytest.mark.parametrize("enc", ["A128GCM", "A256GCM"])
def test_what_is_encrypted_for_one_opens_for_that_one_alone(enc: str) -> None:
    private, other = generate_private_jwk(), generate_private_jwk()
    public = {name: value for name, value in private.items() if name != "d"}
    made = encrypt(b"secret", {**public, "kid": "k1", "use": "enc", "alg": "ECDH-ES"}, enc=enc)
    header, payload = decrypt(made, private)
    assert (payload, header["kid"], header["enc"]) == (b"secret", "k1", enc)
    with pytest.raises(JoseInvalid):
        decrypt(made, other)
    with pytest.raises(JoseInvalid):
        encrypt(b"", public, enc="A128CBC-HS256")
    with pytest.raises(JoseInvalid):
        decrypt(made[:-3] + "AAA", private)
