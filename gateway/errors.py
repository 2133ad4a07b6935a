"""The one error base of the gateway; `gateway.web.problems` alone turns them into wire codes."""

from __future__ import annotations


class GatewayError(Exception):
    """Base of every error the gateway raises. `code` is stable; `message_key` names the text in the catalogue."""

    code = "INTERNAL"

    def __init__(self, detail: str = "", **facts: str | int) -> None:
        super().__init__(detail or self.code)
        self.detail = detail
        self.facts = facts


class Unauthenticated(GatewayError):
    """No caller stands behind the request. `error` is the standard's code for the challenge (RFC 6750, RFC 9449):
    "" where no token was sent, else invalid_token, invalid_dpop_proof, use_dpop_nonce, insufficient_scope, ...
    `nonce` is a fresh DPoP nonce to hand out with the answer.
    """

    code = "UNAUTHENTICATED"

    def __init__(self, detail: str = "", *, error: str = "", nonce: str | None = None) -> None:
        super().__init__(detail)
        self.error = error
        self.nonce = nonce


class NotAdmitted(GatewayError):
    """The store turned a request away: `answer` is REPLAYED (its proof was spent before) or REVOKED (its token is dead)."""

    code = "UNAUTHENTICATED"

    def __init__(self, answer: str) -> None:
        super().__init__(answer)
        self.answer = answer


class RequestRefused(GatewayError):
    """The request is well-formed but not allowed, or not answerable; `code` says why."""

    code = "FORBIDDEN"

    def __init__(self, code: str, detail: str = "", **facts: str | int) -> None:
        super().__init__(detail or code, **facts)
        self.code = code


class EvidenceUnavailable(GatewayError):
    """The record of an answer could not be made durable, so there is no answer."""

    code = "EVIDENCE_UNAVAILABLE"


class MessagesUnavailable(GatewayError):
    """A message could not be handed over."""

    code = "MESSAGES_UNAVAILABLE"


class SettingsInvalid(GatewayError):
    """The settings cannot be used; `faults` lists every reason."""

    code = "SETTINGS_INVALID"

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults
