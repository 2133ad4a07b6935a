"""`c_nonce`: nothing is kept of it until it is used, and then only that it was (OpenID4VCI 1.0, section 7)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta
from typing import Protocol

from gateway.clock import Clock

NONCE_KEY = "credential/nonce/v1"
"""Label for `Keys.derive`."""
LIVES_S = 300
_KIND = "credential-nonce"
_TIME, _RANDOM, _MAC = 5, 12, 16


class Spent(Protocol):
    """`gateway.oauth.ports.ReplaySet`, as far as it is needed here."""

    async def spend(self, kind: str, key: str, until: datetime) -> bool: ...


class CredentialNonces:
    """Its end, chance and an HMAC over both: every replica knows its own, and nobody guesses the next."""

    def __init__(self, secret: bytes, spent: Spent, clock: Clock) -> None:
        self._secret, self._spent, self._clock = secret, spent, clock

    def make(self) -> str:
        """44 characters, good for `LIVES_S` seconds and one credential request."""
        end = int(self._clock.now().timestamp()) + LIVES_S
        text = end.to_bytes(_TIME, "big") + secrets.token_bytes(_RANDOM)
        return base64.urlsafe_b64encode(text + self._mac(text)).decode()

    def good(self, nonce: str) -> bool:
        """Whether it is ours and in time; whether it was used is `spend`'s."""
        return self._end(nonce) is not None

    async def spend(self, nonce: str) -> bool:
        """True for the first, where it is good."""
        end = self._end(nonce)
        if end is None:
            return False
        digest = base64.urlsafe_b64encode(hashlib.sha256(nonce.encode()).digest()).decode().rstrip("=")
        return await self._spent.spend(_KIND, digest, end + timedelta(seconds=60))

    def _end(self, nonce: str) -> datetime | None:
        try:
            raw = base64.b64decode(nonce.encode("ascii"), b"-_", validate=True)
        except ValueError:
            return None
        if len(raw) != _TIME + _RANDOM + _MAC or base64.urlsafe_b64encode(raw).decode() != nonce:
            return None
        text = raw[: _TIME + _RANDOM]
        if not hmac.compare_digest(raw[_TIME + _RANDOM :], self._mac(text)):
            return None
        end = datetime.fromtimestamp(int.from_bytes(text[:_TIME], "big"), UTC)
        return end if end > self._clock.now() else None

    def _mac(self, text: bytes) -> bytes:
        return hmac.digest(self._secret, text, "sha256")[:_MAC]
