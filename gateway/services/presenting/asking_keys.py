"""The keys requests are signed with: a request begun under one is signed by it to its end, also when the ring turns."""

from __future__ import annotations

from collections import OrderedDict

from credentials.jose import Signer
from credentials.keys import KeyRing, KeyState

_MOST = 4


class AskingKeys:
    """A client identifier is the hash of one certificate and stands in the link already, so the next key cannot take over
    a request that is out. Held in memory: what another process began before a rotation has to be asked anew."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self._used: OrderedDict[str, Signer] = OrderedDict()

    async def current(self) -> Signer:
        """Raises KeysUnavailable."""
        signer = await self._ring.signer()
        self._used[signer.kid] = signer
        self._used.move_to_end(signer.kid)
        while len(self._used) > _MOST:
            self._used.popitem(last=False)
        return signer

    async def of(self, kid: str) -> Signer | None:
        """None where it is not at hand, or must sign nothing any more. Raises KeysUnavailable."""
        known = await self._ring.find(kid)
        if known is None or known.state is KeyState.COMPROMISED:
            return None
        current = await self.current()
        return current if current.kid == kid else self._used.get(kid)
