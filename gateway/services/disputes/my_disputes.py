"""A person disputes a fact, follows what becomes of it, or takes it back."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from gateway.clock import Clock
from gateway.consent.consent import ItemTitle
from gateway.consent.notice import Both, in_words
from gateway.consent.persons import PersonSession
from gateway.errors import RequestRefused
from gateway.services.disputes.ports import Dispute, Disputes, DisputeState
from gateway.services.words import Words

LONGEST = 1000
MOST_OPEN = 20
MOST_A_DAY = 30
"""Said, whatever became of them: each has departments asked anew about all that rests on the facts, and stays on record."""
_DAY = timedelta(days=1)
Hasten = Callable[[str], Awaitable[object]]
"""Told of a person whose facts somebody now doubts, or no longer does: credentials made of them are looked at again."""


@dataclass(frozen=True, slots=True)
class DisputeShown:
    dispute: Dispute
    fact: Both
    opened: Both
    due: Both
    decided: Both | None
    body: Both | None  # who answered


@dataclass(frozen=True, slots=True)
class Disputable:
    """One noun with the fields a person may dispute: its code, its name, and `field code -> name`."""

    noun: str
    name: Both
    fields: Mapping[str, Both]


class MyDisputes:
    """Whatever is not theirs is not there."""

    def __init__(
        self,
        disputes: Disputes,
        words: Words,
        clock: Clock,
        *,
        nouns: Callable[[], Sequence[str]],
        days: int,
        hasten: Hasten,
    ) -> None:
        """`nouns`: those whose facts are about persons, as they are now."""
        self._disputes, self._words, self._clock, self._hasten = disputes, words, clock, hasten
        self._nouns, self._within = nouns, timedelta(days=days)

    async def all(self, person: PersonSession) -> Sequence[DisputeShown]:
        return [await self._shown(one) for one in await self._disputes.of_person(person.subject_id)]

    def disputable(self) -> Sequence[Disputable]:
        found = []
        for noun in self._nouns():
            if fields := self._fields(noun):
                first = next(iter(fields.values()))
                name = Both(first.zh.partition("：")[0], first.en.partition(": ")[0])
                found.append(Disputable(noun, name, {code: _own_name(title) for code, title in fields.items()}))
        return found

    def _fields(self, noun: str) -> Mapping[str, ItemTitle]:
        """One of each name: a reading and its source's own word (`status`, `statusRaw`) are one fact, doubted as the former."""
        found: dict[str, ItemTitle] = {}
        for item, title in self._words.titles().items():
            if item.startswith(f"{noun}.") and title not in found.values():
                found[item.partition(".")[2]] = title
        return found

    async def open(self, person: PersonSession, fact: str, statement: str) -> str:
        """The dispute's id. `fact`: "noun.field". Raises RequestRefused DISPUTE_FACT, DISPUTE_TEXT, DISPUTE_OPEN, DISPUTE_MANY,
        DISPUTE_OFTEN."""
        noun, _, field = fact.partition(".")
        said = statement.strip()
        if noun not in self._nouns() or field not in self._fields(noun):
            raise RequestRefused("DISPUTE_FACT")
        if not 0 < len(said) <= LONGEST or not said.replace("\n", "").replace("\r", "").isprintable():
            raise RequestRefused("DISPUTE_TEXT")
        held = await self._disputes.of_person(person.subject_id)
        if sum(one.state is DisputeState.OPEN for one in held) >= MOST_OPEN:
            raise RequestRefused("DISPUTE_MANY")
        now = self._clock.now()
        if sum(one.opened_at > now - _DAY for one in held) >= MOST_A_DAY:
            raise RequestRefused("DISPUTE_OFTEN")
        dispute = Dispute(secrets.token_hex(16), person.subject_id, noun, field, "", said, now, now + self._within)
        if not await self._disputes.open(dispute):
            raise RequestRefused("DISPUTE_OPEN")
        await self._hasten(person.subject_id)
        return dispute.dispute_id

    async def withdraw(self, person: PersonSession, dispute_id: str) -> None:
        """What is decided already stays so. Raises RequestRefused NOT_FOUND for what is not theirs."""
        held = await self._disputes.of_person(person.subject_id)
        if all(one.dispute_id != dispute_id for one in held):
            raise RequestRefused("NOT_FOUND")
        if await self._disputes.withdraw(person.subject_id, dispute_id):
            await self._hasten(person.subject_id)

    async def _shown(self, one: Dispute) -> DisputeShown:
        title = self._words.titles().get(f"{one.noun}.{one.field}")
        fact = Both(title.zh, title.en) if title is not None else Both(one.noun, one.noun)
        decided = None if one.decided_at is None else in_words(one.decided_at)
        body = await self._words.organisation(one.decided_org) if one.decided_org else None
        return DisputeShown(one, fact, in_words(one.opened_at), in_words(one.due_at), decided, body)


def _own_name(title: ItemTitle) -> Both:
    """A field's name without its noun's."""
    return Both(title.zh.partition("：")[2] or title.zh, title.en.partition(": ")[2] or title.en)
