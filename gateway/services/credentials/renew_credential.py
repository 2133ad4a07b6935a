"""A fresh one is offered where the old one ended and the person did nothing: its fact changed and the claim still holds in a
new form, or the key that signed it is believed no more."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from gateway.caller import Job, Jobs
from gateway.clock import Clock
from gateway.errors import MessagesUnavailable
from gateway.services.credentials.follow_the_fact import ACTOR, CHANGED
from gateway.services.credentials.key_compromised import REASON as KEY_COMPROMISED
from gateway.services.credentials.offer_credential import SEND_FRESH, OfferCredential
from gateway.services.credentials.ports import CredentialState, Issued, IssuedCredentials, OfferOrigin, Offers
from gateway.services.identities import Phones
from gateway.services.run_jobs import Renew

JOB = "credential.renew"
_REASONS = frozenset({CHANGED, KEY_COMPROMISED})
_AFTER = timedelta(seconds=5)
"""Long enough for the old one to have ended, also on a busy database."""


async def renew_later(jobs: Jobs, clock: Clock, batch_id: str) -> None:
    """For whichever gateway runs next."""
    await jobs.enqueue(JOB, {"batch_id": batch_id}, run_at=clock.now() + _AFTER, unique_key=batch_id)


class RenewCredential:
    """Implements `follow_the_fact.Renew` by a job that outlives this process, and handles that job."""

    def __init__(
        self,
        issued: IssuedCredentials,
        offer: OfferCredential,
        offers: Offers,
        phones: Phones,
        jobs: Jobs,
        clock: Clock,
    ) -> None:
        self._issued, self._offer, self._offers = issued, offer, offers
        self._phones, self._jobs, self._clock = phones, jobs, clock

    async def __call__(self, batch: Issued) -> None:
        """Put down before the old one ends: where that then fails, the job finds nothing to do."""
        await renew_later(self._jobs, self._clock, batch.batch_id)

    async def handle(self, job: Job, renew: Renew) -> None:
        """Raises MessagesUnavailable and LedgerUnwitnessed, and is run again later; the offer is the same one then."""
        batch = await self._issued.batch(str(job.payload["batch_id"]))
        if not batch or batch[0].state is not CredentialState.REVOKED or batch[0].reason not in _REASONS:
            return
        one = batch[0]
        if not one.subject_id:
            return
        offer_id = hashlib.sha256(f"renew/{one.batch_id}".encode()).hexdigest()[:32]
        enrolled = await self._phones.phone_of(one.subject_id) is not None
        kept = await self._offers.find(offer_id)
        if kept is None:
            made = await self._offer(
                acting=one.acting, actor_user=ACTOR, origin=OfferOrigin.FOLLOW, subject_id=one.subject_id,
                configuration_ids=(one.configuration_id,), send=enrolled, offer_id=offer_id, message=SEND_FRESH,
            )  # fmt: skip
            sent = made.sent
        else:  # a run before this one made it, and perhaps got no further
            told = {moment.kind for moment in await self._offers.timeline(offer_id)}
            sent = "SENT" in told or await self._offer.send_again(kept, SEND_FRESH)
        if enrolled and not sent:
            raise MessagesUnavailable("the message of a fresh credential did not get out")
