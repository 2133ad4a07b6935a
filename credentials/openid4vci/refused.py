"""A wallet's message that is refused: the standard's code, and which of our sentences explains it."""

from __future__ import annotations

from credentials.errors import RequestInvalid

INVALID_REQUEST = "invalid_credential_request"
UNKNOWN_CONFIGURATION = "unknown_credential_configuration"
UNKNOWN_IDENTIFIER = "unknown_credential_identifier"
INVALID_PROOF, INVALID_NONCE = "invalid_proof", "invalid_nonce"
INVALID_ENCRYPTION = "invalid_encryption_parameters"
INSUFFICIENT_SCOPE = "insufficient_scope"
"""Of RFC 6750, section 3.1: answered with 403 and a challenge."""
DENIED = "credential_request_denied"
INVALID_TRANSACTION = "invalid_transaction_id"
INVALID_NOTIFICATION, INVALID_NOTIFICATION_ID = "invalid_notification_request", "invalid_notification_id"


class Refused(RequestInvalid):
    """`why` is the code of section 8.3.1.2, 9.3 or 11.3 of OpenID4VCI 1.0; `reason` names a sentence in the catalogue."""

    def __init__(self, why: str, reason: str = "") -> None:
        super().__init__(why)
        self.reason = reason or why
