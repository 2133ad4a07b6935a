"""What every authenticator in memory has in common: it asks no store, so there is nothing left to settle."""

from __future__ import annotations

from gateway.caller import Authenticator, Caller, Presented
from gateway.errors import NotAdmitted, Unauthenticated


class Settled:
    async def __call__(self, presented: Presented) -> Caller:
        raise NotImplementedError

    async def unspent(self, presented: Presented) -> Caller:
        return await self(presented)

    async def settle(self, caller: Caller) -> Caller:
        return caller

    async def turned_away(self, caller: Caller, error: NotAdmitted) -> Unauthenticated:
        return Unauthenticated(error="invalid_dpop_proof" if error.answer == "REPLAYED" else "invalid_token")


class AtTheDoor(Settled):
    """A real authenticator before an `Execute` that records nothing: what would be spent with the record is spent here."""

    def __init__(self, real: Authenticator) -> None:
        self._real = real

    async def __call__(self, presented: Presented) -> Caller:
        return await self._real(presented)

    async def still(self, caller: Caller) -> bool:
        return await self._real.still(caller)
