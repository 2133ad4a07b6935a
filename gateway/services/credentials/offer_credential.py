"""An offer is made: kept, recorded, and sent to the person's phone where that is wished. Whether it may be made was decided
before, by the road of each who asks (`MayOffer`, the mutation's own decision, the person's session, the fact itself)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from credentials.openid4vci.offer import other_link, wallet_link
from gateway.caller import Message, Messages, Seals
from gateway.clock import Clock
from gateway.errors import MessagesUnavailable, RequestRefused
from gateway.services.credentials.offer_codes import OfferCodes, new_offer_id, new_reference, new_tx_code
from gateway.services.credentials.ports import (
    AUTHORIZATION_CODE,
    PRE_AUTHORIZED,
    Acting,
    Offer,
    OfferOrigin,
    Offers,
)
from gateway.services.identities import EnrolledPhone, Phones

SEND_LINK, SEND_CODE, SEND_FRESH = "CREDENTIAL_OFFERED", "CREDENTIAL_OFFER_CODE", "CREDENTIAL_RENEWED"
"""Kinds of messages, in the catalogue of texts."""
MOST = 10
"""Credentials in one offer."""


@dataclass(frozen=True, slots=True)
class OfferTerms:
    """What every offer of this issuer has in common. `lives`: how long a link may be used."""

    base_url: str
    lives: timedelta
    tx_digits: int
    profile: str = "both"


@dataclass(frozen=True, slots=True)
class Offered:
    """Told once. `tx_code` goes another road than the link; `sent`: the link is on its way to the person's phone."""

    offer: Offer
    link: str = field(repr=False)
    other_link: str = field(repr=False)
    tx_code: str | None = field(default=None, repr=False)
    sent: bool = False


class OfferCredential:
    """`configurations` gives every configuration id that is issued here now."""

    def __init__(
        self,
        offers: Offers,
        codes: OfferCodes,
        phones: Phones,
        messages: Messages,
        seals: Seals,
        clock: Clock,
        terms: OfferTerms,
        configurations: Callable[[], Collection[str]],
    ) -> None:
        self._offers, self._codes, self._phones, self._messages = offers, codes, phones, messages
        self._seals, self._clock, self._terms, self._configurations = seals, clock, terms, configurations

    async def __call__(
        self,
        *,
        acting: Acting,
        actor_user: str,
        origin: OfferOrigin,
        subject_id: str,
        configuration_ids: Sequence[str],
        flow: str = PRE_AUTHORIZED,
        tx_code: bool = False,
        send: bool = False,
        send_tx_code: bool = False,
        offer_id: str | None = None,
        bulk_id: str | None = None,
        message: str = SEND_LINK,
    ) -> Offered:
        """Raises RequestRefused (CREDENTIAL_UNKNOWN, CREDENTIALS_ASKED, TX_CODE_NOT_OF_FLOW, PERSON_NOT_ENROLLED),
        SubjectErased, LedgerUnwitnessed, LedgerHalted; then nothing was made.

        `send_tx_code`: the code follows in a message of its own. `offer_id`: one drawn before, so that the same again is
        the same offer. A message that does not get out leaves the offer: `sent` says so.
        """
        self._check(configuration_ids, flow, tx_code)
        enrolled = await self._phones.phone_of(subject_id) if send or send_tx_code else None
        if enrolled is None and (send or send_tx_code):
            raise RequestRefused("PERSON_NOT_ENROLLED", "no phone is enrolled for this person")
        await self._seals.allow()
        now = self._clock.now()
        code = new_tx_code(self._terms.tx_digits) if tx_code else None
        offer = Offer(
            offer_id or new_offer_id(), new_reference(), subject_id, tuple(configuration_ids), flow, tx_code, acting,
            actor_user, origin, now, now + self._terms.lives, bulk_id=bulk_id,
        )  # fmt: skip
        pre = self._codes.code_of(offer.offer_id) if flow == PRE_AUTHORIZED else None
        await self._offers.add(offer, code=pre, tx_code=code)
        kept = offer if offer_id is None else await self._offers.find(offer_id) or offer
        made = Offered(kept, *self.links(kept.reference), code if kept == offer else None)
        if enrolled is None:
            return made
        # The code first: where the link is on its way, so is what it is opened with.
        known = made.tx_code is None or not send_tx_code
        known = known or await self._hand_over(enrolled, SEND_CODE, {"code": made.tx_code or ""})
        sent = send and known and await self._send(enrolled, kept, made.link, message)
        return Offered(kept, made.link, made.other_link, made.tx_code, sent)

    async def send_again(self, offer: Offer, message: str = SEND_LINK) -> bool:
        """The same link to the phone now enrolled; False where there is none or the message does not get out."""
        enrolled = await self._phones.phone_of(offer.subject_id)
        return enrolled is not None and await self._send(enrolled, offer, self.links(offer.reference)[0], message)

    def links(self, reference: str) -> tuple[str, str]:
        """For the browser wallet, and for any other wallet of this profile (OpenID4VCI 4.1.3, HAIP 4.2)."""
        issuer = self._terms.base_url
        return wallet_link(issuer, reference), other_link(issuer, reference, haip=self._terms.profile == "haip")

    def _check(self, configuration_ids: Sequence[str], flow: str, tx_code: bool) -> None:
        if not 1 <= len(configuration_ids) <= MOST or len(set(configuration_ids)) != len(configuration_ids):
            raise RequestRefused("CREDENTIALS_ASKED", "an offer is of one to ten different credentials", most=MOST)
        if not set(configuration_ids) <= set(self._configurations()):
            raise RequestRefused("CREDENTIAL_UNKNOWN", "no such credential is issued here")
        if flow not in (PRE_AUTHORIZED, AUTHORIZATION_CODE):
            raise RequestRefused("FLOW_UNKNOWN", "the flow is pre-authorized_code or authorization_code")
        if tx_code and flow != PRE_AUTHORIZED:
            raise RequestRefused("TX_CODE_NOT_OF_FLOW", "a transaction code belongs to the pre-authorized_code flow")

    async def _send(self, enrolled: EnrolledPhone, offer: Offer, link: str, message: str) -> bool:
        days = max(1, round((offer.expires_at - self._clock.now()).total_seconds() / 86_400))
        if not await self._hand_over(enrolled, message, {"link": link, "days": str(days)}):
            return False
        await self._offers.note(offer.offer_id, "SENT")
        return True

    async def _hand_over(self, enrolled: EnrolledPhone, kind: str, values: Mapping[str, str]) -> bool:
        try:
            await self._messages.send(Message(enrolled.subject_id, enrolled.phone, kind, values))
        except MessagesUnavailable:
            return False
        return True
