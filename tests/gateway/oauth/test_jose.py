"""Signed JSON: published vectors first, then every odd spelling of a token and every key we do not want."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.oauth.jose import (
    JoseInvalid,
    Jws,
    PrivateKey,
    access_token_hash,
    base64url,
    canonical,
    nobody,
    parse,
    read_key,
    thumbprint,
    verify,
)
from gateway.oauth.jwks import KeySets, check_jwks, read_jwks
from tests.gateway.oauth.conftest import KEY, OTHER_KEY

RFC7638_N = (
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknj"
    "hMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQ"
    "vRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzK"
    "nqDKgw"
)
RSA = {"kty": "RSA", "n": RFC7638_N, "e": "AQAB"}
ED = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
EC_A3 = {
    "kty": "EC", "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}  # fmt: skip
JWS_A3 = (
    "eyJhbGciOiJFUzI1NiJ9"
    ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
)


def test_the_thumbprint_of_rfc_7638_section_3_1_whatever_else_stands_in_the_key() -> None:
    assert thumbprint({**RSA, "alg": "RS256", "kid": "2011-04-29"}) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    assert read_key(RSA).thumbprint == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_the_thumbprint_of_rfc_8037_appendix_a_3() -> None:
    assert read_key(ED).thumbprint == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_the_es256_signature_of_rfc_7515_appendix_a_3() -> None:
    jws = parse(JWS_A3)
    verify(jws, read_key(EC_A3))
    assert jws.claims["iss"] == "joe"


def test_the_eddsa_signature_of_rfc_8037_appendix_a_4() -> None:
    signed = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    signature = canonical("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg")
    verify(Jws({"alg": "EdDSA"}, {}, signed, signature), read_key(ED))
    verify(Jws({"alg": "Ed25519"}, {}, signed, signature), read_key(ED))  # the same algorithm by its newer name


def test_the_access_token_hash_of_rfc_9449_section_7_1() -> None:
    assert (
        access_token_hash("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU")
        == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
    )


@given(st.dictionaries(st.text(max_size=8), st.integers(-(2**53), 2**53) | st.text(max_size=20), max_size=6))
def test_what_we_sign_verifies_and_reads_back(claims: dict[str, Any]) -> None:
    jws = parse(KEY.sign({"typ": "x"}, claims))
    verify(jws, KEY.public)
    assert jws.claims == claims
    with pytest.raises(JoseInvalid):
        verify(jws, OTHER_KEY.public)


@given(st.data())
def test_one_changed_character_anywhere_is_noticed(data: st.DataObject) -> None:
    token = KEY.sign({}, {"sub": "x"})
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(min_codepoint=32, max_codepoint=300).filter(lambda one: one != token[at]))
    with pytest.raises(JoseInvalid):
        verify(parse(token[:at] + other + token[at + 1 :]), KEY.public)


def _signed(header: bytes, payload: bytes = b"{}") -> str:
    part = base64url(header) + "." + base64url(payload)
    return part + "." + base64url(b"\1" * 64)


@pytest.mark.parametrize(
    "token",
    [
        "", ".", "..", "a.b", "a.b.c.d", " " + JWS_A3, JWS_A3 + "\n", JWS_A3 + "=", JWS_A3.replace("-", "+"),
        JWS_A3[:-1] + "R",  # other bits where there is no byte: the same signature, spelt otherwise
        JWS_A3 + "x" * 9_000, JWS_A3.replace("J", "Ｊ"),
        _signed(b"[]"), _signed(b"null"), _signed(b'"alg"'), _signed(b"{}"), _signed(b'{"alg":"none"}'),
        _signed(b'{"alg":"HS256"}'), _signed(b'{"alg":"RS256"}'), _signed(b'{"alg":"es256"}'), _signed(b'{"alg":["ES256"]}'),
        _signed(b'{"alg":"ES256","alg":"ES256"}'), _signed(b'{"alg":"ES256","crit":["exp"],"exp":1}'),
        _signed(b'{"alg":"ES256","b64":false}'), _signed(b'{"alg":"ES256","x":NaN}'), _signed(b'{"alg":"ES256"'),
        _signed(b'\xef\xbb\xbf{"alg":"ES256"}'), _signed(b'{"alg":"ES256","x":"\xff"}'),
        _signed(b'{"alg":"ES256"}', b"[1]"), _signed(b'{"alg":"ES256"}', b""), _signed(b'{"alg":"ES256"}', b'{"a":1,"a":2}'),
        _signed(b'{"alg":"ES256"}', b'{"a":{"b":1,"b":2}}'), _signed(b'{"alg":"ES256"}', b'{"a":"\\ud800"}'),
        _signed(b'{"alg":"ES256"}', b"[" * 2_000), _signed(b'{"alg":"ES256"}', b'{"a":' * 900 + b"1" + b"}" * 900),
    ],
)  # fmt: skip
def test_odd_tokens_are_not_read(token: str) -> None:
    with pytest.raises(JoseInvalid):
        verify(parse(token), read_key(EC_A3))


@pytest.mark.parametrize(
    ("header", "payload"),
    [(b'{"alg":"ES256","alg":"ES256"}', b"{}"), (b'{"alg":"ES256"}', b'{"a":1,"a":2}'), (b'{"alg":"ES256"}', b'{"a":{"b":1,"b":2}}')],
)  # fmt: skip
def test_a_doubled_name_is_found_before_any_signature_is_looked_at(header: bytes, payload: bytes) -> None:
    with pytest.raises(JoseInvalid, match="doubled"):
        parse(_signed(header, payload))


def test_an_algorithm_counts_only_with_its_own_kind_of_key() -> None:
    jws = parse(KEY.sign({}, {}))
    for key in (RSA, ED):
        with pytest.raises(JoseInvalid, match="alg"):
            verify(jws, read_key(key))
    with pytest.raises(JoseInvalid, match="alg"):
        verify(jws, KEY.public, ("PS256",))
    # A public key used as the secret of an HMAC: the algorithm is not in the list, so it never comes to that.
    with pytest.raises(JoseInvalid):
        parse(_signed(json.dumps({"alg": "HS256"}).encode()))


@pytest.mark.parametrize("signature", [b"", b"\0" * 64, b"\xff" * 64, b"\1" * 63, b"\1" * 65, b"0" * 70])
def test_signatures_that_are_none(signature: bytes) -> None:
    jws = parse(KEY.sign({}, {}))
    with pytest.raises(JoseInvalid, match="signature"):
        verify(Jws(jws.header, jws.claims, jws.signed, signature), KEY.public)


def _number(value: int) -> str:
    return base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


@pytest.mark.parametrize(
    "jwk",
    [
        None, [], "key", {}, {"kty": "oct", "k": "AAAA"}, {"kty": ["EC"]}, {**EC_A3, "d": "AQ"}, {**RSA, "p": "AQ"},
        {**EC_A3, "k": "AQ"}, {**EC_A3, "crv": "P-384"}, {**EC_A3, "crv": "secp256k1"}, {**EC_A3, "x": EC_A3["y"]},
        {**EC_A3, "x": EC_A3["x"] + "="}, {**EC_A3, "x": "AA" + EC_A3["x"]}, {**EC_A3, "x": 7}, {**EC_A3, "use": "enc"},
        {**EC_A3, "alg": []}, {**EC_A3, "alg": {}}, {**EC_A3, "use": []}, {**EC_A3, "kty": []},
        {**EC_A3, "alg": "HS256"}, {**EC_A3, "key_ops": ["encrypt"]}, {**EC_A3, "key_ops": "verify"}, {**EC_A3, "kid": 1},
        {**EC_A3, "kid": ""}, {**EC_A3, "kid": "k" * 300}, {**ED, "crv": "X25519"}, {**ED, "crv": "Ed448"}, {**ED, "x": "AQ"},
        {**RSA, "n": _number((1 << 1023) | 1)}, {**RSA, "n": _number((1 << 4100) | 1)}, {**RSA, "e": "AQ"}, {**RSA, "e": "Aw"},
        {**RSA, "n": base64url(b"\0" + canonical(RFC7638_N))}, {**RSA, "n": _number(1 << 2047)}, {**RSA, "alg": "RS256"},
    ],
)  # fmt: skip
def test_keys_we_do_not_take(jwk: Any) -> None:
    with pytest.raises(JoseInvalid):
        read_key(jwk)


def test_a_key_set_chooses_by_kid_or_by_being_the_only_one() -> None:
    both = read_jwks({"keys": [KEY.public_jwk(), OTHER_KEY.public_jwk(), {"kty": "future"}]})
    assert len(both) == 2
    assert both.select(parse(OTHER_KEY.sign({"kid": OTHER_KEY.kid}, {}))).thumbprint == OTHER_KEY.public.thumbprint
    for header in (
        {},
        {"kid": "nobody"},
        {"kid": "../../etc/passwd"},
        {"kid": "' OR 1=1 --"},
        {"kid": 7},
        {"kid": ["a"]},
    ):
        with pytest.raises(JoseInvalid):
            both.select(parse(KEY.sign(header, {})))
    assert read_jwks({"keys": [KEY.public_jwk()]}).select(parse(KEY.sign({}, {}))).kid == KEY.kid


def test_two_keys_of_one_name_choose_nothing() -> None:
    doubled = read_jwks({"keys": [KEY.public_jwk(), {**OTHER_KEY.public_jwk(), "kid": KEY.kid}]})
    with pytest.raises(JoseInvalid, match="no_key"):
        doubled.select(parse(KEY.sign({"kid": KEY.kid}, {})))


@pytest.mark.parametrize(
    "jwks",
    [
        None, {}, {"keys": []}, {"keys": {}}, {"keys": [{"kty": "future"}]}, {"keys": [KEY.private_jwk()]},
        {"keys": [KEY.public_jwk(), KEY.public_jwk()]}, {"keys": [EC_A3, KEY.public_jwk()]}, {"keys": [EC_A3] * 30},
    ],
)  # fmt: skip
def test_a_registration_says_its_keys_rightly_or_not_at_all(jwks: Any) -> None:
    with pytest.raises(JoseInvalid):
        check_jwks(jwks)


def test_a_good_registration_passes_and_is_parsed_once() -> None:
    jwks = {"keys": [KEY.public_jwk(), OTHER_KEY.public_jwk()]}
    check_jwks(jwks)
    sets = KeySets(kept=2)
    assert sets.of(jwks) is sets.of(dict(jwks))
    for number in range(5):
        sets.of({"keys": [], "n": number})
    assert len(sets._sets) == 2


def test_a_private_key_shows_nothing_of_itself() -> None:
    jwk = KEY.private_jwk()
    assert jwk["d"] not in repr(KEY)
    assert "d" not in KEY.public_jwk()
    assert PrivateKey(jwk).public.thumbprint == KEY.public.thumbprint == KEY.kid
    with pytest.raises(JoseInvalid):
        PrivateKey(KEY.public_jwk())
    assert base64.urlsafe_b64decode(jwk["d"] + "==")


@pytest.mark.parametrize("alg", ["ES256", "PS256", "EdDSA", "Ed25519"])
def test_nobody_has_a_key_of_every_kind(alg: str) -> None:
    assert alg in nobody(alg).algorithms
    assert nobody(alg) is nobody(alg)
