"""One operation's `QueryContext`: who is asking, under which mask, until when."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import repeat
from operator import attrgetter, itemgetter
from typing import Any, TypeAlias

from adapters.errors import Reason
from adapters.identity import normalise_id
from adapters.onward import Onward
from adapters.source import Answer, Found, Match, Page, Row
from gateway.caller import Subjects
from gateway.federation.abroad import Abroad
from gateway.federation.answers import FRESH, NOT_FOUND, PARTIAL
from gateway.federation.catalog import Snapshot
from gateway.federation.describe import catalogue_entries, purpose_entries
from gateway.federation.disputed import DisputedFacts, Undisputed
from gateway.federation.hiding import is_hidden, is_personal, without
from gateway.federation.links import Links, RowLinks
from gateway.federation.loaders import Loader
from gateway.federation.met import Met
from gateway.federation.narrowing import narrow
from gateway.federation.offering import NoDesk, OfferDesk, Offering, check_asked
from gateway.federation.paging import FURTHER, MARGIN, connection, read_cursor
from gateway.federation.parts import FreshParts, Part, build_part, no_source_part, withheld_part
from gateway.federation.persons import Person
from gateway.federation.reach import Lot, Reach
from gateway.federation.shapes import Shape, shape_of
from gateway.federation.view import View
from gateway.policy.decision import Mask, Policy, Question
from schema.context import Data as Told
from schema.context import OfferAsked
from schema.errors import BadInput
from schema.nouns import PERSON_KEY

_Asked: TypeAlias = tuple[str, frozenset[str], frozenset[str]]  # a noun, its fields asked for, those nobody named
# Links, whose subject each is, and the mask they all are under (None: not one and the same).
_Whose: TypeAlias = tuple[Sequence[Links], list[str | None], Mask | None]
_SUBJECT, _PERSON_KEY = attrgetter("subject"), attrgetter("person_key")
_FIRST, _SECOND = itemgetter(0), itemgetter(1)
_CHECKSUM_OK, _VALUE18 = attrgetter("checksum_ok"), attrgetter("value18")
_NONE: frozenset[str] = frozenset()
_MOST_SHAPES = 64
_NAME_LENGTH = 100
_NOBODY = "0" * 18


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
        onward: Onward | None = None,
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
        self._reaches: dict[tuple[str, tuple[str, ...], Mask], Reach] = {}
        self.abroad = Abroad(onward)
        self._loader = Loader(snapshot, deadline, self.abroad)
        self._persons = 0
        self.states_by_noun: dict[tuple[str, str], int] = {}

    @property
    def states(self) -> dict[str, int]:
        """How many parts were in which state."""
        found: dict[str, int] = {}
        for (_, state), count in self.states_by_noun.items():
            found[state] = found.get(state, 0) + count
        return found

    def close(self) -> None:
        self._loader.close()

    async def people(self, keys: Sequence[tuple[str, str]], *, named: bool = False) -> Sequence[Person | Exception]:
        """See the port."""
        self._persons += len(keys)
        if self._persons > self._batch_persons:
            raise BadInput("BATCH_TOO_LARGE", most=self._batch_persons)
        good, faults = _well_formed(keys)
        met = self.met
        subjects = await met.meet(list(map(_FIRST, good)), named=named)
        met.asked_for(subjects)
        if len(subjects) != len(good):
            raise ValueError("a person each")
        people: list[Person | Exception] = list(map(Person, subjects, good, repeat(met)))
        for place, fault in faults:
            people.insert(place, fault)
        return people

    async def part(self, noun: str, by: tuple[str, ...], links: Links | Mapping[str, str | None]) -> Part:
        """See the port."""
        (lot,) = self._lots(noun, by, self._whose([links if isinstance(links, Links) else RowLinks(None, links)]))
        asked = lot.asked
        if asked is None:
            (part,) = self._made(lot, ())
        else:
            _, answers = await self._loader.one(asked[0], asked[1][0])
            (part,) = self._made(lot, [answers]) if lot.of_somebody else await self._of_rows(lot, [answers])
        self._count(noun, [part])
        return part

    async def level(self, asks: Sequence[tuple[str, tuple[str, ...], Sequence[Links]]]) -> Sequence[Sequence[Part]]:
        """All that hangs on what came before: for each noun and its key names, a part for each of the links, in order.
        The same as `part` for each, but asked at once and waited for once."""
        whose: dict[int, _Whose] = {}  # several nouns hang on one list of links
        begun = []
        for noun, by, links in asks:
            of = whose.get(id(links))
            if of is None:
                of = whose[id(links)] = self._whose(links)
            begun.append(self._lots(noun, by, of))
        asked = [lot.asked for lots in begun for lot in lots if lot.asked is not None]
        answered = iter(await self._loader.level(asked) if asked else ())
        levels: list[Sequence[Part]] = []
        for (noun, _, links), lots in zip(asks, begun, strict=True):
            made = []
            for lot in lots:
                answers = () if lot.asked is None else next(answered)
                made.append(self._made(lot, answers) if lot.of_somebody else await self._of_rows(lot, answers))
            parts = made[0] if len(made) == 1 else _placed(len(links), lots, made)
            self._count(noun, parts)
            levels.append(parts)
        return levels

    def _whose(self, links: Sequence[Links]) -> _Whose:
        subjects: list[Any] = list(map(_SUBJECT, links))
        masks = set(map(self.met.masks.get, subjects))  # None: nobody's, or nobody was decided on
        return links, subjects, masks.pop() if len(masks) == 1 else None

    def _lots(self, noun: str, by: tuple[str, ...], whose: _Whose) -> Sequence[Lot]:
        """How far each one's mask reaches, and by which keys about whom is to be asked."""
        links, subjects, mask = whose
        keys = list(map(_PERSON_KEY, links)) if by == PERSON_KEY else [on.key(by) for on in links]
        if mask is not None and all(keys):
            return (Lot(self._reach(noun, by, mask), keys, subjects, range(len(keys))),)
        kinds: dict[tuple[Reach, bool, bool], list[int]] = {}
        for place, (subject, key) in enumerate(zip(subjects, keys, strict=True)):
            self.met.openly |= subject is None
            reach = self._reach(noun, by, self.met.mask_of(subject))
            kinds.setdefault((reach, subject is None, key is None), []).append(place)
        return [
            Lot(reach, [keys[place] for place in places], [subjects[place] for place in places], places)
            for (reach, _, _), places in kinds.items()
        ]

    def _made(self, lot: Lot, answered: Sequence[Sequence[Answer]]) -> Sequence[Part]:
        if lot.asked is None:
            return [lot.reach.unasked() for _ in lot.keys]
        return lot.reach.parts(answered, lot.subjects)

    async def _of_rows(self, lot: Lot, answered: Sequence[Sequence[Answer]]) -> Sequence[Part]:
        """Nobody was asked about: the rows say whom they concern."""
        if lot.asked is None:
            return self._made(lot, answered)
        return [await self._of_whom_it_concerns(lot.reach, answers) for answers in answered]

    async def page(
        self, noun: str, by: tuple[str, ...], links: Mapping[str, str | None], first: int, after: str | None
    ) -> Told:
        """See the port. What must not be noticed is left out before the page is cut, so no page is shorter for it."""
        self.met.openly = True
        shape = self._shape(noun, self._mask)
        if not shape.open:
            return self._page(noun, withheld_part(shape), first, after)
        key, cursor, size = tuple(links.get(name) for name in by), read_cursor(after), first + 1 + MARGIN
        kept: list[Row] = []
        incomplete: Reason | None = None
        owners: dict[str, _Owner] = {}
        while True:
            offers, answers = await self._loader.page(noun, by, key, Page(size, cursor), shape.fetched)
            if not offers:
                return self._page(noun, no_source_part(shape), first, after)
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
        part = self._narrowed(View(shape, offers, self._now, self._disputed), [answer], owners)
        if isinstance(answer, Found) and incomplete is not None:
            part.state = PARTIAL
        return self._page(noun, part, first, after, more=len(kept) > first)

    def _page(self, noun: str, part: Part, first: int, after: str | None, *, more: bool = False) -> Told:
        self._count(noun, [part])
        return connection(part, first, after, more=more)

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
        return person.subject

    def catalogue(self) -> Sequence[Told]:
        return catalogue_entries(self._snapshot)

    def purposes(self) -> Sequence[Told]:
        return purpose_entries(self._snapshot.purposes)

    def source_health(self) -> AsyncIterator[Told]:
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
        own = shape if owner is None else self._shape_for(shape.noun.name, owner)
        return own.open and not self._is_hidden(row, shape, owners)

    async def _of_whom_it_concerns(self, reach: Reach, answers: Sequence[Answer]) -> Part:
        """The part of answers that were asked for without a person."""
        answers = reach.known(answers)
        owners = await self._owners(answers)
        part = self._narrowed(reach.view, answers, owners)
        if part.state == NOT_FOUND and is_personal(reach.shape.noun):
            self.met.sought(list(dict.fromkeys(owner.subject for owner in owners.values())))
        return part

    def _narrowed(self, view: View, answers: Sequence[Answer], owners: Mapping[str, _Owner]) -> Part:
        """The rows say whose they are, and each is shown as its own subject's mask allows, or not at all. That person's
        other parts then hang on it."""
        shape = view.shape

        def own(row: Row) -> Shape:
            owner = owners.get(row.links.get("idNo") or "")
            return shape if owner is None else self._shape_for(shape.noun.name, owner)

        answers = without(answers, lambda row: self._is_hidden(row, shape, owners))
        answers, withheld = narrow(answers, shape, own)
        part = build_part(view, answers)
        if withheld and not part.records:
            return withheld_part(shape)
        for record in part.records:
            owner = owners.get(record.row.links.get("idNo") or "")
            if owner is not None:
                record.belongs_to(owner.subject, owner.id_no, self._shape_for(shape.noun.name, owner))
                self.met.turned_up([owner.subject])
        return part

    def _reach(self, noun: str, by: tuple[str, ...], mask: Mask) -> Reach:
        place = noun, by, mask
        reach = self._reaches.get(place)
        if reach is None:
            shape = self._shape(noun, mask)
            # One who must look unknown is asked for like one who is: the same calls, the same shape.
            shown = self._shape(noun, self._mask) if shape.absent else shape
            group = self._loader.group(noun, by, shown.fetched) if shown.open else None
            reach = self._reaches[place] = Reach(shown, mask, group, self._now, self._disputed, absent=shape.absent)
        return reach

    def _shape_for(self, noun: str, owner: _Owner) -> Shape:
        return self._shape(noun, self.met.mask_of(owner.subject))

    def _shape(self, noun: str, mask: Mask) -> Shape:
        shapes: dict[_Asked, Shape] = mask.worked_out
        place = (noun, self._asked.get(noun, _NONE), self._implied.get(noun, _NONE))
        shape = shapes.get(place)
        spec = self._snapshot.schema.nouns[noun]
        if shape is None or shape.noun is not spec:  # a reload may give a noun of the same name other fields
            if len(shapes) >= _MOST_SHAPES:  # a field or its raw word or both: one mask, many ways to ask
                shapes.clear()
            shape = shapes[place] = shape_of(spec, place[1], mask.effects.get(noun, {}), place[2])
        return shape

    def _count(self, noun: str, parts: Sequence[Part]) -> None:
        counted = self.states_by_noun
        if isinstance(parts, FreshParts):
            counted[noun, FRESH] = counted.get((noun, FRESH), 0) + len(parts.rows)
            return
        states = [part.state for part in parts]
        for state in dict.fromkeys(states):
            counted[noun, state] = counted.get((noun, state), 0) + states.count(state)


def _well_formed(keys: Sequence[tuple[str, str]]) -> tuple[list[tuple[str, str]], list[tuple[int, BadInput]]]:
    """Normalised numbers and names; what is wrong with the others, and in which place."""
    names = list(map(str.strip, map(_SECOND, keys)))
    numbers: list[Any] = list(map(normalise_id, map(_FIRST, keys)))
    if (
        all(numbers)
        and all(map(_CHECKSUM_OK, numbers))
        and all(names)
        and len(max(names, key=len, default="")) <= _NAME_LENGTH
    ):
        return list(zip(map(_VALUE18, numbers), names, strict=True)), []  # as nearly all questions are
    good: list[tuple[str, str]] = []
    faults: list[tuple[int, BadInput]] = []
    for place, (number, name) in enumerate(zip(numbers, names, strict=True)):
        if number is None or not number.checksum_ok:
            faults.append((place, BadInput("BAD_ID")))
        elif not 0 < len(name) <= _NAME_LENGTH:
            faults.append((place, BadInput("BAD_NAME")))
        else:
            good.append((number.value18, name))
    return good, faults


def _placed(size: int, lots: Sequence[Lot], made: Sequence[Sequence[Part]]) -> Sequence[Part]:
    """The parts of several lots, each in its place in the level."""
    placed = {
        place: part for lot, own in zip(lots, made, strict=True) for place, part in zip(lot.places, own, strict=True)
    }
    return [placed[place] for place in range(size)]
