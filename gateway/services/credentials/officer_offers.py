"""Offers as the GraphQL floor asks for them: made through `OfferCredential`, read from where they are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from credentials.credential_type import SD_JWT, W3C, CredentialType, configuration_of
from gateway.caller import Caller
from gateway.clock import Clock
from gateway.errors import RequestRefused
from gateway.federation.offering import OfferSeen, ToOffer
from gateway.policy.decision import EXISTS
from gateway.services.credentials.fetch_facts import Holders
from gateway.services.credentials.ports import (
    AUTHORIZATION_CODE,
    PRE_AUTHORIZED,
    Acting,
    Offer,
    OfferOrigin,
    Offers,
    OfferState,
)
from schema.mutation import type_of
from schema.types.credential_offer import CredentialOfferFlow, CredentialOfferStep

_FLOWS = {
    CredentialOfferFlow.PRE_AUTHORIZED_CODE.value: PRE_AUTHORIZED,
    CredentialOfferFlow.AUTHORIZATION_CODE.value: AUTHORIZATION_CODE,
}
_NAMES = {flow: name for name, flow in _FLOWS.items()}
_STEPS = frozenset(step.value for step in CredentialOfferStep)


class Made(Protocol):
    """What is told of an offer once."""

    @property
    def offer(self) -> Offer: ...
    @property
    def link(self) -> str: ...
    @property
    def other_link(self) -> str: ...
    @property
    def tx_code(self) -> str | None: ...


class MakeOffer(Protocol):
    async def __call__(
        self, *, acting: Acting, actor_user: str, origin: OfferOrigin, subject_id: str,
        configuration_ids: Sequence[str], flow: str, tx_code: bool, send: bool,
    ) -> Made: ...  # fmt: skip


class OfficerOffers:
    """Implements `gateway.federation.offering.OfferDesk`."""

    def __init__(
        self,
        make: MakeOffer,
        offers: Offers,
        types: Mapping[str, CredentialType],
        holders: Holders,
        clock: Clock,
    ) -> None:
        self._make, self._offers, self._types = make, offers, types
        self._holders, self._clock = holders, clock
        self._known = frozenset(configuration_of(one, form) for one in types for form in (SD_JWT, W3C))

    @property
    def configurations(self) -> frozenset[str]:
        return self._known

    @property
    def types(self) -> frozenset[str]:
        return frozenset({EXISTS, *self._types})

    async def make(self, caller: Caller, case_no: str | None, offer: ToOffer) -> Mapping[str, Any]:
        states = frozenset(await self._holders.states(offer.subject_id, caller.org_id))
        if not all(states & self._types[type_of(one)].holders for one in offer.credential):
            raise RequestRefused("CREDENTIAL_NOT_OFFERED", "the person's case makes no holder of it now")
        made = await self._make(
            acting=Acting(caller.org_id, caller.org_kind, caller.jurisdiction, case_no),
            actor_user=caller.user_id,
            origin=OfferOrigin.OFFICER,
            subject_id=offer.subject_id,
            configuration_ids=offer.credential,
            flow=_FLOWS[offer.flow],
            tx_code=offer.tx_code and _FLOWS[offer.flow] == PRE_AUTHORIZED,  # whoever logs in needs none
            send=offer.send,
        )
        return {
            "offer": (await self._seen(made.offer)).data,
            "link": made.link,
            "otherLink": made.other_link,
            "qrText": made.link,  # any camera opens it, and the page it leads to names the way of other wallets
            "txCode": made.tx_code,
        }

    async def find(self, offer_id: str) -> OfferSeen | None:
        found = await self._offers.find(offer_id)
        return None if found is None else await self._seen(found)

    async def of_person(self, subject_id: str) -> Sequence[OfferSeen]:
        return [await self._seen(one) for one in await self._offers.of_person(subject_id)]

    async def _seen(self, offer: Offer) -> OfferSeen:
        past = offer.state is OfferState.OPEN and offer.expires_at <= self._clock.now()
        moments = await self._offers.timeline(offer.offer_id)
        data = {
            "id": offer.offer_id,
            "credential": list(offer.configuration_ids),
            "flow": _NAMES[offer.flow],
            "state": "EXPIRED" if past else offer.state.value,
            "txCodeNeeded": offer.tx_code,
            "createdAt": offer.created_at,
            "expiresAt": offer.expires_at,
            "redeemedAt": offer.redeemed_at,
            "timeline": [{"step": one.kind, "at": one.at} for one in moments if one.kind in _STEPS],
        }
        return OfferSeen(offer.subject_id, offer.acting.org_id, offer.created_at, data)
