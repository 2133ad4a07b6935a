"""The kit an offline verifier carries, made of what is true now and signed by the issuer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from credentials.credential_type import CredentialType
from credentials.keys import KeyRing
from credentials.kit import make_kit
from credentials.type_metadata import card_svg, type_metadata
from gateway.clock import Clock
from gateway.services.credentials.ports import StatusLists


class OfflineKit:
    """Made anew when the last one is older than `fresh`, however many ask."""

    def __init__(
        self,
        base_url: str,
        ring: KeyRing,
        anchors: Callable[[], Sequence[bytes]],
        lists: StatusLists,
        uri_of: Callable[[str], str],
        types: Mapping[str, CredentialType],
        clock: Clock,
        *,
        fresh: timedelta,
    ) -> None:
        """`anchors`: DER of the roots to be believed. `uri_of`: a list's own address."""
        self._base_url, self._ring, self._anchors, self._lists = base_url, ring, anchors, lists
        self._uri_of, self._clock, self._fresh = uri_of, clock, fresh
        self._types = [(type_metadata(one, base_url), card_svg(one)) for one in types.values()]
        self._made: tuple[datetime, str] | None = None
        self._making = asyncio.Lock()

    async def __call__(self) -> str:
        """Raises StoreUnavailable, KeysUnavailable."""
        async with self._making:
            now = self._clock.now()
            if self._made is None or not timedelta(0) <= now - self._made[0] < self._fresh:
                self._made = now, await self._make(now)
            return self._made[1]

    async def _make(self, now: datetime) -> str:
        lists = {}
        for list_id in await self._lists.lists():
            found = await self._lists.token(list_id)
            if found is not None:
                lists[self._uri_of(list_id)] = found[0]
        signer, keys = await self._ring.signer(), await self._ring.keys()
        return await asyncio.to_thread(
            make_kit,
            signer,
            issuer=self._base_url,
            made_at=now,
            anchors=self._anchors(),
            keys=keys,
            types=self._types,
            lists=lists,
        )
