"""What ends around a credential ends it: a consent, a discharge, a data space that is closed.

Whether a credential still stands is decided where it always is, by the facts and the rules; here it is only seen to that this
is asked now. What the person or an officer ends is ended at once.
"""

from __future__ import annotations

from gateway.consent.ports import ConsentEnded
from gateway.services.credentials.ports import CredentialState, IssuedCredentials

BY_OFFICER, CLOSED = "BY_OFFICER", "DATA_SPACE_CLOSED"


class EndCredentials:
    def __init__(self, issued: IssuedCredentials) -> None:
        self._issued = issued

    async def __call__(self, ended: ConsentEnded) -> None:
        """Implements `gateway.consent.ports.OnConsentEnded`; again for the same consent is one look more."""
        await self._issued.hasten(ended.subject_id, None)

    async def of_person(self, subject_id: str, *, actor_org: str, actor_user: str, keep: frozenset[str]) -> int:
        """The data space is closed: everything but types in `keep` (the discharge certificate) ends. How many batches."""
        batches = {one.batch_id: one for one in await self._issued.of_person(subject_id)}
        ended = 0
        for one in batches.values():
            if one.type_id not in keep:
                ended += await self.batch(one.batch_id, CLOSED, actor_org=actor_org, actor_user=actor_user)
        return ended

    async def batch(self, batch_id: str, reason: str, *, actor_org: str, actor_user: str) -> bool:
        """False where there is no such batch, or it has ended already."""
        return await self._issued.set_state(
            batch_id, CredentialState.REVOKED, reason, actor_org=actor_org, actor_user=actor_user
        )
