"""Certificates from a proxy: off by default, and then read strictly."""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.oauth.client_assertion import ClientAssertions
from gateway.oauth.errors import InvalidClient
from gateway.oauth.jose import base64url
from gateway.oauth.mtls import ClientCertificates
from tests.gateway.oauth.conftest import BASE, START, HandClock, SpentOnce, client
from tests.gateway.oauth.test_client_assertion import Registered

HEADER = "Client-Cert"
DN = "CN=bank-1,O=某银行"


def certificate(name: str = "bank-1", days: int = 30) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name.from_rfc4514_string(f"CN={name},O=某银行")
    return (
        x509.CertificateBuilder()
        .subject_name(subject).issuer_name(subject).public_key(key.public_key()).serial_number(1)
        .not_valid_before(START - timedelta(days=60)).not_valid_after(START + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )  # fmt: skip


def rfc9440(made: x509.Certificate) -> str:
    return f":{base64.b64encode(made.public_bytes(Encoding.DER)).decode()}:"


@pytest.fixture
def certificates(clock: HandClock) -> ClientCertificates:
    return ClientCertificates(HEADER, clock)


def test_both_spellings_of_proxies_are_the_same_certificate(certificates: ClientCertificates) -> None:
    made = certificate()
    wanted = base64url(hashlib.sha256(made.public_bytes(Encoding.DER)).digest())
    for value in (rfc9440(made), quote(made.public_bytes(Encoding.PEM))):
        found = certificates.read(value)
        assert found is not None
        assert (found.thumbprint, found.subject_dn) == (wanted, DN)


@pytest.mark.parametrize(
    "value", [None, "", ":", "::", ":AAAA:", ":not base64:", "AAAA", "-----BEGIN", "%ff%fe", "x" * 20_000]
)
def test_what_is_no_certificate(value: str | None, certificates: ClientCertificates) -> None:
    assert certificates.read(value) is None


def test_one_out_of_its_time_is_none(certificates: ClientCertificates) -> None:
    assert certificates.read(rfc9440(certificate(days=-1))) is None


def test_off_means_that_no_header_is_looked_at(clock: HandClock) -> None:
    off = ClientCertificates(None, clock)
    assert not off.on
    assert off.header_of({b"client-cert": rfc9440(certificate()).encode(), b"": b"x"}) is None
    assert off.read(rfc9440(certificate())) is None


@pytest.mark.anyio
async def test_a_client_is_known_by_its_subject_or_by_the_very_certificate(
    certificates: ClientCertificates, clock: HandClock
) -> None:
    made, other = certificate(), certificate()
    x5c = base64.b64encode(made.public_bytes(Encoding.DER)).decode()
    by_subject = client(token_endpoint_auth_method="tls_client_auth", tls_client_auth_subject_dn=DN)
    itself = client("self", token_endpoint_auth_method="self_signed_tls_client_auth", jwks={"keys": [{"x5c": [x5c]}]})
    keyed, unnamed = client("keyed"), client("unnamed", token_endpoint_auth_method="tls_client_auth")
    registered = Registered(by_subject, itself, keyed, unnamed)
    desk = ClientAssertions(registered, SpentOnce(), BASE, clock, certificates)

    async def asks(client_id: str, shown: x509.Certificate) -> str:
        headers = {b"client-cert": rfc9440(shown).encode()}
        return (await desk.authenticate({"client_id": client_id}, headers)).client_id

    assert await asks("bank-1", made) == "bank-1"
    assert await asks("bank-1", other) == "bank-1"  # whoever its authority vouches for; the proxy checked that
    assert await asks("self", made) == "self"
    for client_id, shown in (
        ("bank-1", certificate("bank-2")), ("self", other), ("keyed", made), ("unnamed", made), ("nobody", made),
        ("", made), ("x" * 300, made),
    ):  # fmt: skip
        with pytest.raises(InvalidClient):
            await asks(client_id, shown)
    off = ClientAssertions(registered, SpentOnce(), BASE, clock)
    with pytest.raises(InvalidClient):
        await off.authenticate({"client_id": "bank-1"}, {b"client-cert": rfc9440(made).encode()})
