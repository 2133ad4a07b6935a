"""Canonical questions into raw ones, raw rows into canonical ones; only what was asked for leaves."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import TypeAlias, cast

from adapters.clock import Now
from adapters.errors import Reason, SourceUnavailable
from adapters.identity import (
    IdNumber,
    are_sure_ids,
    fold_name,
    is_plain_name,
    is_readable,
    normalise_id,
    standard_name,
)
from adapters.kind import ReadsWhole, spec_of
from adapters.manifest import AnswerSpec, SourceManifest
from adapters.matching import Asked, Unmatchable
from adapters.prompt import Begun, PromptWhole, TakenUp
from adapters.row_mapper import RowMapper
from adapters.source import Absent, Answer, Failed, Found, FoundDraft, Key, Lookup, Match, Quality, Row, Source
from adapters.whole_source import Whole

_MAPPERS = 256  # compiled (noun, by, fields) sets a source keeps
_TWINS = 16  # rows of one record id a row is compared with; a bound on what a broken id column can cost
_SLICE = 500  # rows mapped before other work gets its turn

_ALL_FAILED = {Failed}
_Slot: TypeAlias = tuple[str, tuple[str, ...], frozenset[str]]


class Mapped:
    """A kind's `Source` in canonical words.

    Asks the kind for the raw fields that the asked ones need, and for record id, date, subject and links; asks for no
    key twice and for none that is empty. Rows about someone else are dropped; rows that only may be about the person
    leave as REVIEW without any value. A row that cannot be read makes the answer incomplete (GARBAGE), so that it is
    never silently missing. `<field>Raw` is a field like any other: the department's own text for `<field>`.
    """

    def __init__(self, manifest: SourceManifest, source: Source, *, now: Now) -> None:
        self._manifest, self._source, self._now = manifest, source, now
        self._mappers: OrderedDict[_Slot, RowMapper] = OrderedDict()
        self._whole = source if isinstance(source, ReadsWhole) else None
        self._prompt = source if isinstance(source, PromptWhole) else None

    async def fetch(self, lookup: Lookup, *, timeout_s: float) -> Sequence[Answer]:
        """As the port says. Raises ValueError for a noun or key this source does not answer: a caller's mistake."""
        if not lookup.keys:
            return []
        mapper = self._mapper(lookup)
        answers: Sequence[Answer] | None = None
        if self._whole is not None and (whole := _whole(mapper, lookup)) is not None:
            answers, done = await self._whole.fetch_whole(lookup, whole, timeout_s=timeout_s)
            if done:
                return answers
        return await self._each(lookup, mapper, answers, timeout_s)

    def begin(self, lookup: Lookup, *, timeout_s: float, told: TakenUp) -> Begun | None:
        """As `fetch`, for a batch that is read as a whole; see `adapters.prompt`."""
        if self._prompt is None or not lookup.keys:
            return None
        mapper = self._mapper(lookup)
        whole = _whole(mapper, lookup)
        if whole is None:
            return None
        return self._prompt.begin_whole(
            lookup, whole, timeout_s=timeout_s, told=partial(self._told, lookup, mapper, timeout_s, told)
        )

    def _told(
        self,
        lookup: Lookup,
        mapper: RowMapper,
        timeout_s: float,
        told: TakenUp,
        answers: Sequence[Answer] | Exception | None,
        done: bool,
    ) -> None:
        if done or answers is None:
            told(answers, None)  # type: ignore[arg-type]  # what is done is no exception
        elif isinstance(answers, Exception):
            told(None, _raised(answers))
        elif set(map(type, answers)) == _ALL_FAILED:
            told(answers, None)
        else:
            told(None, self._each(lookup, mapper, answers, timeout_s))

    async def _each(
        self, lookup: Lookup, mapper: RowMapper, answers: Sequence[Answer] | None, timeout_s: float
    ) -> Sequence[Answer]:
        """Key by key; `answers` are the raw ones to all keys, where they are there already."""
        keys, numbers, plain = _normalised(lookup.by, lookup.keys)
        number_of = dict(zip(keys, numbers, strict=True))  # each distinct key and its ID number
        unique = tuple([key for key in number_of if any(key)])
        answered: dict[Key, Answer] = {}
        if unique:
            if answers is None:
                raw = Lookup(lookup.noun, lookup.by, unique, mapper.raw_fields, lookup.page, lookup.onward)
                answers = await self._source.fetch(raw, timeout_s=timeout_s)
            if len(answers) != len(unique):
                detail = f"{len(answers)} answers to {len(unique)} keys"
                raise SourceUnavailable(self._manifest.code, Reason.GARBAGE, detail)
            if lookup.page is None:
                answered = _clear_ones(mapper, unique, answers, number_of, plain)
            if len(answered) < len(unique):
                for key, answer in zip(unique, answers, strict=True):
                    if key not in answered:
                        paged = lookup.page is not None
                        answered[key] = await self._mapped(mapper, key, number_of[key], answer, paged=paged)
        nothing_asked = Failed(Reason.KEY_MISSING)
        return [answered.get(key, nothing_asked) for key in keys]

    async def close(self) -> None:
        await self._source.close()

    def stale_after_s(self, noun: str, by: tuple[str, ...]) -> float | None:
        """The age at which this source's answers count as stale; None = they never do."""
        return spec_of(self._manifest, Lookup(noun, by, (), frozenset())).stale_after_s

    def _mapper(self, lookup: Lookup) -> RowMapper:
        slot = (lookup.noun, lookup.by, lookup.fields)
        mapper = self._mappers.get(slot)
        if mapper is None:
            mapper = self._mappers[slot] = RowMapper(spec_of(self._manifest, lookup), lookup.fields)
            if len(self._mappers) > _MAPPERS:
                self._mappers.popitem(last=False)
        else:
            self._mappers.move_to_end(slot)
        return mapper

    async def _mapped(
        self, mapper: RowMapper, key: Key, number: IdNumber | None, answer: Answer, *, paged: bool
    ) -> Answer:
        if isinstance(answer, Failed):
            return answer
        fetched_at = answer.fetched_at or self._now()
        as_of = _as_of(answer.as_of, fetched_at, mapper.spec)
        if isinstance(answer, Absent):
            return Absent(as_of, fetched_at, answer.receipt)
        asked = Asked.of(mapper.spec.by, key, number)
        rows: list[Row] = []
        incomplete = answer.incomplete
        none_as_of = None if answer.none_as_of is None else _as_of(answer.none_as_of, fetched_at, mapper.spec)
        for position, raw in enumerate(answer.rows):
            if position and position % _SLICE == 0:
                await asyncio.sleep(0)
            try:
                row = mapper(raw, asked, as_of, fetched_at)
            except Unmatchable:
                incomplete = incomplete or Reason.GARBAGE
            except Exception:  # whatever is wrong with one row, it is the department's and stays with that row
                incomplete = incomplete or Reason.GARBAGE
            else:
                if row is not None:
                    rows.append(row)
        if not rows and incomplete is None:
            return Absent(none_as_of or as_of, fetched_at, answer.receipt)  # all it has is about other people
        if paged:  # in the order its cursor counts in, and as many as came: the asker tells by it whether more follow
            return Found(tuple(rows), as_of, fetched_at, incomplete or _ambiguous(rows), none_as_of, answer.receipt)
        single = _without_doubles(rows, by_record_id=bool(mapper.spec.record_id))
        single.sort(key=lambda row: row.record_id)
        return Found(tuple(single), as_of, fetched_at, incomplete, none_as_of, answer.receipt)


async def _raised(error: Exception) -> Sequence[Answer]:
    try:
        raise error
    finally:
        del error  # which knows this place: a circle, and all who are asked about in it


def _whole(mapper: RowMapper, lookup: Lookup) -> Whole | None:
    """For keys that need no normalising, each another certain person's; None where a single one is otherwise."""
    batch = mapper.whole
    if batch is None or lookup.page is not None:
        return None
    known = _certain(lookup.keys, len(lookup.by), mapper.id_at, mapper.name_at)
    return None if known is None else Whole(batch, mapper.lag, *known, mapper.id_no, mapper.raw_fields)


_Known: TypeAlias = tuple[Mapping[str, int], Sequence[str | None]] | None
_at_hand: dict[tuple[tuple[Key, ...], int, int, int], _Known] = {}
"""A level asks several departments about the same persons, one after the other in one turn of the event loop: what was found
of their keys holds for all of them, and is gone with that turn. No person's number or name stays behind."""


def _certain(keys: tuple[Key, ...], parts: int, id_at: int, name_at: int) -> _Known:
    """The place of each ID number, and the names; None where a key is not a certain person's."""
    place = keys, parts, id_at, name_at
    try:
        return _at_hand[place]
    except KeyError:
        asyncio.get_running_loop().call_soon(_at_hand.clear)
        found = _at_hand[place] = _looked_at(*place)
        return found


def _looked_at(keys: tuple[Key, ...], parts: int, id_at: int, name_at: int) -> _Known:
    if set(map(len, keys)) != {parts}:
        return None
    columns = tuple(zip(*keys, strict=True))
    id_numbers, names = columns[id_at], columns[name_at] if name_at >= 0 else ()
    places = dict(zip(id_numbers, range(len(keys)), strict=True))
    if len(places) != len(keys) or not are_sure_ids(id_numbers):
        return None
    if name_at >= 0 and not (all(names) and is_plain_name("".join(names))):
        return None
    return places, names


def _clear_ones(
    mapper: RowMapper,
    keys: Sequence[Key],
    answers: Sequence[Answer],
    number_of: Mapping[Key, IdNumber | None],
    plain: bool,
) -> dict[Key, Answer]:
    """The common answers of a batch, mapped at once: one row that names the very person of a certain key, letter by letter.

    Whatever takes further thought is left to the long way. `plain`: every name of the batch is surely readable.
    """
    clear: dict[Key, Answer] = {}
    by, sure, anybody = mapper.spec.by, mapper.sure, mapper.by_nothing
    id_at = by.index("idNo") if mapper.by_id else -1
    name_at = by.index("name") if mapper.by_name else -1
    if id_at < 0 and not anybody:
        return clear
    stated: datetime | None = None
    fetched_at: datetime | None = None
    id_no = name = None
    for key, answer in zip(keys, answers, strict=True):
        if type(answer) is not Found or len(answer.rows) != 1 or answer.incomplete is not None:
            continue
        if not anybody:
            number = number_of[key]
            if number is None or not number.checksum_ok or not number.date_ok:
                continue
            id_no = key[id_at]
            if name_at >= 0:
                name = key[name_at]
                if not plain and (name is None or not is_readable(fold_name(name))):
                    continue
        if answer.fetched_at is None:
            continue
        if answer.fetched_at is not fetched_at or answer.as_of is not stated:  # a batch's share their times, mostly
            fetched_at, stated = answer.fetched_at, answer.as_of
            as_of = _as_of(stated, fetched_at, mapper.spec)
        raw = answer.rows[0]
        try:
            row = sure(
                raw.values, id_no, name, as_of if raw.as_of is None else mapper.when(raw, as_of), fetched_at, raw.origin
            )
        except Exception:  # noqa: S112  (the long way meets it again, and says what it means)
            continue
        if row is None:
            continue
        none_as_of = None if answer.none_as_of is None else _as_of(answer.none_as_of, fetched_at, mapper.spec)
        one = FoundDraft((row,), as_of, fetched_at, None, none_as_of, answer.receipt)
        one.__class__ = Found
        clear[key] = one  # type: ignore[assignment]  # a Found since the line above
    return clear


def _normalised(by: tuple[str, ...], keys: Sequence[Key]) -> tuple[Sequence[Key], Sequence[IdNumber | None], bool]:
    """The keys as every kind gets them: IDs in their 18-character form, names in their standard spelling, blank parts
    as None. With each key's ID number, and whether all names are plain ones."""
    if set(map(len, keys)) != {len(by)}:
        wrong = next(len(key) for key in keys if len(key) != len(by))
        raise ValueError(f"a key has {wrong} parts, its names are {', '.join(by)}")
    numbers: Sequence[IdNumber | None] = [None] * len(keys)
    plain = False
    columns: list[Sequence[str | None]] = []
    for name, column in zip(by, zip(*keys, strict=True), strict=True):
        if name == "idNo":
            numbers = [normalise_id(value) for value in column]
            pairs = zip(numbers, column, strict=True)
            columns.append([number.value18 if number is not None else _said(value) for number, value in pairs])
        elif name != "name":
            columns.append([_said(value) for value in column])
        elif all(column) and is_plain_name("".join(cast(tuple[str, ...], column))):
            columns.append(column)
            plain = True
        else:
            columns.append(
                [None if _said(value) is None else standard_name(cast(str, value)) or None for value in column]
            )
    return list(zip(*columns, strict=True)), numbers, plain


def _said(value: str | None) -> str | None:
    return None if value is None or not value.strip() else value


def _as_of(stated: datetime | None, fetched_at: datetime, spec: AnswerSpec) -> datetime:
    return (stated or fetched_at) - timedelta(days=spec.lag_days)


def _ambiguous(rows: list[Row]) -> Reason | None:
    """INCOMPLETE where different rows of a page share a record id: the next page begins after the id, not after the row."""
    shared = any(one.record_id == other.record_id and not _same(one, other) for one, other in pairwise(rows))
    return Reason.INCOMPLETE if shared else None


def _without_doubles(rows: list[Row], *, by_record_id: bool) -> list[Row]:
    """Rows that say the same under the same record id become one, flagged DUPLICATE; without ids all rows stand."""
    if not by_record_id or len(rows) < 2:
        return rows
    kept: dict[str, list[int]] = {}
    single: list[Row] = []
    for row in rows:
        places = kept.setdefault(row.record_id, [])
        twin = next((place for place in places[-_TWINS:] if _same(single[place], row)), None)
        if twin is None or (not row.record_id and row.match is Match.AUTO):
            places.append(len(single))
            single.append(row)
        elif ("", Quality.DUPLICATE) not in single[twin].quality:
            single[twin] = _flagged(single[twin])
    return single


def _same(one: Row, other: Row) -> bool:
    return (
        one.values == other.values
        and one.match is other.match
        and one.links == other.links
        and one.review_hint == other.review_hint
        and one.origin == other.origin
    )


def _flagged(row: Row) -> Row:
    quality = (*row.quality, ("", Quality.DUPLICATE))
    return Row(row.values, row.record_id, row.as_of, row.match, quality, row.links, row.review_hint, row.origin)
