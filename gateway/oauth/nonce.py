"""Nonces for DPoP that nobody has to remember: an HMAC of the time, the same in every replica.

Source: RFC 9449, sections 8 and 9.
"""

from __future__ import annotations

import hashlib
import hmac

from gateway.clock import Clock
from gateway.oauth.jose import base64url

PERIOD_S = 180


class Nonces:
    """A nonce is good for its own period and the next: between one and two periods, all told.

    The authorization server and a resource each have a `secret` of their own, so a nonce of one says nothing to the other.
    """

    def __init__(self, secret: bytes, clock: Clock, period_s: int = PERIOD_S) -> None:
        self._secret, self._clock, self._period_s = secret, clock, period_s
        self._made: tuple[int, str, str] = (-1, "", "")

    def current(self) -> str:
        """The one to hand out now."""
        return self._now()[1]

    def good(self, nonce: str) -> bool:
        _, current, previous = self._now()
        given = nonce.encode()
        # Both are always compared; neither is a secret, but then nobody has to think about it.
        return hmac.compare_digest(given, current.encode()) | hmac.compare_digest(given, previous.encode())

    def _now(self) -> tuple[int, str, str]:
        period = int(self._clock.now().timestamp()) // self._period_s
        if self._made[0] != period:
            self._made = (period, self._of(period), self._of(period - 1))
        return self._made

    def _of(self, period: int) -> str:
        return base64url(hmac.digest(self._secret, b"dpop-nonce/%d" % period, hashlib.sha256)[:24])
