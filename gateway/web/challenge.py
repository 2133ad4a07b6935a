"""The challenge of the GraphQL resource: how to come in, and what was wrong with the way somebody tried.

Source: RFC 9110 11.6.1, RFC 6750 3, RFC 9449 7.1, RFC 9728 5.1.
"""

from __future__ import annotations

from gateway.errors import Unauthenticated
from gateway.oauth.jose import ALGORITHMS
from gateway.web.problems import Refusal
from gateway.web.protected_resource import metadata_url

NONCE = b"dpop-nonce"


def refusal(error: Unauthenticated, base_url: str) -> Refusal:
    """401, or 403 where the token is good and not for this. No `error` where nobody sent a token."""
    parts = [
        'realm="yimen"',
        f'algs="{" ".join(ALGORITHMS)}"',
        f'resource_metadata="{metadata_url(base_url)}"',
    ]
    if error.error:
        parts.append(f'error="{error.error}"')
    headers = [(b"www-authenticate", f"DPoP {', '.join(parts)}".encode())]
    if error.nonce is not None:
        headers.append((NONCE, error.nonce.encode()))
    return Refusal("FORBIDDEN" if error.error == "insufficient_scope" else "UNAUTHENTICATED", headers)
