"""What the store can fail with; messages name no host, password, person or key."""

from __future__ import annotations

from gateway.errors import GatewayError


class StoreUnavailable(GatewayError):
    """The database does not answer, or does not take writes; the caller may retry."""

    code = "STORE_UNAVAILABLE"


class LedgerLost(StoreUnavailable):
    """What the ledger committed to and signed is not there any more; waiting does not bring it back."""

    code = "LEDGER_LOST"


class StoreRefused(GatewayError):
    """The database must not be used as it is (too new, wrong master key, not durable); `detail` says what to do."""

    code = "STORE_REFUSED"


class CiphertextInvalid(GatewayError):
    """A sealed column does not open: altered, moved from another row or column, or sealed with a key we do not have."""

    code = "CIPHERTEXT_INVALID"


class SubjectUnknown(GatewayError):
    """No such subject, or the ID number is not this subject's."""

    code = "SUBJECT_UNKNOWN"


class TokensRefused(GatewayError):
    """Demo accounts exist in the demo only, or their file cannot be used."""

    code = "TOKENS_REFUSED"


class SubjectErased(GatewayError):
    """The person was erased: what was sealed under their key cannot be opened by anybody any more."""

    code = "SUBJECT_ERASED"
