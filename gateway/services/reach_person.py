"""Who was asked for, and a link to their phone: the part of asking for consent that the partner never sees."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from adapters.identity import fold_name
from gateway.caller import Caller, CallerKind, Job, Subjects
from gateway.clock import Clock
from gateway.consent import persons
from gateway.consent.ports import Asked, Consents
from gateway.policy.decision import Purpose
from gateway.policy.facts import Facts, Seal
from gateway.services.identities import Phones
from gateway.services.person_door import PersonDoor
from gateway.services.run_jobs import Renew
from gateway.services.words import Words

SEND = "consent.send"


class KnownNames(Protocol):
    async def name_of(self, subject_id: str) -> str | None:
        """The name a person was enrolled under; None where it is not kept."""
        ...


class ReachPerson:
    """Handles the job SEND. A request that is settled is not looked at again, so the same request twice is one message."""

    def __init__(
        self,
        consents: Consents,
        subjects: Subjects,
        phones: Phones,
        names: KnownNames,
        facts: Facts,
        door: PersonDoor,
        words: Words,
        clock: Clock,
    ) -> None:
        self._consents, self._subjects, self._phones, self._names = consents, subjects, phones, names
        self._facts, self._door, self._words, self._clock = facts, door, words, clock

    async def __call__(self, job: Job, renew: Renew) -> None:
        """Raises MessagesUnavailable, and is run again later."""
        consent_id = str(job.payload["consent_id"])
        found = await self._consents.unsettled(consent_id)
        if found is None:
            return
        now = self._clock.now()
        (subject_id,) = await self._subjects.recognise([found.asked.id_no])
        if not await self._meant(subject_id, found.asked):
            await self._consents.settle(consent_id, None)
            return
        enrolled = await self._phones.phone_of(subject_id)
        if enrolled is not None and now < found.answer_by and await self._bearable(subject_id, found.org_id, now):
            organisation = await self._words.organisation(found.org_id)
            values = {"organisation_zh": organisation.zh, "organisation_en": organisation.en}
            lives = found.answer_by - now
            await self._door.send_link(enrolled, "CONSENT_ASKED", consent_id=consent_id, lives=lives, values=values)
        await self._consents.settle(consent_id, subject_id)

    async def _meant(self, subject_id: str, asked: Asked) -> bool:
        """Whether the request is this person's at all: of this number and name, and not somebody who must look unknown."""
        if await self._sealed(subject_id):
            return False
        known = await self._names.name_of(subject_id)
        return known is None or fold_name(known) == fold_name(asked.name)

    async def _bearable(self, subject_id: str, org_id: str, now: datetime) -> bool:
        """Whether a phone may ring once more: a partner that asks again and again is found on the person's pages only."""
        of_one, of_all = await self._consents.put_since(subject_id, org_id, now - persons.ASKED_SPAN)
        return of_one < persons.ASKED_BY_ONE and of_all < persons.ASKED_BY_ALL

    async def _sealed(self, subject_id: str) -> bool:
        nobody = Caller("", "", "", frozenset(), "", self._clock.now(), kind=CallerKind.PARTNER)
        (facts,) = await self._facts.of(nobody, Purpose(""), [subject_id])
        return facts.seal is not Seal.NONE
