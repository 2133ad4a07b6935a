"""What wallets are told when something is refused: OAuth's one JSON form with OpenID4VCI's codes, never encrypted."""

from __future__ import annotations

from credentials.errors import CredentialsError
from credentials.openid4vci.refused import DENIED, INSUFFICIENT_SCOPE, INVALID_REQUEST, Refused
from gateway.errors import GatewayError, Unauthenticated
from gateway.oauth.errors import OAuthError
from gateway.oauth.jose import ALGORITHMS
from gateway.web.challenge import NONCE
from gateway.web.oauth_problems import problem, problem_of
from gateway.web.problems import Headers, Refusal, Reply, status_of

_BODY = frozenset({"BODY_TOO_LARGE", "BODY_TIMEOUT", "UNSUPPORTED_MEDIA_TYPE"})


def vci_problem(caught: GatewayError | CredentialsError, malformed: str = INVALID_REQUEST) -> Reply:
    """The answer to an error; `malformed` is the endpoint's own code for a body that cannot be read (8.3.1.2, 11.3)."""
    if isinstance(caught, Unauthenticated):
        status = 403 if caught.error == INSUFFICIENT_SCOPE else 401
        return problem(caught.error or "invalid_token", caught.error or "vci_token", status, _challenge(caught))
    if isinstance(caught, Refused):
        if caught.why == INSUFFICIENT_SCOPE:
            return problem(
                INSUFFICIENT_SCOPE, caught.reason, 403, _challenge(Unauthenticated(error=INSUFFICIENT_SCOPE))
            )
        return problem(caught.why, caught.reason)
    if isinstance(caught, CredentialsError):  # the keys do not answer
        return problem("temporarily_unavailable", "temporarily_unavailable", 503, ((b"retry-after", b"5"),))
    if isinstance(caught, OAuthError):
        return problem_of(caught)
    if isinstance(caught, Refusal):
        return problem(malformed, caught.code, status_of(caught.code) if caught.code in _BODY else 400)
    if caught.code == "SUBJECT_ERASED":
        return problem(DENIED)
    return problem_of(caught)


def _challenge(error: Unauthenticated) -> Headers:
    """Both schemes, for a token may be bound to a key or not; no `error` where nobody sent a token (RFC 6750, 3.1)."""
    said = f', error="{error.error}"' if error.error else ""
    line = f'DPoP realm="yimen", algs="{" ".join(ALGORITHMS)}"{said}, Bearer realm="yimen"{said}'
    headers = [(b"www-authenticate", line.encode())]
    if error.nonce is not None:
        headers.append((NONCE, error.nonce.encode()))
    return headers
