"""The pre-authorized code of an offer: derived when it is handed out, compared by its hash when it comes back, never kept."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

CODE_KEY, TX_KEY = "credential/offer-code/v1", "credential/tx-code/v1"
"""Labels for `Keys.derive`."""


class OfferCodes:
    """`code_key` and `tx_key`: 32 bytes each, of the labels above, the same in every replica."""

    def __init__(self, code_key: bytes, tx_key: bytes) -> None:
        self._code_key, self._tx_key = code_key, tx_key

    def code_of(self, offer_id: str) -> str:
        """43 characters; the offer's id alone, which officers see, does not lead to it."""
        digest = hmac.digest(self._code_key, offer_id.encode(), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    @staticmethod
    def code_hash(code: str) -> bytes:
        """What is kept of a code, and what a code that came is looked up by."""
        return hashlib.sha256(code.encode()).digest()

    def tx_hash(self, offer_id: str, tx_code: str) -> bytes:
        """What is kept of a transaction code: keyed and of this offer, as six digits are soon tried through."""
        return hmac.digest(self._tx_key, f"{offer_id}/{tx_code}".encode(), "sha256")


def new_offer_id() -> str:
    return secrets.token_hex(16)


def new_reference() -> str:
    """What stands in a link: 256 random bits."""
    return secrets.token_urlsafe(32)


def new_tx_code(digits: int) -> str:
    return f"{secrets.randbelow(10**digits):0{digits}}"
