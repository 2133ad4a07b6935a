"""What a wallet's request uses up is spent at the door, where requests that come at once share one round trip."""

from __future__ import annotations

from datetime import datetime

from gateway.oauth.ports import Admission, Door


class SpentAtDoor:
    """Implements `gateway.oauth.ports.ReplaySet` for the endpoints of the credential issuer.

    The door's spending becomes durable with the next durable commit, and whatever is handed out here waits for one: the
    record of the question, of the credential, or of the request that waits.
    """

    def __init__(self, door: Door) -> None:
        self._door = door

    async def spend(self, kind: str, key: str, until: datetime) -> bool:
        """See the port. Keys of different kinds do not meet: a proof's is 43 characters, and others name their kind."""
        named = key if kind == "dpop" else f"{kind[:16]}/{key}"
        return await self._door.admit(Admission(named, until, "", "", "", "")) == "OK"
