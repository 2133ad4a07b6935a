"""A person answers what a wallet asks: which document, from which body, to which wallet; yes or no.

With an `issuer_state` it is about an offer and about whom it was made to, and nobody else may answer. Without one whoever is
in answers for themselves, and the body is the one that supervises them. Source: OpenID4VCI 1.0, section 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from credentials.credential_type import split_configuration
from gateway.caller import Caller
from gateway.clock import Clock
from gateway.consent.persons import PersonSession
from gateway.errors import RequestRefused
from gateway.oauth.errors import OAuthError
from gateway.oauth.holder import HolderApproval
from gateway.oauth.keeping import PushedRequests
from gateway.oauth.terms import REQUEST_URI
from gateway.services.authorize import Authorize, PendingAuthorization
from gateway.services.credentials.may_offer import OFFER
from gateway.services.credentials.ports import AUTHORIZATION_CODE, Acting, Offer, Offers, OfferState
from gateway.services.person_door import PersonDoor

PERSON = "person"
"""Who asks, in the record: themselves, by name nowhere."""


class MayOffer(Protocol):
    async def __call__(self, caller: Caller, subject_id: str, type_ids: Sequence[str], case_no: str | None) -> None:
        """Raises RequestRefused where a rule does not let this body offer this person every one of these; recorded."""
        ...


class ActingBodies(Protocol):
    async def of(self, subject_id: str) -> Acting | None:
        """The body that supervises this person now; None where nobody does."""
        ...


@dataclass(frozen=True, slots=True)
class WalletAsks:
    """What a person is to answer."""

    pending: PendingAuthorization
    configuration_ids: tuple[str, ...]
    acting: Acting
    offer: Offer | None


class AuthorizeWallet:
    """Every method raises OAuthError for a request that is not there, not a wallet's, or answered before."""

    def __init__(
        self,
        requests: Authorize,
        pushed: PushedRequests,
        offers: Offers,
        bodies: ActingBodies,
        door: PersonDoor,
        clock: Clock,
        may_offer: MayOffer,
    ) -> None:
        self._requests, self._pushed, self._offers, self._bodies = requests, pushed, offers, bodies
        self._door, self._clock, self._may_offer = door, clock, may_offer

    async def load(self, client_id: str, request_uri: str) -> PendingAuthorization:
        pending = await self._requests.load(client_id, request_uri)
        if not pending.is_holders:
            raise OAuthError("invalid_request", "authorize_parameters")
        return pending

    async def resume(self, tail: str) -> PendingAuthorization:
        """By the end of its request_uri, as a browser keeps it while its person comes in."""
        pushed = await self._pushed.find(REQUEST_URI + tail)
        if pushed is None:
            raise OAuthError("invalid_request_uri", "invalid_request_uri")
        return await self.load(pushed.client_id, REQUEST_URI + tail)

    async def way_in(self, pending: PendingAuthorization) -> str | None:
        """Where it is about an offer: the token of a link for the person it was made to, who then needs the code that goes
        to their phone. None where whoever comes must say who they are."""
        offer = await self._offer(pending)
        return None if offer is None else await self._door.way_in(offer.subject_id)

    async def asks(self, pending: PendingAuthorization, person: PersonSession) -> WalletAsks:
        """Raises RequestRefused: LINK_DEAD for an offer to somebody else, CREDENTIAL_NO_BODY where nobody may act."""
        offer = await self._offer(pending)
        wanted = tuple(pending.pushed.parameters["configuration_ids"])
        if offer is not None:
            if offer.subject_id != person.subject_id:
                raise RequestRefused("LINK_DEAD", "the offer was made to somebody else")
            if not set(wanted) <= set(offer.configuration_ids):
                raise RequestRefused("CREDENTIAL_NOT_OFFERED", "the wallet asks for more than was offered")
            return WalletAsks(pending, wanted, offer.acting, offer)
        acting = await self._bodies.of(person.subject_id)
        if acting is None:
            raise RequestRefused("CREDENTIAL_NO_BODY", "no body supervises this person now")
        return WalletAsks(pending, wanted, acting, None)

    async def approve(self, asked: WalletAsks, person: PersonSession) -> str:
        """The URL to send the browser to. Raises RequestRefused: what nobody offered must be such that the body could."""
        acting = asked.acting
        if asked.offer is None:
            types = sorted({split_configuration(one)[0] for one in asked.configuration_ids})
            await self._may_offer(_for(acting), person.subject_id, types, acting.case_no)
        approval = HolderApproval(
            person.subject_id,
            {
                "org_id": acting.org_id, "org_kind": acting.org_kind, "jurisdiction": acting.jurisdiction,
                "case_no": acting.case_no,
            },
            asked.configuration_ids,
            None if asked.offer is None else asked.offer.offer_id,
        )  # fmt: skip
        return await self._requests.approve_holder(asked.pending, approval)

    async def deny(self, pending: PendingAuthorization) -> str:
        """The URL to send the browser to."""
        return await self._requests.deny(pending)

    async def _offer(self, pending: PendingAuthorization) -> Offer | None:
        """Raises RequestRefused LINK_DEAD for one that is not open, of the other flow, or not there."""
        reference = pending.pushed.parameters.get("issuer_state")
        if reference is None:
            return None
        offer = await self._offers.by_reference(reference)
        if (
            offer is None
            or offer.flow != AUTHORIZATION_CODE
            or offer.state is not OfferState.OPEN
            or offer.expires_at <= self._clock.now()
        ):
            raise RequestRefused("LINK_DEAD", "the offer is not open")
        return offer


def _for(acting: Acting) -> Caller:
    """The person themselves, before the body of their case: held to the rules of that body's officers."""
    return Caller(
        PERSON,
        acting.org_id,
        acting.org_kind,
        frozenset(),
        PERSON,
        datetime.max.replace(tzinfo=UTC),
        purposes=frozenset({OFFER}),
        jurisdiction=acting.jurisdiction,
    )
