"""As whom a verifier asks (OpenID4VP 1.0, section 5.9.3): by its certificate, by a name in it, or as the wallet knows it."""

from __future__ import annotations

from collections.abc import Sequence

from credentials.errors import ChainInvalid
from credentials.x5c import names_dns, x509_hash

X509_HASH, X509_SAN_DNS, PRE_REGISTERED = "x509_hash", "x509_san_dns", "pre-registered"
PREFIXES = (X509_HASH, X509_SAN_DNS, PRE_REGISTERED)


def client_id(prefix: str, x5c: Sequence[str], host: str) -> str:
    """The whole identifier, prefix and all: what a holder's key binding names as `aud`. `host`: our own, without a port.

    Raises ChainInvalid where the signer has no certificate, or none that names `host`.
    """
    if prefix == PRE_REGISTERED:
        return host
    if not x5c:
        raise ChainInvalid("length")
    if prefix == X509_HASH:
        return f"{X509_HASH}:{x509_hash(x5c[0])}"
    if prefix != X509_SAN_DNS or not names_dns(x5c[0], host):
        raise ChainInvalid("name")
    return f"{X509_SAN_DNS}:{host}"
