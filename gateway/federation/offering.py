"""Offering credentials within an operation: decided like a question, then done by whoever keeps offers.

A type of credential is decided on as an item: `credential.<type>`. What no rule permits is offered to nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from gateway.caller import Caller, CallerKind
from gateway.errors import RequestRefused
from gateway.federation.met import Met
from gateway.policy.decision import EXISTS, Effect, Question
from schema.context import Data, OfferAsked
from schema.errors import BadInput
from schema.mutation import CREDENTIAL, type_of

PURPOSE = "CREDENTIAL_OFFER"
MOST = 10
"""Credentials in one offer."""
NOBODY = "0" * 18
_LONGEST_ID = 64


@dataclass(frozen=True, slots=True)
class OfferSeen:
    """An offer as kept: whose it is and about whom, and all that a reader of that body may know, as GraphQL names it."""

    subject_id: str
    org_id: str
    made_at: datetime
    data: Data = field(repr=False)


@dataclass(frozen=True, slots=True)
class ToOffer:
    """An offer that policy allows; `flow` is a name of CredentialOfferFlow."""

    subject_id: str
    credential: tuple[str, ...]
    flow: str
    tx_code: bool
    send: bool


class OfferDesk(Protocol):
    """Who keeps offers. It decides nothing about persons: that is done before it is asked."""

    @property
    def configurations(self) -> frozenset[str]:
        """Every credential that is issued here, by its configuration id."""
        ...

    @property
    def types(self) -> frozenset[str]:
        """Their types, as policy knows them, and EXISTS."""
        ...

    async def make(self, caller: Caller, case_no: str | None, offer: ToOffer) -> Data:
        """Made and recorded; an `OfferedCredential`. Raises a GatewayError, and then nothing was made."""
        ...

    async def find(self, offer_id: str) -> OfferSeen | None: ...

    async def of_person(self, subject_id: str) -> Sequence[OfferSeen]: ...


class NoDesk:
    """Where no credentials are issued."""

    configurations: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset({EXISTS})

    async def make(self, caller: Caller, case_no: str | None, offer: ToOffer) -> Data:
        raise RequestRefused("CREDENTIAL_UNKNOWN")

    async def find(self, offer_id: str) -> OfferSeen | None:
        return None

    async def of_person(self, subject_id: str) -> Sequence[OfferSeen]:
        return ()


class Offering:
    """One operation's way to offers."""

    def __init__(self, desk: OfferDesk, question: Question | None, met: Met) -> None:
        self._desk, self._question, self._met = desk, question, met

    async def make(self, asked: OfferAsked, subject: str) -> Data:
        """`subject` is met already. Raises RequestRefused: for no ground, unknown and sealed it is one and the same."""
        question = self._asked_by_an_officer()
        mask = self._met.mask_of(subject)
        if mask.denied is not None:
            raise RequestRefused(mask.denied)
        effects = mask.effects.get(CREDENTIAL, {})
        if any(effects.get(type_of(one)) is not Effect.ALLOW for one in asked.credential):
            raise RequestRefused("CREDENTIAL_NOT_OFFERED")
        offer = ToOffer(subject, asked.credential, asked.flow, asked.tx_code, asked.send)
        return await self._desk.make(question.caller, question.purpose.case_no, offer)

    async def one(self, offer_id: str) -> Data | None:
        """Of another body, of nobody, of somebody who must look unknown by now: it is not there, and all cost the same."""
        question = self._asked_by_an_officer()
        found = await self._desk.find(offer_id) if 0 < len(offer_id) <= _LONGEST_ID else None
        if found is not None and found.org_id != question.caller.org_id:
            found = None
        (nobody,) = await self._met.meet([NOBODY])
        subject = found.subject_id if found is not None else nobody
        await self._met.know([subject])
        if found is None or self._met.mask_of(subject).denied is not None:
            self._met.sought([subject] if found is not None else [])
            return None
        self._met.turned_up([subject])
        return found.data

    async def of_person(self, subject: str) -> Sequence[Data]:
        """`subject` is met already."""
        question = self._asked_by_an_officer()
        found = await self._desk.of_person(subject)
        if self._met.mask_of(subject).denied is not None:
            return ()
        own = [one for one in found if one.org_id == question.caller.org_id]
        return [one.data for one in sorted(own, key=lambda one: one.made_at, reverse=True)]

    def _asked_by_an_officer(self) -> Question:
        """Somebody who answers for it, under the one purpose. Raises RequestRefused."""
        question = self._question
        if question is None or question.purpose.code != PURPOSE:
            raise RequestRefused("PURPOSE_NOT_YOURS")
        if question.caller.kind is not CallerKind.OFFICER:
            raise RequestRefused("OFFICERS_ONLY")
        return question


def check_asked(desk: OfferDesk, asked: OfferAsked) -> None:
    """Before anybody is looked at. Raises BadInput."""
    if not 1 <= len(asked.credential) <= MOST or len(set(asked.credential)) != len(asked.credential):
        raise BadInput("CREDENTIALS_ASKED", most=MOST)
    if not desk.configurations.issuperset(asked.credential):
        raise BadInput("CREDENTIAL_UNKNOWN")
