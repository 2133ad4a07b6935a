"""Token requests made beforehand: client_credentials with private_key_jwt and a DPoP proof, no two alike.

Signing happens here, before the clock runs; the load itself only sends bytes.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import ECKey

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """One POST to a token endpoint."""

    body: bytes
    headers: Mapping[str, str]


def new_key(kid: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid, "alg": "ES256", "use": "sig"}, private=True, auto_kid=False)


def public_jwk(key: ECKey) -> dict[str, Any]:
    return dict(key.as_dict(private=False))


def token_requests(
    count: int, *, issuer: str, token_url: str, client_id: str, key: ECKey, proof_key: ECKey,
    parameters: Mapping[str, str], nonce: str | None = None,
) -> Iterator[TokenRequest]:  # fmt: skip
    """`count` requests that are good for about a minute from now."""
    public = {name: value for name, value in public_jwk(proof_key).items() if name in ("kty", "crv", "x", "y")}
    for _ in range(count):
        now = int(time.time())
        assertion = jwt.encode(
            {"alg": "ES256", "kid": key.kid},
            {
                "iss": client_id, "sub": client_id, "aud": issuer, "jti": str(uuid.uuid4()), "iat": now, "exp": now + 240,
            },
            key,
        )  # fmt: skip
        claims: dict[str, Any] = {"jti": str(uuid.uuid4()), "htm": "POST", "htu": token_url, "iat": now}
        if nonce is not None:
            claims["nonce"] = nonce
        proof = jwt.encode({"alg": "ES256", "typ": "dpop+jwt", "jwk": public}, claims, proof_key)
        form = {
            "grant_type": "client_credentials", "client_id": client_id, "client_assertion_type": _ASSERTION,
            "client_assertion": assertion, **parameters,
        }  # fmt: skip
        yield TokenRequest(
            urlencode(form).encode(), {"content-type": "application/x-www-form-urlencoded", "dpop": proof}
        )


def right(status: int, body: bytes) -> bool:
    """Whether it is a DPoP-bound access token."""
    try:
        answer = json.loads(body)
    except ValueError:
        return False
    return status == 200 and answer.get("token_type") == "DPoP" and bool(answer.get("access_token"))
