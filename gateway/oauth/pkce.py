"""PKCE with S256, always asked for, always said (RFC 7636; FAPI 2.0, 5.3.2.2)."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from typing import Any

from authlib.oauth2.rfc7636 import CodeChallenge

from gateway.oauth.errors import OAuthError

_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_CHALLENGE_LENGTH = 43  # of a SHA-256 in base64url


class S256(CodeChallenge):
    """Authlib's extension reads a missing method as `plain`, knows `plain`, and lets a confidential client go without.

    Here a challenge is mandatory at PAR, its method explicit, and a verifier is mandatory at the token endpoint.
    """

    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]  # noqa: RUF012  (authlib's attribute)

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        given = grant.request.form
        if given.get("code_challenge_method") != "S256":
            raise OAuthError("invalid_request", "pkce_method")
        challenge = given.get("code_challenge", "")
        if len(challenge) != _CHALLENGE_LENGTH or not _UNRESERVED.issuperset(challenge):
            raise OAuthError("invalid_request", "pkce_challenge")

    def validate_code_verifier(self, grant: Any, result: Any) -> None:
        verifier = grant.request.form.get("code_verifier", "")
        check_verifier(verifier, grant.request.authorization_code.code_challenge)


def check_verifier(verifier: str, challenge: str) -> None:
    """Raises OAuthError invalid_grant."""
    if not 43 <= len(verifier) <= 128 or not _UNRESERVED.issuperset(verifier):
        raise OAuthError("invalid_grant", "pkce_verifier")
    if not hmac.compare_digest(challenge_of(verifier), challenge):
        raise OAuthError("invalid_grant", "pkce_verifier")


def challenge_of(verifier: str) -> str:
    return urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode()
