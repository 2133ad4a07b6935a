"""The signed request, member by member, and as whom it asks."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from credentials.errors import ChainInvalid
from credentials.jose import LocalSigner, base64url, json_object, parse, unbase64url, verify
from credentials.openid4vp.client_ids import PRE_REGISTERED, X509_HASH, X509_SAN_DNS, client_id
from credentials.openid4vp.request_object import AUDIENCE, CONSENT_TYPE, TYP, Ask, request_object, transaction
from credentials.x5c import entry

AT = datetime(2026, 11, 26, 2, 0, tzinfo=UTC)
ASK = Ask(
    "x509_hash:abc", "示范银行", "https://yimen.example/openid4vp/responses/r", "direct_post.jwt", "n" * 43, "s" * 43,
    {"credentials": []}, {"kty": "EC", "crv": "P-256", "x": "x", "y": "y", "kid": "k"}, {"purpose": {"zh": "开户", "en": "account"}},
)  # fmt: skip


def test_every_member_the_standard_and_haip_want_and_none_beside_them() -> None:
    signer = LocalSigner.generate()
    taken = parse(request_object(signer, ASK, issued_at=AT, expires_at=AT + timedelta(minutes=5)), typ=TYP)
    verify(taken, signer.public)
    claims = taken.claims
    assert claims["exp"] - claims["iat"] == 300
    assert set(claims) == {
        "iss", "aud", "response_type", "response_mode", "client_id", "response_uri", "nonce", "state", "dcql_query",
        "client_metadata", "verifier_info", "iat", "exp",
    }  # fmt: skip
    assert (claims["aud"], claims["response_type"], claims["client_id"]) == (AUDIENCE, "vp_token", ASK.client_id)
    assert claims["client_metadata"]["jwks"]["keys"] == [{**ASK.encryption, "use": "enc", "alg": "ECDH-ES"}]
    formats = claims["client_metadata"]["vp_formats_supported"]
    assert formats["dc+sd-jwt"] == {"sd-jwt_alg_values": ["ES256"], "kb-jwt_alg_values": ["ES256"]}


def test_a_wallets_nonce_and_a_consent_come_back_inside() -> None:
    signed = transaction(["x"], {"notice_sha256": "00"})
    asked = replace(ASK, wallet_nonce="w", transaction_data=(signed,))
    claims = parse(request_object(LocalSigner.generate(), asked, issued_at=AT, expires_at=AT), typ=TYP).claims
    assert (claims["wallet_nonce"], claims["transaction_data"]) == ("w", [signed])
    said = json_object(unbase64url(signed))
    assert (said["type"], said["credential_ids"], said["notice_sha256"]) == (CONSENT_TYPE, ["x"], "00")


def test_the_hash_is_of_the_leafs_der_and_names_are_looked_at(leaf: str) -> None:
    expected = base64url(hashlib.sha256(b64decode(leaf)).digest())
    assert client_id(X509_HASH, (leaf,), "elsewhere.example") == f"x509_hash:{expected}"
    assert client_id(X509_SAN_DNS, (leaf,), "bank.example") == "x509_san_dns:bank.example"
    assert client_id(PRE_REGISTERED, (), "bank.example") == "bank.example"


def test_no_certificate_or_none_of_this_name_is_nobody(leaf: str) -> None:
    for prefix, x5c, host in (
        (X509_HASH, (), "bank.example"),
        (X509_SAN_DNS, (), "bank.example"),
        (X509_SAN_DNS, (leaf,), "other.example"),
        (X509_SAN_DNS, ("AAAA",), "bank.example"),
        ("redirect_uri", (leaf,), "bank.example"),
    ):
        with pytest.raises(ChainInvalid):
            client_id(prefix, x5c, host)


@pytest.fixture(scope="module")
def leaf() -> str:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "b")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, AT, AT + timedelta(days=1))
    names = x509.SubjectAlternativeName([x509.DNSName("bank.example")])
    return entry(made.add_extension(names, critical=False).sign(key, hashes.SHA256()))
