"""A signing key is not believed from a moment on: what it signed from then on ends, and a fresh one is offered instead."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol

from gateway.services.credentials.ports import CredentialState, IssuedCredentials

REASON = "KEY_COMPROMISED"


class SignedWith(Protocol):
    async def batches(self, kid: str, since: datetime) -> Sequence[str]:
        """Batches that are not revoked with a credential signed by this key at `since` or later."""
        ...


class KeyCompromised:
    """Call it again while other processes may still sign with the key: what is revoked already stays as it is."""

    def __init__(self, signed: SignedWith, issued: IssuedCredentials, renew: Callable[[str], Awaitable[None]]) -> None:
        """`renew`: durable on return, of a batch by its id; put down before it ends, so that a crash costs nobody the new one."""
        self._signed, self._issued, self._renew = signed, issued, renew

    async def __call__(self, kid: str, cut_off: datetime, *, actor_user: str) -> int:
        """How many batches ended."""
        ended = 0
        for batch_id in await self._signed.batches(kid, cut_off):
            await self._renew(batch_id)
            ended += await self._issued.set_state(batch_id, CredentialState.REVOKED, REASON, actor_user=actor_user)
        return ended
