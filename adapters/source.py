"""The port `Source`: a batch lookup that can say "found", "no record" and "not known" per key.

The three are different types on purpose: an outage can not be mistaken for an absence.
Two sisters have their place in `adapters/feed.py` (what departments push to us) and
`adapters/sink.py` (what we write to them); a `Source` only reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol, TypeAlias, cast

from adapters.errors import Reason
from adapters.onward import Onward, UpstreamReceipt

Value: TypeAlias = str | int | float | bool | date | datetime | Sequence["Value"] | Mapping[str, "Value"] | None
"""Plain values only. `datetime` is aware UTC; `date` is a civil date of Asia/Shanghai."""

Key: TypeAlias = tuple[str | None, ...]
"""One value per name in `Lookup.by`; None where the asker does not know that part."""


MINOR = "minorAtOffence"
"""The one canonical field that decides whether a record may be seen at all."""


class Quality(StrEnum):
    """Doubts that travel with a value (domain-brief, section 4b)."""

    NAME_VARIANT = "NAME_VARIANT"
    ID_15 = "ID_15"
    ID_CHECKSUM_BAD = "ID_CHECKSUM_BAD"
    CODE_UNMAPPED = "CODE_UNMAPPED"
    DATE_GUESSED = "DATE_GUESSED"
    DATE_BAD = "DATE_BAD"
    ADDRESS_UNPARSED = "ADDRESS_UNPARSED"
    ENCODING_REPAIRED = "ENCODING_REPAIRED"
    STALE = "STALE"
    CONFLICT = "CONFLICT"
    DUPLICATE = "DUPLICATE"
    SOURCE_SILENT = "SOURCE_SILENT"
    DISPUTED = "DISPUTED"


class Match(StrEnum):
    """How surely a row belongs to the person asked for."""

    AUTO = "AUTO"  # same normalised ID and same folded name, or a key that is not a person's
    REVIEW = "REVIEW"  # same ID, other name; or same name without ID: a human decides, nothing is linked


@dataclass(frozen=True, slots=True)
class Page:
    """Keyset paging through the rows of one key: rows with `record_id` > `after`, at most `first`."""

    first: int
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Lookup:
    """One question to one source: these keys of this noun, these fields and no others.

    `by` names the key parts in order (canonical names, say `("idNo", "name")`); each key has one value per part.
    `fields` are canonical field names; a source returns no other. `page` is honoured by sources that page.
    `onward` goes to sources that are gateways themselves; questions that differ in it are different questions.
    """

    noun: str
    by: tuple[str, ...]
    keys: tuple[Key, ...]
    fields: frozenset[str]
    page: Page | None = None
    onward: Onward | None = None


class RowDraft:
    """A `Row` in the making, for those who make them by the dozen: `draft.__class__ = Row` seals it.

    A frozen dataclass's own constructor goes around its own lock field by field and takes four times as long.
    """

    __slots__ = ("as_of", "links", "match", "origin", "quality", "record_id", "review_hint", "values")

    def __init__(
        self,
        values: Mapping[str, Value],
        record_id: str,
        as_of: datetime | None,
        match: Match,
        quality: tuple[tuple[str, Quality], ...],
        links: Mapping[str, str | None],
        review_hint: str,
        origin: str,
    ) -> None:
        self.values = values
        self.record_id = record_id
        self.as_of = as_of
        self.match = match
        self.quality = quality
        self.links = links
        self.review_hint = review_hint
        self.origin = origin


@dataclass(frozen=True, slots=True)
class Row(RowDraft):
    """One record of one source.

    A kind (rest, soap, ...) fills `values` with the department's own field names and raw values;
    `adapters.mapping` turns them into canonical names and types and sets the rest. A row to be reviewed brings no values,
    but for one: that the person was a minor at the offence.
    `links` holds the canonical key values other nouns hang on (never released to a reader by themselves).
    `origin` is the source's own source, where the source is a gateway: its code there.
    """

    values: Mapping[str, Value]
    record_id: str = ""
    as_of: datetime | None = None
    match: Match = Match.AUTO
    quality: tuple[tuple[str, Quality], ...] = ()  # (canonical field or "", flag)
    links: Mapping[str, str | None] = field(default_factory=dict)
    review_hint: str = ""  # for REVIEW only: the other side's masked name, e.g. "张*"
    origin: str = ""


class FoundDraft:
    """A `Found` in the making; see `RowDraft`."""

    __slots__ = ("as_of", "fetched_at", "incomplete", "none_as_of", "receipt", "rows")

    def __init__(
        self,
        rows: tuple[Row, ...],
        as_of: datetime | None,
        fetched_at: datetime | None,
        incomplete: Reason | None,
        none_as_of: datetime | None,
        receipt: UpstreamReceipt | None,
    ) -> None:
        self.rows = rows
        self.as_of = as_of
        self.fetched_at = fetched_at
        self.incomplete = incomplete
        self.none_as_of = none_as_of
        self.receipt = receipt


@dataclass(frozen=True, slots=True)
class Found(FoundDraft):
    """The source has records for the key. `incomplete` says some are known to be missing. `none_as_of` is what `as_of`
    would be were there no record, where that is another time. `receipt`, here and below: of a source that is a gateway."""

    rows: tuple[Row, ...]
    as_of: datetime | None = None
    fetched_at: datetime | None = None
    incomplete: Reason | None = None
    none_as_of: datetime | None = None
    receipt: UpstreamReceipt | None = None


@dataclass(frozen=True, slots=True)
class Absent:
    """The source answered, in full and in order, that it has no record for the key."""

    as_of: datetime | None = None
    fetched_at: datetime | None = None
    receipt: UpstreamReceipt | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """Not known. `detail` is for an operator and free of personal data."""

    reason: Reason
    retry_at: datetime | None = None
    detail: str = ""
    receipt: UpstreamReceipt | None = None


Answer: TypeAlias = Found | Absent | Failed
NO_LINKS: Mapping[str, str | None] = MappingProxyType({})


def raw_row(values: Mapping[str, Value]) -> Row:
    """What a kind makes of a record; quicker than `Row(values)`."""
    row = RowDraft(values, "", None, Match.AUTO, (), NO_LINKS, "", "")
    row.__class__ = Row
    return cast(Row, row)


def found(
    rows: tuple[Row, ...],
    as_of: datetime | None,
    fetched_at: datetime | None,
    incomplete: Reason | None = None,
    none_as_of: datetime | None = None,
    receipt: UpstreamReceipt | None = None,
) -> Found:
    """Quicker than `Found(...)`."""
    answer = FoundDraft(rows, as_of, fetched_at, incomplete, none_as_of, receipt)
    answer.__class__ = Found
    return cast(Found, answer)


class Source(Protocol):
    """A department system that answers lookups. It only reads."""

    async def fetch(self, lookup: Lookup, *, timeout_s: float) -> Sequence[Answer]:
        """One answer per key, in the order of `lookup.keys`.

        Raises SourceUnavailable where the whole call failed; the caller treats it as Failed for every key.
        Cancelling the call stops the work upstream as far as the protocol allows.
        """
        ...

    async def close(self) -> None:
        """Release connections, files and threads; the source is not used afterwards."""
        ...
