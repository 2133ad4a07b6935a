"""The person reads what is asked, and says yes, no, or not any more. Only a yes waits for witnesses."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from gateway.caller import Seals, Subjects
from gateway.clock import Clock
from gateway.consent.consent import Consent, ConsentState
from gateway.consent.notice import LANGUAGE, Notice, notice_of
from gateway.consent.persons import PersonSession
from gateway.consent.ports import Answer, ConsentEnded, Consents, OnConsentEnded
from gateway.consent.receipt import RECEIPT_TYP, ReceiptSigner, receipt_claims
from gateway.errors import GatewayError, RequestRefused
from gateway.services.words import Words

_log = structlog.get_logger(__name__)
ISSUER_ORG = "yimen"
"""The person's pseudonym in a receipt is the one towards us, so it links to nobody's else."""


@dataclass(frozen=True, slots=True)
class ConsentShown:
    """A consent and the words it is shown in; `notice` None where something in it has no name any more. `sealed`: whether
    witnesses stand behind its newest record; None where nobody witnesses, or it was not looked at."""

    consent: Consent
    notice: Notice | None
    open: bool
    in_force: bool
    sealed: bool | None = None


class EndConsents:
    """Tells everyone who must act that a consent has ended. The end itself is durable already."""

    def __init__(self, consents: Consents, listeners: Sequence[OnConsentEnded]) -> None:
        self._consents, self._listeners = consents, tuple(listeners)

    async def __call__(self, ended: Sequence[ConsentEnded]) -> None:
        """One listener that fails keeps no other from its work. Live reads refuse in any case."""
        for one in ended:
            for listener in self._listeners:
                try:
                    await listener(one)
                except GatewayError as error:
                    _log.error("consent_end_not_followed", state=one.state.value, reason=type(error).__name__)

    async def due(self) -> int:
        """End what time has ended; how many."""
        ended = await self._consents.end_due()
        await self(ended)
        return len(ended)


class MyConsents:
    """All of a person's own doing. Whatever is not theirs is not there."""

    def __init__(
        self,
        consents: Consents,
        words: Words,
        subjects: Subjects,
        signer: ReceiptSigner,
        end: EndConsents,
        clock: Clock,
        *,
        issuer: str,
        seals: Seals,
    ) -> None:
        self._consents, self._words, self._subjects, self._seals = consents, words, subjects, seals
        self._signer, self._end, self._clock, self._issuer = signer, end, clock, issuer

    async def all(self, person: PersonSession) -> Sequence[ConsentShown]:
        return [await self._shown(one) for one in await self._consents.all_of(person.subject_id)]

    async def show(self, person: PersonSession, consent_id: str) -> ConsentShown:
        """Raises RequestRefused NOT_FOUND."""
        consent = await self._consents.of_person(person.subject_id, consent_id)
        if consent is None:
            raise RequestRefused("NOT_FOUND")
        shown = await self._shown(consent)
        if shown.in_force:
            shown = replace(shown, sealed=await self._seals.sealed(consent_id, wait=False))
        return shown

    async def give(self, person: PersonSession, consent_id: str, seen: str) -> None:
        """`seen` is the hash of the notice the page showed: what was not shown was not agreed to. Returns once witnesses
        stand behind it, or the wait is over; it counts either way.

        Raises RequestRefused NOT_FOUND, CONSENT_CHANGED (the words are others by now), CONSENT_CLOSED; LedgerUnwitnessed,
        LedgerHalted where nothing may be granted now.
        """
        await self._seals.allow()
        shown, notice = await self._answerable(person, consent_id, seen)
        now = self._clock.now()
        rule = self._words.rule(shown.consent.terms.purpose)
        claims = receipt_claims(
            shown.consent,
            notice,
            issuer=self._issuer,
            principal=self._subjects.pid(person.subject_id, ISSUER_ORG),
            legal_basis="" if rule is None else rule.basis_zh,
            method=person.method,
            at=now,
        )
        receipt = await self._signer.sign(RECEIPT_TYP, claims)
        ended = await self._answer(shown.consent, ConsentState.GIVEN, person, notice, receipt)
        await self._end(ended)
        with contextlib.suppress(GatewayError):  # it is given, whatever becomes of the look
            await self._seals.sealed(consent_id)

    async def refuse(self, person: PersonSession, consent_id: str, seen: str) -> None:
        """As `give`; there is nothing more to a no."""
        shown, notice = await self._answerable(person, consent_id, seen)
        await self._answer(shown.consent, ConsentState.REFUSED, person, notice, None)

    async def withdraw(self, person: PersonSession, consent_id: str) -> None:
        """What is withdrawn already stays so. Raises RequestRefused NOT_FOUND for what is not theirs."""
        if await self._consents.of_person(person.subject_id, consent_id) is None:
            raise RequestRefused("NOT_FOUND")
        ended = await self._consents.withdraw(person.subject_id, consent_id, person.method)
        if ended is not None:
            await self._end([ended])

    async def receipt(self, person: PersonSession, consent_id: str) -> str:
        """The signed receipt. Raises RequestRefused NOT_FOUND."""
        found = await self._consents.receipt(person.subject_id, consent_id)
        if found is None:
            raise RequestRefused("NOT_FOUND")
        return found

    async def _answerable(self, person: PersonSession, consent_id: str, seen: str) -> tuple[ConsentShown, Notice]:
        shown = await self.show(person, consent_id)
        if not shown.open:
            raise RequestRefused("CONSENT_CLOSED")
        if shown.notice is None or shown.notice.sha256 != seen:
            raise RequestRefused("CONSENT_CHANGED")
        return shown, shown.notice

    async def _answer(
        self, consent: Consent, state: ConsentState, person: PersonSession, notice: Notice, receipt: str | None
    ) -> Sequence[ConsentEnded]:
        answer = Answer(state, person.method, notice.version, notice.sha256, LANGUAGE, receipt)
        ended = await self._consents.answer(consent, answer)
        if ended is None:
            raise RequestRefused("CONSENT_CLOSED")
        return ended

    async def _shown(self, consent: Consent) -> ConsentShown:
        now: datetime = self._clock.now()
        terms = consent.terms
        organisation = await self._words.organisation(terms.org_id)
        try:
            notice = notice_of(terms, organisation, self._words.purpose(terms.purpose), self._words.titles())
        except KeyError:
            notice = None
        return ConsentShown(consent, notice, consent.open(now) and notice is not None, consent.in_force(now))
