"""From the sources' answers for one key to one part: state, records, best, conflicts, review. Pure.

The rule above all others: what is not known is never shown as "there is none". A part knows its state from the first;
everything else is worked out by whoever reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import repeat
from operator import attrgetter, is_, itemgetter
from typing import Any, overload

from adapters.source import Answer, Found, Match, Quality, Row
from gateway.federation.answers import (
    FRESH,
    NOT_FOUND,
    PARTIAL,
    STALE,
    UNAVAILABLE,
    WITHHELD,
    SourceAnswer,
    source_state,
    sure_rows,
)
from gateway.federation.catalog import Offer
from gateway.federation.conflicts import find_conflicts, leading_record
from gateway.federation.records import Doubt, Record, doubts_in
from gateway.federation.shapes import Shape
from gateway.federation.view import View

PART = {
    "state": "state",
    "source": "source",
    "asOf": "as_of",
    "fetchedAt": "fetched_at",
    "reason": "reason",
    "retryAt": "retry_at",
    "quality": "quality",
    "withheld": "withheld",
    "sources": "sources",
    "records": "records",
    "best": "best",
    "conflicts": "conflicts",
    "review": "review",
}
"""Field every part type has -> attribute of the class below."""
_GETTERS = {name: attrgetter(attribute) for name, attribute in PART.items()}
_NEVER = datetime.min.replace(tzinfo=UTC)
_FIRST = itemgetter(0)
_ROWS, _INCOMPLETE, _MATCH = attrgetter("rows"), attrgetter("incomplete"), attrgetter("match")
_FOUND, _ONE, _NONE = {Found}, {1}, {None}


class Part:
    """The part for one key; `answers` run parallel to the view's offers, most authoritative first."""

    __slots__ = ("_answers", "_records", "_sources", "_subject", "_view", "state")

    state: str

    def __init__(self, view: View, answers: Sequence[Answer], subject: str | None) -> None:
        """`answers` are those this reader may know of. Who makes a part sets its state: see `build_part`."""
        self._view = view
        self._answers = answers
        self._subject = subject

    @property
    def rows(self) -> Sequence[Row | Record]:
        """Whatever has the `values` a reader may see, a record each: the sources' own rows where nothing is kept back."""
        if not self._view.plain:
            return self.records
        return [row for answer in self._answers if isinstance(answer, Found) for row in sure_rows(answer.rows)]

    @property
    def records(self) -> Sequence[Record]:
        try:
            return self._records
        except AttributeError:  # read for the first time
            pass
        view, subject = self._view, self._subject
        self._records: Sequence[Record] = [
            Record(view, offer, answer, row, subject)
            for offer, answer in zip(view.offers, self._answers, strict=True)
            if isinstance(answer, Found)
            for row in sure_rows(answer.rows)
        ]
        return self._records

    @property
    def best(self) -> Record | None:
        """The leading record of the most authoritative source that has one."""
        records = self.records
        if len(records) < 2:
            return records[0] if records else None
        first = records[0].told_by
        return leading_record(self._view.shape.noun, [record for record in records if record.told_by == first])

    @property
    def sources(self) -> Sequence[SourceAnswer]:
        """What each source answered."""
        try:
            return self._sources
        except AttributeError:  # read for the first time
            pass
        view = self._view
        self._sources: Sequence[SourceAnswer] = [
            SourceAnswer(offer, answer, view.now) for offer, answer in zip(view.offers, self._answers, strict=True)
        ]
        return self._sources

    @property
    def source(self) -> str | None:
        speaking = self._speaking
        return None if speaking is None else speaking.source

    @property
    def as_of(self) -> datetime | None:
        speaking = self._speaking
        return None if speaking is None else speaking.as_of

    @property
    def fetched_at(self) -> datetime | None:
        return max((one.fetched_at for one in self.sources if one.fetched_at is not None), default=None)

    @property
    def reason(self) -> str | None:
        doubtful = self._doubtful
        return None if doubtful is None else doubtful.reason

    @property
    def retry_at(self) -> datetime | None:
        doubtful = self._doubtful
        return None if doubtful is None else doubtful.retry_at

    @property
    def _speaking(self) -> SourceAnswer | None:
        """The source that leads, or else the first that says there is none."""
        for one, answer in zip(self.sources, self._answers, strict=True):
            if isinstance(answer, Found) and sure_rows(answer.rows):
                return one
        return next((one for one in self.sources if one.state in (STALE, NOT_FOUND)), None)

    @property
    def _doubtful(self) -> SourceAnswer | None:
        """The source that is silent, or else the first of which something is missing."""
        partial = None
        for one in self.sources:
            if one.state == UNAVAILABLE:
                return one
            if partial is None and one.state == PARTIAL:
                partial = one
        return partial

    @property
    def conflicts(self) -> Sequence[dict[str, Any]]:
        if len(self._view.offers) < 2:
            return []
        by_source: list[tuple[Offer, list[Record]]] = []
        for offer in self._view.offers:
            if own := [record for record in self.records if record.told_by == offer.code]:
                by_source.append((offer, own))
        return find_conflicts(self._view.shape.noun, by_source) if len(by_source) > 1 else []

    @property
    def quality(self) -> Sequence[Doubt]:
        best = self.best
        found: list[Doubt] = [] if best is None else list(best.stated())
        if len(self._view.offers) > 1:
            found += [{"field": one["field"], "flag": Quality.CONFLICT.value} for one in self.conflicts]
            if any(one.state == UNAVAILABLE for one in self.sources):
                found.append({"field": None, "flag": Quality.SOURCE_SILENT.value})
        return found if best is None else [*found, *best.disputed()]

    @property
    def withheld(self) -> tuple[str, ...]:
        return self._view.shape.withheld

    @property
    def review(self) -> Sequence[dict[str, Any]]:
        return [
            {"source": offer.code, "nameMasked": row.review_hint or None, "quality": doubts_in(row)}
            for offer, answer in zip(self._view.offers, self._answers, strict=True)
            if isinstance(answer, Found)
            for row in answer.rows
            if row.match is Match.REVIEW
        ]

    def get(self, name: str) -> Any:
        """A field as GraphQL names it."""
        getter = _GETTERS.get(name)
        return None if getter is None else getter(self)

    def __getitem__(self, name: str) -> Any:
        return _GETTERS[name](self)


class FreshPart(Part):
    """Of one source that never grows old and answered with one record, surely theirs: what most parts are."""

    __slots__ = ()

    state = FRESH
    _answers: tuple[Found]

    @property
    def rows(self) -> Sequence[Row | Record]:
        return self._answers[0].rows if self._view.plain else self.records


class FreshParts(Sequence[Part]):
    """Fresh parts of which all may be shown as it is. Compiled code reads `rows` and `state` and makes no part; whoever
    else looks finds the parts, each the same one whenever looked at."""

    __slots__ = ("_answered", "_parts", "_subjects", "_view", "rows")

    state = FRESH
    rows: Sequence[Row]  # the one record of each, in order

    def __init__(
        self, view: View, answered: Sequence[Sequence[Answer]], subjects: Sequence[str | None], rows: Sequence[Row]
    ) -> None:
        self._view, self._answered, self._subjects, self.rows = view, answered, subjects, rows
        self._parts: list[Part] | None = None

    def _made(self) -> list[Part]:
        if self._parts is None:
            self._parts = _fresh(self._view, self._answered, self._subjects)
        return self._parts

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Part]:
        return iter(self._made())

    @overload
    def __getitem__(self, place: int) -> Part: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Part]: ...
    def __getitem__(self, place: int | slice) -> Part | Sequence[Part]:
        return self._made()[place]


class EmptyPart(Part):
    """A part of which no source was asked."""

    __slots__ = ("_reason",)

    def __init__(self, shape: Shape, state: str, reason: str | None) -> None:
        super().__init__(View(shape, (), _NEVER), (), None)
        self.state, self._reason = state, reason

    @property
    def reason(self) -> str | None:
        return self._reason


def build_part(view: View, answers: Sequence[Answer], subject: str | None = None) -> Part:
    """The part of these answers, in the state they leave it in."""
    part = Part(view, answers, subject)
    part.state = part_state(view, answers)
    return part


def build_parts(view: View, answered: Sequence[Sequence[Answer]], subjects: Sequence[str | None]) -> Sequence[Part]:
    """`build_part` for each of `subjects`. Mostly one source found one sure record of each, which is looked at for all at
    once."""
    offers = view.offers
    if len(offers) != 1 or offers[0].stale_after is not None:
        return [build_part(view, answers, subject) for answers, subject in zip(answered, subjects, strict=True)]
    rows = _one_each(answered)
    if rows is None:
        return [_built(view, answers, subject) for answers, subject in zip(answered, subjects, strict=True)]
    return FreshParts(view, answered, subjects, rows) if view.plain else _fresh(view, answered, subjects)


def _one_each(answered: Sequence[Sequence[Answer]]) -> Sequence[Row] | None:
    """The records, where each first answer is of one sure record and complete."""
    answers: list[Any] = list(map(_FIRST, answered))
    if set(map(type, answers)) != _FOUND or set(map(_INCOMPLETE, answers)) != _NONE:
        return None
    rows = list(map(_ROWS, answers))
    if set(map(len, rows)) != _ONE:
        return None
    found: list[Row] = list(map(_FIRST, rows))
    return found if all(map(is_, map(_MATCH, found), repeat(Match.AUTO))) else None


def _fresh(view: View, answered: Sequence[Sequence[Answer]], subjects: Sequence[str | None]) -> list[Part]:
    return [FreshPart(view, answers, subject) for answers, subject in zip(answered, subjects, strict=True)]


def _built(view: View, answers: Sequence[Answer], subject: str | None) -> Part:
    answer = answers[0]
    if (
        type(answer) is Found
        and len(rows := answer.rows) == 1
        and rows[0].match is Match.AUTO
        and answer.incomplete is None
    ):
        return FreshPart(view, answers, subject)
    return build_part(view, answers, subject)


def withheld_part(shape: Shape) -> Part:
    """Nothing of what was asked is allowed; no source was asked."""
    return EmptyPart(shape, WITHHELD, None)


def no_source_part(shape: Shape) -> Part:
    """No connected source answers this noun by this key."""
    return EmptyPart(shape, UNAVAILABLE, "NO_SOURCE")


def part_state(view: View, answers: Sequence[Answer]) -> str:
    """The part's own state from its sources' states."""
    offers, now = view.offers, view.now
    if len(offers) == 1:
        return source_state(offers[0], answers[0], now)  # of one source the part says what it says
    leading: str | None = None
    silent = partial = stale = in_review = False
    for offer, answer in zip(offers, answers, strict=True):
        state = source_state(offer, answer, now)
        silent |= state == UNAVAILABLE
        partial |= state == PARTIAL
        stale |= state == STALE
        if isinstance(answer, Found):
            sure = sure_rows(answer.rows)
            in_review |= len(sure) < len(answer.rows)
            if sure and leading is None:
                leading = state
    if leading is not None:
        return PARTIAL if silent or partial else leading
    if silent and not in_review:
        return UNAVAILABLE
    if partial or in_review:
        return PARTIAL
    return STALE if stale else NOT_FOUND
