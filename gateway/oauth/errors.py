"""One error for all that OAuth refuses; `gateway.web` gives it its HTTP form."""

from __future__ import annotations

from gateway.errors import GatewayError


class OAuthError(GatewayError):
    """`code` is the standard's own error code (RFC 6749 5.2 and its sisters); `reason` names the plain sentence in the
    message catalogue and never repeats what the request said. `status` is 400 unless the standard says otherwise.
    `nonce` is a DPoP nonce to hand out with the answer (`use_dpop_nonce`).
    """

    def __init__(self, code: str, reason: str = "", *, status: int = 400, nonce: str | None = None) -> None:
        super().__init__(f"{code}: {reason}" if reason else code)
        self.code = code
        self.reason = reason
        self.status = status
        self.nonce = nonce


class InvalidClient(OAuthError):
    """The client is not who it says, or not there at all: one text for both, always 401."""

    def __init__(self) -> None:
        super().__init__("invalid_client", "invalid_client", status=401)
