"""Key proofs and key attestations (OpenID4VCI 1.0, appendices D and F): the standard's own example, properties, boundaries."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from credentials.errors import ProofInvalid
from credentials.jose import LocalSigner, base64url, dumps, read_key, sign
from credentials.openid4vci.proof import (
    AHEAD_S,
    WINDOW_S,
    Expected,
    check_attestation,
    check_jwt_proofs,
    did_jwk,
)

ISSUER = "https://gw.example"
NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
KEY, OTHER, PROVIDER = (LocalSigner.generate() for _ in range(3))
EXPECTED = Expected(ISSUER, NOW)
TYP = "openid4vci-proof+jwt"


def at(seconds: float = 0) -> int:
    return int((NOW + timedelta(seconds=seconds)).timestamp())


def proof(key: LocalSigner = KEY, header: dict[str, Any] | None = None, **claims: Any) -> str:
    head = {"typ": TYP, "jwk": dict(key.public.jwk), **(header or {})}
    told = {"aud": ISSUER, "iat": at(), "nonce": "n", **claims}
    return sign(
        key,
        {name: value for name, value in head.items() if value is not None},
        dumps({name: value for name, value in told.items() if value is not None}),
    )


def attestation(
    *keys: LocalSigner, by: LocalSigner = PROVIDER, header: dict[str, Any] | None = None, **claims: Any
) -> str:
    head = {"typ": "key-attestation+jwt", "x5c": [certificate(by)], **(header or {})}
    listed = [dict(key.public.jwk) for key in keys]
    told = {"iat": at(), "exp": at(3600), "attested_keys": listed, **claims}
    return sign(
        by,
        {name: value for name, value in head.items() if value is not None},
        dumps({name: value for name, value in told.items() if value is not None}),
    )


def certificate(key: LocalSigner) -> str:
    scalar = int.from_bytes(base64.urlsafe_b64decode(key.private_jwk()["d"] + "="), "big")
    private = ec.derive_private_key(scalar, ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "provider")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key()).serial_number(1)
        .not_valid_before(NOW - timedelta(days=1)).not_valid_after(NOW + timedelta(days=1)).sign(private, hashes.SHA256())
    )  # fmt: skip
    return base64.b64encode(made.public_bytes(serialization.Encoding.DER)).decode()


def why(*proofs: str, expected: Expected = EXPECTED) -> str:
    with pytest.raises(ProofInvalid) as caught:
        check_jwt_proofs(proofs, expected)
    return caught.value.why


EXAMPLE = (
    "eyJ0eXAiOiJvcGVuaWQ0dmNpLXByb29mK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwiY3J2IjoiUC0yNTYiLCJ4IjoiblVXQW9Bdj"
    "NYWml0aDhFN2kxOU9kYXhPTFlGT3dNLVoyRXVNMDJUaXJUNCIsInkiOiJIc2tIVThCalVpMVU5WHFpN1N3bWo4Z3dBS18weGtjRGpFV183MVNvc0VZIn19"
)


def test_the_header_of_the_standards_example_is_read() -> None:
    """The non-normative example of appendix F.1: its header, whose key is the proof's."""
    from credentials.jose import json_object, unbase64url

    header = json_object(unbase64url(EXAMPLE))
    assert header["typ"] == TYP
    assert read_key(header["jwk"]).alg == "ES256"


def test_a_good_proof_gives_its_key_and_its_nonce() -> None:
    found = check_jwt_proofs([proof(), proof(OTHER, nonce="m")], EXPECTED)
    assert [key.thumbprint for key in found.keys] == [KEY.public.thumbprint, OTHER.public.thumbprint]
    assert (found.nonces, found.attested) == (frozenset({"n", "m"}), False)


@pytest.mark.parametrize("seconds", [-WINDOW_S, 0, AHEAD_S])
def test_the_window_is_closed_at_both_ends(seconds: int) -> None:
    assert check_jwt_proofs([proof(iat=at(seconds))], EXPECTED).keys
    beyond = seconds - 1 if seconds < 0 else AHEAD_S + 1
    assert why(proof(iat=at(beyond))) == "iat"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_no_time_outside_the_window_is_taken(offset: float) -> None:
    if -AHEAD_S - 1 <= -offset <= WINDOW_S + 1:
        return
    assert why(proof(iat=NOW.timestamp() + offset)) == "iat"


CLAIM = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text(), st.lists(st.text(), max_size=2))


@given(CLAIM)
def test_nothing_but_our_own_identifier_is_our_audience(aud: Any) -> None:
    if aud == ISSUER:
        return
    assert why(proof(aud=aud)) == "aud"


@given(st.one_of(st.booleans(), st.integers(-(2**53), 2**53), st.text(), st.lists(st.text(), max_size=2)))
def test_an_anonymous_wallet_names_no_issuer(iss: Any) -> None:
    assert why(proof(iss=iss)) == "iss"


def test_a_client_names_itself_or_nobody() -> None:
    known = Expected(ISSUER, NOW, "wallet-1")
    assert check_jwt_proofs([proof(), proof(OTHER, iss="wallet-1")], known).keys
    assert why(proof(iss="wallet-2"), expected=known) == "iss"


@given(st.integers(min_value=0), st.binary(min_size=1, max_size=3))
def test_a_proof_that_was_changed_anywhere_is_none(where: int, by: bytes) -> None:
    text = proof().encode()
    place = where % len(text)
    spoilt = text[:place] + by + text[place + len(by) :]
    if spoilt == text:
        return
    with pytest.raises(ProofInvalid):
        check_jwt_proofs([spoilt.decode("latin-1")], EXPECTED)


@given(st.text(max_size=200))
def test_any_text_is_refused_and_never_raises_otherwise(text: str) -> None:
    with pytest.raises(ProofInvalid):
        check_jwt_proofs([text], EXPECTED)


HEADER = st.dictionaries(
    st.sampled_from(["typ", "jwk", "kid", "x5c", "crit", "key_attestation", "trust_chain", "b64"]),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text(max_size=20)),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
        max_leaves=5,
    ),
    max_size=5,
)


@given(HEADER)
def test_any_header_is_read_or_refused(header: dict[str, Any]) -> None:
    text = sign(KEY, header, dumps({"aud": ISSUER, "iat": at(), "nonce": "n"}))
    with pytest.raises(ProofInvalid):
        check_jwt_proofs([text], EXPECTED)


def test_a_key_with_its_private_half_is_refused() -> None:
    assert why(proof(header={"jwk": KEY.private_jwk()})) == "key"
    did = "did:jwk:" + base64url(dumps(KEY.private_jwk())) + "#0"
    assert why(proof(header={"jwk": None, "kid": did})) == "key"


@pytest.mark.parametrize(
    "jwk",
    [
        {"kty": "oct", "k": "AAAA"}, {"kty": "RSA", "n": "AAAA", "e": "AQAB"}, {"kty": "EC", "crv": "P-384"},
        {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"}, {}, [], "x", None,
        {"kty": "EC", "crv": "P-256", "x": base64url(b"\1" * 32), "y": base64url(b"\1" * 32)},
    ],
)  # fmt: skip
def test_only_a_point_on_our_curve_is_a_key(jwk: Any) -> None:
    assert why(sign(KEY, {"typ": TYP, "jwk": jwk}, dumps({"aud": ISSUER, "iat": at(), "nonce": "n"}))) == "key"


def test_a_did_leads_to_the_key_it_is() -> None:
    did = did_jwk(KEY.public)
    found = check_jwt_proofs([proof(header={"jwk": None, "kid": did + "#0"})], EXPECTED)
    assert found.keys[0].thumbprint == KEY.public.thumbprint
    assert why(proof(OTHER, header={"jwk": None, "kid": did + "#0"})) == "signature"


@pytest.mark.parametrize(
    "kid", ["did:jwk:#0", "did:jwk:AA#0", "did:jwk:e30#0", "did:key:z6Mk#0", "https://x.example", 7, ""]
)
def test_no_other_name_is_followed_anywhere(kid: Any) -> None:
    with pytest.raises(ProofInvalid):
        check_jwt_proofs([proof(header={"jwk": None, "kid": kid})], EXPECTED)


def test_a_key_is_proved_once() -> None:
    assert why(proof(), proof()) == "twice"


def test_a_good_attestation_of_nobody_we_trust_is_taken_for_what_it_is() -> None:
    found = check_jwt_proofs([proof(header={"key_attestation": attestation(KEY, OTHER)})], EXPECTED)
    assert (found.keys[0].thumbprint, found.attested) == (KEY.public.thumbprint, False)


def test_an_attestation_by_a_trusted_provider_counts() -> None:
    given_ = {"x5c": ["trusted"]}
    expected = Expected(ISSUER, NOW, attesters=lambda chain: PROVIDER.public)
    found = check_jwt_proofs([proof(header={"key_attestation": attestation(KEY, header=given_)})], expected)
    assert found.attested
    # Whoever else signs under that chain is found out.
    forged = attestation(KEY, by=OTHER, header=given_)
    assert why(proof(header={"key_attestation": forged}), expected=expected) == "attestation"


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        (lambda: attestation(OTHER), "attested_keys"),
        (lambda: attestation(), "attested_keys"),
        (lambda: attestation(KEY, attested_keys="x"), "attested_keys"),
        (lambda: attestation(KEY, exp=at(-1)), "attestation"),
        (lambda: attestation(KEY, exp=at()), "attestation"),
        (lambda: attestation(KEY, exp=None), "attestation"),
        (lambda: attestation(KEY, iat=None), "attestation"),
        (lambda: attestation(KEY, iat=at(AHEAD_S + 1)), "attestation"),
        (lambda: attestation(KEY, nonce="another"), "attestation"),
        (lambda: attestation(KEY, nonce=7), "attestation"),
        (lambda: attestation(KEY, header={"typ": "JWT"}), "attestation"),
        (lambda: attestation(KEY)[:-3], "attestation"),
        (lambda: 7, "attestation"),
    ],
)
def test_an_attestation_that_is_there_has_to_be_a_good_one(spoilt: Any, reason: str) -> None:
    assert why(proof(header={"key_attestation": spoilt()})) == reason


def test_an_attestation_alone_proves_keys_where_its_signer_is_trusted() -> None:
    text = attestation(KEY, OTHER, nonce="n")
    expected = Expected(ISSUER, NOW, attesters=lambda chain: PROVIDER.public)
    found = check_attestation(text, expected, most=2)
    assert (len(found.keys), found.nonces, found.attested) == (2, frozenset({"n"}), True)
    for spoilt, given_, reason in (
        (text, EXPECTED, "attester"),
        (attestation(KEY), expected, "nonce_missing"),
        (attestation(KEY, KEY, nonce="n"), expected, "twice"),
        (attestation(KEY, OTHER, LocalSigner.generate(), nonce="n"), expected, "many"),
    ):
        with pytest.raises(ProofInvalid) as caught:
            check_attestation(spoilt, given_, most=2)
        assert caught.value.why == reason
