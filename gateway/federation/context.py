"""One operation's `QueryContext`: who is asking, under which mask, until when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias
from weakref import WeakKeyDictionary

from adapters.errors import Reason
from adapters.identity import normalise_id
from adapters.source import Answer, Found, Match, Page, Row
from gateway.caller import Subjects
from gateway.federation.catalog import Offer, Snapshot
from gateway.federation.describe import catalogue_entries, purpose_entries
from gateway.federation.disputed import DisputedFacts, Undisputed, add_doubts
from gateway.federation.hiding import is_hidden, is_personal, without
from gateway.federation.loaders import Asked, Loader
from gateway.federation.met import Met
from gateway.federation.narrowing import as_if_absent, narrow
from gateway.federation.offering import NoDesk, OfferDesk, Offering, check_asked
from gateway.federation.paging import FURTHER, MARGIN, connection, read_cursor
from gateway.federation.parts import (
    NOT_FOUND,
    Data,
    Shape,
    build_part,
    no_source_part,
    shape_of,
    withheld_part,
)
from gateway.policy.decision import Mask, Policy, Question
from schema.context import Data as Told
from schema.context import OfferAsked
from schema.errors import BadInput
from schema.wiring import LINKS

SUBJECT = "_subject"
_Shapes: TypeAlias = dict[tuple[str, frozenset[str], frozenset[str]], Shape]
# A policy gives equal questions the same mask, so what follows from a mask is worked out once and goes with it.
_SHAPES: WeakKeyDictionary[Mask, _Shapes] = WeakKeyDictionary()
_MOST_SHAPES = 64
_NAME_LENGTH = 100
_NOBODY = "0" * 18


@dataclass(frozen=True, slots=True)
class _Begun:
    """A part on its way: what it may show, the answers to come, whose it is, and whether they must look unknown."""

    shape: Shape
    asked: asyncio.Future[Asked] | None
    subject: str | None
    absent: bool


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whose a row is: the normalised ID number, for asking on, and the subject."""

    id_no: str
    subject: str


class OperationContext:
    """Implements `schema.context.QueryContext`; counts what evidence must name: subjects, states, fields."""

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        policy: Policy,
        question: Question | None,
        mask: Mask,
        subjects: Subjects,
        batch_persons: int,
        now: datetime,
        deadline: float,
        disputed: DisputedFacts | None = None,
        desk: OfferDesk | None = None,
    ) -> None:
        self._snapshot = snapshot
        self._desk = desk or NoDesk()
        self._question = question
        self._disputed = disputed or Undisputed()
        self._mask = mask
        self.met = Met(policy, question, mask, subjects)
        self._batch_persons = batch_persons
        self._now = now
        self._asked = question.selected if question is not None else {}
        self._implied = question.implied if question is not None else {}
        self._shapes: dict[Mask, _Shapes] = {}
        self._loader = Loader(snapshot, deadline)
        self._persons = 0
        self.states_by_noun: dict[tuple[str, str], int] = {}

    @property
    def states(self) -> dict[str, int]:
        """How many parts were in which state."""
        found: dict[str, int] = {}
        for (_, state), count in self.states_by_noun.items():
            found[state] = found.get(state, 0) + count
        return found

    def restart(self) -> None:
        """The operation runs once more, over what is already fetched: counts begin anew."""
        self._persons = 0
        self.states_by_noun.clear()
        self.met.forget()

    def close(self) -> None:
        self._loader.close()

    async def people(self, keys: Sequence[tuple[str, str]]) -> Sequence[Data | Exception]:
        """See the port."""
        self._persons += len(keys)
        if self._persons > self._batch_persons:
            raise BadInput("BATCH_TOO_LARGE", most=self._batch_persons)
        numbers = [normalise_id(id_no) for id_no, _ in keys]
        faults: list[Exception | None] = [
            BadInput("BAD_ID")
            if number is None or not number.checksum_ok
            else BadInput("BAD_NAME")
            if not 0 < len(name.strip()) <= _NAME_LENGTH
            else None
            for number, (_, name) in zip(numbers, keys, strict=True)
        ]
        good = [number.value18 for number, fault in zip(numbers, faults, strict=True) if number and fault is None]
        subjects = await self.met.meet(good)
        self.met.asked_for(subjects)
        found = iter(subjects)
        answer: list[Data | Exception] = []
        for number, fault, (_, name) in zip(numbers, faults, keys, strict=True):
            if fault is not None or number is None:
                answer.append(fault or BadInput("BAD_ID"))
                continue
            subject = next(found)
            links = {"idNo": number.value18, "name": name.strip(), SUBJECT: subject}
            answer.append({"pid": self.met.pid(subject), LINKS: links})
        return answer

    async def part(self, noun: str, by: tuple[str, ...], links: Mapping[str, str | None]) -> Data:
        return await self._finish(self._begin(noun, by, links))

    async def parts(self, asks: Sequence[tuple[str, tuple[str, ...], Mapping[str, str | None]]]) -> Sequence[Data]:
        """A whole level at once, in order; the same as `part` for each."""
        begun = [self._begin(noun, by, links) for noun, by, links in asks]
        return [await self._finish(one) for one in begun]

    def _begin(self, noun: str, by: tuple[str, ...], links: Mapping[str, str | None]) -> _Begun:
        """What may be shown, and the answers on their way; none where nobody is asked."""
        subject = links.get(SUBJECT)
        self.met.openly |= subject is None
        shape = self._shape(noun, subject)
        # One who must look unknown is asked for like one who is: the same calls, the same shape.
        shown = self._shape(noun, None) if shape.absent else shape
        if not shown.open or any(not links.get(name) for name in by):
            return _Begun(shown, None, subject, False)
        return _Begun(shown, self._loader.load(noun, by, links, shown.fetched), subject, shape.absent)

    async def _finish(self, begun: _Begun) -> Data:
        shape, noun = begun.shape, begun.shape.noun.name
        if begun.asked is None:
            return self._count(noun, withheld_part(shape) if not shape.open else no_source_part(shape))
        offers, answers = await begun.asked
        if not offers:
            return self._count(noun, no_source_part(shape))
        if begun.absent:
            answers = as_if_absent(answers)
        if begun.subject is not None:
            mask = self.met.mask_of(begun.subject)
            part = build_part(shape, offers, without(answers, lambda row: is_hidden(row, mask)), self._now)
            disputed = self._disputed.of(begun.subject)
            for record in part["records"]:
                if disputed:
                    add_doubts(part, record, noun, shape.shown, disputed)
                record[LINKS] = {**record[LINKS], SUBJECT: begun.subject}
            return self._count(noun, part)
        owners = await self._owners(answers)
        part = self._of_whom_it_concerns(shape, offers, answers, owners)
        if part["state"] == NOT_FOUND and is_personal(shape.noun):
            self.met.sought(list(dict.fromkeys(owner.subject for owner in owners.values())))
        return self._count(noun, part)

    async def page(
        self, noun: str, by: tuple[str, ...], links: Mapping[str, str | None], first: int, after: str | None
    ) -> Data:
        """See the port. What must not be noticed is left out before the page is cut, so no page is shorter for it."""
        self.met.openly = True
        shape = self._shape(noun, None)
        if not shape.open:
            return self._count(noun, connection(withheld_part(shape), first, after))
        key, cursor, size = tuple(links.get(name) for name in by), read_cursor(after), first + 1 + MARGIN
        kept: list[Row] = []
        incomplete: Reason | None = None
        owners: dict[str, _Owner] = {}
        while True:
            offers, answers = await self._loader.page(noun, by, key, Page(size, cursor), shape.fetched)
            if not offers:
                return self._count(noun, connection(no_source_part(shape), first, after))
            answer = answers[0]
            if not isinstance(answer, Found):
                break
            owners |= await self._owners([answer])
            kept += [row for row in answer.rows if self._is_visible(row, shape, owners)]
            incomplete = incomplete or answer.incomplete
            last = answer.rows[-1].record_id if answer.rows else ""
            if len(kept) > first or len(answer.rows) < size or last in ("", cursor):  # or it does not page at all
                break
            cursor, size = last, FURTHER
        # One more than asked for tells whether there is a next page, without counting what is there.
        if isinstance(answer, Found):
            answer = replace(answer, rows=tuple(kept[:first]), incomplete=incomplete)
        part = self._of_whom_it_concerns(shape, offers, [answer], owners)
        if isinstance(answer, Found) and incomplete is not None:
            part["state"] = "PARTIAL"
        return self._count(noun, connection(part, first, after, more=len(kept) > first))

    async def offer(self, offer_id: str) -> Told | None:
        """See the port."""
        return await self._offering().one(offer_id)

    async def offers(self, id_no: str, name: str) -> Sequence[Told]:
        """See the port."""
        return await self._offering().of_person(await self._subject(id_no, name))

    async def offer_credential(self, asked: OfferAsked) -> Told:
        """See the port."""
        check_asked(self._desk, asked)
        return await self._offering().make(asked, await self._subject(asked.id_no, asked.name))

    def _offering(self) -> Offering:
        return Offering(self._desk, self._question, self.met)

    async def _subject(self, id_no: str, name: str) -> str:
        """Who is asked for by number, met and decided on. Raises BadInput."""
        (person,) = await self.people([(id_no, name)])
        if isinstance(person, Exception):
            raise person
        return str(person[LINKS][SUBJECT])

    def catalogue(self) -> Sequence[Data]:
        return catalogue_entries(self._snapshot)

    def purposes(self) -> Sequence[Data]:
        return purpose_entries(self._snapshot.purposes)

    def source_health(self) -> AsyncIterator[Data]:
        return self._snapshot.watch.listen()

    async def _owners(self, answers: Sequence[Answer]) -> dict[str, _Owner]:
        """Whose the rows are, by the ID number as a row has it; whoever is newly met is decided on."""
        numbers = {
            id_no: number
            for answer in answers
            if isinstance(answer, Found)
            for row in answer.rows
            if (id_no := row.links.get("idNo")) and (number := normalise_id(id_no)) is not None
        }
        # Where no row names anybody, nobody is decided on all the same: a number nobody has costs what a hidden one costs.
        subjects = await self.met.meet([number.value18 for number in numbers.values()] or [_NOBODY])
        return {
            id_no: _Owner(number.value18, subject)
            for (id_no, number), subject in zip(numbers.items(), subjects, strict=False)
        }

    def _is_hidden(self, row: Row, shape: Shape, owners: Mapping[str, _Owner]) -> bool:
        owner = owners.get(row.links.get("idNo") or "")
        if owner is None:
            return (is_personal(shape.noun) and row.match is Match.AUTO) or is_hidden(row, self._mask)
        mask = self.met.mask_of(owner.subject)
        return mask.denied is not None or is_hidden(row, mask)

    def _is_visible(self, row: Row, shape: Shape, owners: Mapping[str, _Owner]) -> bool:
        owner = owners.get(row.links.get("idNo") or "")
        own = shape if owner is None else self._shape(shape.noun.name, owner.subject)
        return own.open and not self._is_hidden(row, shape, owners)

    def _of_whom_it_concerns(
        self, shape: Shape, offers: Sequence[Offer], answers: Sequence[Answer], owners: Mapping[str, _Owner]
    ) -> Data:
        """The part of answers that were asked for without a person: the rows say whose they are, and each is shown as
        its own subject's mask allows, or not at all. That person's other parts then hang on it."""
        noun = shape.noun.name

        def own(row: Row) -> Shape:
            owner = owners.get(row.links.get("idNo") or "")
            return shape if owner is None else self._shape(noun, owner.subject)

        answers = without(answers, lambda row: self._is_hidden(row, shape, owners))
        answers, withheld = narrow(answers, shape, own)
        part = build_part(shape, offers, answers, self._now)
        if withheld and not part["records"]:
            return withheld_part(shape)
        for record in part["records"]:
            owner = owners.get(record[LINKS].get("idNo") or "")
            if owner is not None:
                record[LINKS] = {**record[LINKS], "idNo": owner.id_no, SUBJECT: owner.subject}
                if disputed := self._disputed.of(owner.subject):
                    add_doubts(part, record, noun, self._shape(noun, owner.subject).shown, disputed)
                self.met.turned_up([owner.subject])
        return part

    def _shape(self, noun: str, subject: str | None) -> Shape:
        mask = self.met.mask_of(subject)
        shapes = self._shapes.get(mask)
        if shapes is None:
            shapes = self._shapes[mask] = _SHAPES.setdefault(mask, {})
        place = (noun, self._asked.get(noun, frozenset()), self._implied.get(noun, frozenset()))
        shape = shapes.get(place)
        spec = self._snapshot.schema.nouns[noun]
        if shape is None or shape.noun is not spec:  # a reload may give a noun of the same name other fields
            if len(shapes) >= _MOST_SHAPES:  # a field or its raw word or both: one mask, many ways to ask
                shapes.clear()
            shape = shapes[place] = shape_of(spec, place[1], mask.effects.get(noun, {}), place[2])
        return shape

    def _count(self, noun: str, part: Data) -> Data:
        place = (noun, part["state"])
        self.states_by_noun[place] = self.states_by_noun.get(place, 0) + 1
        return part
