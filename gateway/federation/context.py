"""One operation's `QueryContext`: who is asking, under which mask, until when."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias
from weakref import WeakKeyDictionary

from adapters.identity import normalise_id
from adapters.source import Answer, Found, Page
from gateway.caller import Subjects
from gateway.federation.catalog import Offer, Snapshot
from gateway.federation.describe import catalogue_entries, purpose_entries
from gateway.federation.loaders import Asked, Loader
from gateway.federation.narrowing import as_if_absent, narrow
from gateway.federation.parts import Data, Shape, build_part, no_source_part, shape_of, withheld_part
from gateway.policy.decision import Mask, Policy, Question
from schema.errors import BadInput
from schema.wiring import LINKS

SUBJECT = "_subject"
_Shapes: TypeAlias = dict[tuple[str, frozenset[str], frozenset[str]], Shape]
# A policy gives equal questions the same mask, so what follows from a mask is worked out once and goes with it.
_SHAPES: WeakKeyDictionary[Mask, _Shapes] = WeakKeyDictionary()
_MOST_SHAPES = 64
_NAME_LENGTH = 100


@dataclass(frozen=True, slots=True)
class _Begun:
    """A part on its way: what it may show, the answers to come, whose it is, and whether they must look unknown."""

    shape: Shape
    asked: asyncio.Future[Asked] | None
    subject: str | None
    absent: bool


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
    ) -> None:
        self._snapshot = snapshot
        self._policy = policy
        self._question = question
        self._mask = mask
        self._subjects = subjects
        self._batch_persons = batch_persons
        self._now = now
        self._asked = question.selected if question is not None else {}
        self._implied = question.implied if question is not None else {}
        self._shapes: dict[Mask, _Shapes] = {}
        self._subject_masks: dict[str, Mask] = {}
        self._loader = Loader(snapshot, deadline)
        self._persons = 0
        self.states_by_noun: dict[tuple[str, str], int] = {}

    @property
    def subject_ids(self) -> Sequence[str]:
        """Everyone this operation was about, in the order met."""
        return tuple(self._subject_masks)

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

    def close(self) -> None:
        self._loader.close()

    async def people(self, keys: Sequence[tuple[str, str]]) -> Sequence[Data | Exception]:
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
        found = iter(await self._meet(good))
        answer: list[Data | Exception] = []
        for number, fault, (_, name) in zip(numbers, faults, keys, strict=True):
            if fault is not None or number is None:
                answer.append(fault or BadInput("BAD_ID"))
                continue
            subject = next(found)
            links = {"idNo": number.value18, "name": name.strip(), SUBJECT: subject}
            answer.append({"pid": self._pid(subject), LINKS: links})
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
        shape = self._shape(noun, subject)
        # One who must look unknown is asked for like one who is: the same calls, the same shape.
        shown = self._shape(noun, None) if shape.absent else shape
        if not shown.open or any(not links.get(name) for name in by):
            return _Begun(shown, None, subject, False)
        return _Begun(shown, self._loader.load(noun, by, links, shown.shown), subject, shape.absent)

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
            part = build_part(shape, offers, answers, self._now)
            for record in part["records"]:
                record[LINKS] = {**record[LINKS], SUBJECT: begun.subject}
            return self._count(noun, part)
        return self._count(noun, await self._of_whom_it_concerns(shape, offers, answers))

    async def page(
        self, noun: str, by: tuple[str, ...], links: Mapping[str, str | None], first: int, after: str | None
    ) -> Data:
        shape = self._shape(noun, None)
        if not shape.open:
            return self._count(noun, _connection(withheld_part(shape), first, after))
        key = tuple(links.get(name) for name in by)
        # One more than asked for tells whether there is a next page, without counting what is there.
        offers, answers = await self._loader.page(noun, by, key, Page(first + 1, _read_cursor(after)), shape.shown)
        if not offers:
            return self._count(noun, _connection(no_source_part(shape), first, after))
        more = any(isinstance(answer, Found) and len(answer.rows) > first for answer in answers)
        # Evidence names whom the page shows, not the one after it.
        shown = [
            replace(answer, rows=answer.rows[:first]) if isinstance(answer, Found) else answer for answer in answers
        ]
        ends_at = next((answer.rows[-1].record_id for answer in shown if isinstance(answer, Found) and answer.rows), "")
        part = await self._of_whom_it_concerns(shape, offers, shown)
        if isinstance(answers[0], Found) and answers[0].incomplete is not None:
            part["state"] = "PARTIAL"
        return self._count(noun, _connection(part, first, after, more=more, ends_at=ends_at))

    def catalogue(self) -> Sequence[Data]:
        return catalogue_entries(self._snapshot)

    def purposes(self) -> Sequence[Data]:
        return purpose_entries(self._snapshot.purposes)

    def source_health(self) -> AsyncIterator[Data]:
        return self._snapshot.watch.listen()

    async def _meet(self, id_numbers: Sequence[str]) -> Sequence[str]:
        """Subject ids, and for those newly met the mask that holds for them: one question a level."""
        if not id_numbers:
            return ()
        subjects = await self._subjects.intern(id_numbers)
        new = [subject for subject in dict.fromkeys(subjects) if subject not in self._subject_masks]
        if new and self._question is not None:
            masks = await self._policy.decide_subjects(self._question, self._mask, new)
            self._subject_masks.update(zip(new, masks, strict=True))
        return subjects

    async def _of_whom_it_concerns(self, shape: Shape, offers: Sequence[Offer], answers: Sequence[Answer]) -> Data:
        """The part of answers that were asked for without a person: the rows say whose they are, and each is shown as
        its own subject's mask allows. That person's other parts then hang on it."""
        numbers = {
            id_no: number
            for answer in answers
            if isinstance(answer, Found)
            for row in answer.rows
            if (id_no := row.links.get("idNo")) and (number := normalise_id(id_no)) is not None
        }
        met = await self._meet([number.value18 for number in numbers.values()])
        subjects = dict(zip(numbers, met, strict=True))
        withheld = False
        if any(self._subject_masks.get(subject, self._mask) is not self._mask for subject in met):
            noun = shape.noun.name
            answers, withheld = narrow(
                answers, shape, lambda row: self._shape(noun, subjects.get(row.links.get("idNo") or ""))
            )
        part = build_part(shape, offers, answers, self._now)
        if withheld and not part["records"]:
            return withheld_part(shape)
        for record in part["records"]:
            id_no = record[LINKS].get("idNo") or ""
            if id_no in subjects:
                record[LINKS] = {**record[LINKS], "idNo": numbers[id_no].value18, SUBJECT: subjects[id_no]}
        return part

    def _shape(self, noun: str, subject: str | None) -> Shape:
        mask = self._subject_masks.get(subject, self._mask) if subject is not None else self._mask
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

    def _pid(self, subject: str) -> str:
        return self._subjects.pid(subject, self._question.caller.org_id) if self._question is not None else ""

    def _count(self, noun: str, part: Data) -> Data:
        place = (noun, part["state"])
        self.states_by_noun[place] = self.states_by_noun.get(place, 0) + 1
        return part


def _connection(part: Data, first: int, after: str | None, *, more: bool = False, ends_at: str = "") -> Data:
    """`more` and `ends_at` (the last record id the source gave for this page) do not depend on what the mask left."""
    records = part["records"]
    edges = [{"cursor": _cursor(record["sourceRecordId"] or ""), "node": record} for record in records]
    return {
        "edges": edges,
        "nodes": records,
        "state": part["state"],
        "reason": part["reason"],
        "retryAt": part["retryAt"],
        "pageInfo": {
            "hasNextPage": more,
            "hasPreviousPage": after is not None,
            "startCursor": edges[0]["cursor"] if edges else None,
            "endCursor": _cursor(ends_at) if ends_at else None,
        },
    }


def _cursor(record_id: str) -> str:
    return base64.urlsafe_b64encode(b"1:" + record_id.encode()).decode().rstrip("=")


def _read_cursor(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor[:400] + "=" * (-len(cursor[:400]) % 4)).decode()
    except (binascii.Error, ValueError):
        raise BadInput("BAD_CURSOR") from None
    version, _, record_id = text.partition(":")
    if version != "1" or not record_id:
        raise BadInput("BAD_CURSOR")
    return record_id
