"""The authorization server's signing keys as one process sees them: the current one signs, all published ones verify.

A key is published before it signs (NEXT) and after it has signed (RETIRED), so whoever fetched the JWKS yesterday can
verify today's tokens and the other way round.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from gateway.clock import Clock
from gateway.oauth.jose import PrivateKey, PublicKey

REFRESH_S = 20.0
"""Seconds until a replica notices another one's rotation; a token of an unknown key makes it look at once."""

_LOOK_AGAIN_S = 1.0


class KeyState(StrEnum):
    NEXT = "NEXT"
    CURRENT = "CURRENT"
    RETIRED = "RETIRED"


@dataclass(frozen=True, slots=True)
class KeptKey:
    """One signing key as it is kept."""

    key: PrivateKey
    state: KeyState
    created_at: datetime
    published_until: datetime | None = None  # of a RETIRED one: when the last token of it is past


class KeptKeys(Protocol):
    async def load(self) -> Sequence[KeptKey]:
        """Every key whose time is not over: exactly one CURRENT, exactly one NEXT. Makes them where there are none."""
        ...


class SigningKeys:
    """Looks into the store every `refresh_s` seconds, when it is asked; one look at a time."""

    def __init__(self, kept: KeptKeys, clock: Clock, refresh_s: float = REFRESH_S) -> None:
        self._kept, self._clock, self._refresh_s = kept, clock, refresh_s
        self._current: PrivateKey | None = None
        self._published: dict[str, KeptKey] = {}
        self._looked = float("-inf")
        self._forgotten = 0  # how often
        self._looking = asyncio.Lock()

    async def current(self) -> PrivateKey:
        """What signs now. Raises StoreUnavailable where the keys cannot be read."""
        await self._fresh(self._refresh_s)
        assert self._current is not None  # noqa: S101  (load promises one)
        return self._current

    def forget(self) -> None:
        """Whoever asks next looks: another replica is said to have rotated them."""
        self._looked = float("-inf")
        self._forgotten += 1

    async def find(self, kid: str | None) -> PublicKey | None:
        """The published key of that name; an unknown one is looked for in the store, at most once a second."""
        if kid is None:
            return None
        await self._fresh(self._refresh_s)
        if kid not in self._published:
            await self._fresh(_LOOK_AGAIN_S)
        return self._now(kid)

    def published(self, kid: str) -> bool:
        """Whether `find` would give that key without looking into the store; False says nothing."""
        return time.monotonic() - self._looked < self._refresh_s and self._now(kid) is not None

    async def jwks(self) -> dict[str, Any]:
        """What `/oauth/jwks` shows (RFC 7517 5): public members only, the current key first."""
        await self._fresh(self._refresh_s)
        order = (KeyState.CURRENT, KeyState.NEXT, KeyState.RETIRED)
        shown = [kept for kid, kept in self._published.items() if self._now(kid) is not None]
        return {"keys": [kept.key.public_jwk() for kept in sorted(shown, key=lambda kept: order.index(kept.state))]}

    def _now(self, kid: str) -> PublicKey | None:
        kept = self._published.get(kid)
        if kept is None or (kept.published_until is not None and kept.published_until <= self._clock.now()):
            return None
        return kept.key.public

    async def _fresh(self, age_s: float) -> None:
        if time.monotonic() - self._looked < age_s:
            return
        async with self._looking:
            if time.monotonic() - self._looked < age_s:
                return
            forgotten, began = self._forgotten, time.monotonic()
            kept = await self._kept.load()
            self._published = {one.key.kid: one for one in kept}
            self._current = next(one.key for one in kept if one.state is KeyState.CURRENT)
            if forgotten == self._forgotten:  # else what was read may be from before what we were told of meanwhile
                self._looked = began
