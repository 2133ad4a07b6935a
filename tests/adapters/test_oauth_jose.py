"""The client's JOSE: published vectors first, then that another library reads what we sign."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from joserfc import jws
from joserfc.jwk import ECKey

from adapters.oauth_jose import KeyInvalid, SigningKey, b64u, client_assertion, dpop_proof, without_query

NOW = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
PRIVATE = {  # RFC 7517, appendix A.2
    "kty": "EC",
    "crv": "P-256",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    "d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE",
    "kid": "1",
}


def test_the_thumbprint_is_rfc_9449s() -> None:
    public = {
        "kty": "EC",
        "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
        "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
        "crv": "P-256",
    }
    key = SigningKey(SigningKey.new().private, public)
    assert key.thumbprint == "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"


def test_ath_is_rfc_9449s() -> None:
    proof = dpop_proof(
        SigningKey.new(), "GET", "https://rs/r", NOW, token="Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
    )
    assert _claims(proof)["ath"] == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"


def test_a_key_is_read_from_jwk_and_pem_alike() -> None:
    key = SigningKey.read(json.dumps(PRIVATE))
    pem = key.private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    again = SigningKey.read(pem)
    assert (again.public, again.kid) == (key.public, "")
    assert key.kid == "1"
    assert SigningKey.read(json.dumps(key.jwk())).jwk() == PRIVATE


def _other(curve: ec.EllipticCurve | None) -> str:
    key = ed25519.Ed25519PrivateKey.generate() if curve is None else ec.generate_private_key(curve)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SECRET",
        "{SECRET",
        "[]",
        '{"kty": "RSA"}',
        json.dumps({**PRIVATE, "crv": "P-384"}),
        json.dumps({name: value for name, value in PRIVATE.items() if name != "d"}),
        json.dumps({**PRIVATE, "x": PRIVATE["y"]}),
        json.dumps({**PRIVATE, "x": b64u(b"\x01" * 32)}),
        json.dumps({**PRIVATE, "d": 5}),
        json.dumps({**PRIVATE, "d": b64u(b"\xff" * 32)}),
        json.dumps({**PRIVATE, "d": b64u(b"\x02" * 32)}),
        _other(ec.SECP384R1()),
        _other(None),
    ],
)
def test_what_is_no_p256_key_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(KeyInvalid) as refused:
        SigningKey.read(text)
    assert "SECRET" not in str(refused.value)
    assert PRIVATE["d"] not in str(refused.value)
    assert refused.value.__cause__ is None


def test_another_library_verifies_what_we_sign() -> None:
    key = SigningKey.read(json.dumps(PRIVATE))
    public = ECKey.import_key(dict(key.public))
    for text in (client_assertion(key, "c", "https://as", NOW), dpop_proof(key, "POST", "https://as/token", NOW)):
        jws.deserialize_compact(text, public, ["ES256"])
    header, claims = (
        _header(client_assertion(key, "c", "https://as", NOW)),
        _claims(client_assertion(key, "c", "https://as", NOW)),
    )
    assert header == {"alg": "ES256", "typ": "JWT", "kid": "1"}
    assert {**claims, "jti": ""} == {
        "iss": "c",
        "sub": "c",
        "aud": "https://as",
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 60,
        "jti": "",
    }


def test_a_proof_holds_the_public_key_only_and_never_two_the_same() -> None:
    key = SigningKey.read(json.dumps(PRIVATE))
    proofs = [dpop_proof(key, "POST", "https://as/token?a=b#c", NOW, nonce="n") for _ in range(2)]
    assert _header(proofs[0]) == {"alg": "ES256", "typ": "dpop+jwt", "jwk": dict(key.public)}
    assert _claims(proofs[0])["jti"] != _claims(proofs[1])["jti"]
    assert {**_claims(proofs[0]), "jti": ""} == {
        "jti": "",
        "htm": "POST",
        "htu": "https://as/token",
        "iat": int(NOW.timestamp()),
        "nonce": "n",
    }


def test_nothing_of_the_private_key_is_in_its_repr() -> None:
    key = SigningKey.read(json.dumps(PRIVATE))
    assert PRIVATE["d"] not in repr(key)


def test_htu_has_neither_query_nor_fragment() -> None:
    assert without_query("https://h:8/p/q?x=1#y") == "https://h:8/p/q"
    assert without_query("https://h") == "https://h/"


def _header(token: str) -> dict[str, object]:
    return dict(json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "==")))


def _claims(token: str) -> dict[str, object]:
    return dict(json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "==")))
