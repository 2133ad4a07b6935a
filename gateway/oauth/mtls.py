"""Client certificates as a trusted proxy passes them on: for client authentication and for tokens bound to them.

Off unless a header is named, and then the operator vouches that the proxy strips what came in from outside under that
name. Read are RFC 9440's `Client-Cert` (`:base64 DER:`) and the URL-encoded PEM of nginx and HAProxy.
Source: RFC 8705.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.clock import Clock
from gateway.oauth.client import Client
from gateway.oauth.jose import base64url

_LONGEST = 16_384
SUBJECT_DN, SELF_SIGNED = "tls_client_auth", "self_signed_tls_client_auth"


@dataclass(frozen=True, slots=True)
class Certificate:
    """`thumbprint` is `x5t#S256`; `subject_dn` is the RFC 4514 text."""

    thumbprint: str
    subject_dn: str
    der: bytes = field(repr=False)


class ClientCertificates:
    """Reads the certificate of a request. `header` None: mTLS is off and no header is ever looked at."""

    def __init__(self, header: str | None, clock: Clock) -> None:
        self._name, self._clock = (header or "").lower().encode(), clock

    @property
    def on(self) -> bool:
        return bool(self._name)

    def header_of(self, headers: Mapping[bytes, bytes]) -> str | None:
        """What the proxy says, as it says it; for `Presented.client_certificate`."""
        value = headers.get(self._name) if self._name else None
        return value.decode("latin-1") if value else None

    def read(self, value: str | None) -> Certificate | None:
        """None where there is none, where it cannot be read, and where its time is not now."""
        if not self._name or not value or len(value) > _LONGEST:
            return None
        try:
            certificate = x509.load_der_x509_certificate(_der(value))
            subject = certificate.subject.rfc4514_string()
        except (ValueError, binascii.Error):
            return None
        if not certificate.not_valid_before_utc <= self._clock.now() <= certificate.not_valid_after_utc:
            return None
        der = certificate.public_bytes(Encoding.DER)
        return Certificate(base64url(hashlib.sha256(der).digest()), subject, der)

    def is_of(self, certificate: Certificate, client: Client) -> bool:
        """Whether it authenticates `client` by the method the client registered (RFC 8705, sections 2.1 and 2.2)."""
        if client.token_endpoint_auth_method == SUBJECT_DN:
            wanted = client.tls_client_auth_subject_dn
            return bool(wanted) and _same(certificate.subject_dn, _dn(wanted or ""))
        if client.token_endpoint_auth_method == SELF_SIGNED:
            keys = client.jwks.get("keys", ())
            chains = [key.get("x5c") for key in keys if isinstance(key, Mapping)]
            own = base64.b64encode(certificate.der).decode()
            return any(isinstance(chain, list) and chain and _same(str(chain[0]), own) for chain in chains)
        return False


def _der(value: str) -> bytes:
    if value.startswith(":") and value.endswith(":"):
        return base64.b64decode(value[1:-1], validate=True)
    pem = unquote_to_bytes(value)
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


def _dn(text: str) -> str:
    """As cryptography writes it, so that spelling does not matter; "" for what is no name."""
    try:
        return x509.Name.from_rfc4514_string(text).rfc4514_string()
    except ValueError:
        return ""


def _same(one: str, other: str) -> bool:
    return bool(other) and hmac.compare_digest(one.encode(), other.encode())
