"""A person gets a document again by a fresh link; links of theirs from before that nobody used are dead then."""

from __future__ import annotations

from datetime import timedelta

from gateway.clock import Clock
from gateway.errors import RequestRefused
from gateway.services.credentials.offer_credential import OfferCredential
from gateway.services.credentials.ports import Issued, OfferOrigin, Offers, OfferState

PERSON = "person"
MOST_A_DAY = 30
_DAY = timedelta(days=1)


class GetAgain:
    """Implements `my_credentials.Again`."""

    def __init__(self, offer: OfferCredential, offers: Offers, clock: Clock) -> None:
        self._offer, self._offers, self._clock = offer, offers, clock

    async def __call__(self, one: Issued) -> str:
        """The link. Raises RequestRefused RATE_LIMITED, and what offering raises: then the old links stand."""
        own = [each for each in await self._offers.of_person(one.subject_id) if each.origin is OfferOrigin.PERSON]
        if sum(each.created_at > self._clock.now() - _DAY for each in own) >= MOST_A_DAY:
            raise RequestRefused("RATE_LIMITED")
        made = await self._offer(
            acting=one.acting,
            actor_user=PERSON,
            origin=OfferOrigin.PERSON,
            subject_id=one.subject_id,
            configuration_ids=(one.configuration_id,),
        )
        for each in own:
            if each.state is OfferState.OPEN and each.configuration_ids == (one.configuration_id,):
                await self._offers.cancel(each.offer_id, actor_org="", actor_user=PERSON)
        return made.link
