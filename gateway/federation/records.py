"""One source's record, read in place: its values are not copied unless something must be kept from the reader. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from adapters.source import Found, Quality, Row
from gateway.federation.answers import is_stale
from gateway.federation.catalog import Offer
from gateway.federation.disputed import doubts_of
from gateway.federation.links import RowLinks
from gateway.federation.masking import masked
from gateway.federation.shapes import Shape
from gateway.federation.view import View
from schema.wiring import LINKS

Doubt = Mapping[str, Any]

RECORD = {
    "source": "source",
    "sourceRecordId": "source_record_id",
    "asOf": "as_of",
    "fetchedAt": "fetched_at",
    "shareClass": "share_class",
    "sealState": "seal_state",
    "quality": "quality",
}
"""Field every record type has -> attribute of the class below."""
_GETTERS = {name: attrgetter(attribute) for name, attribute in RECORD.items()}


class Record:
    """One record of one source; the envelope is worked out when read.

    `values` are the source's own where all that was asked is shown as it is, and then only what was asked may be read from
    them; otherwise they hold what is shown and nothing else.
    """

    __slots__ = ("_answer", "_id_no", "_offer", "_own", "_view", "row", "subject", "values")

    seal_state = "NONE"

    def __init__(self, view: View, offer: Offer, answer: Found, row: Row, subject: str | None) -> None:
        self._view, self._offer, self._answer = view, offer, answer
        self.row = row
        self.subject = subject
        self._own = view.shape
        self._id_no: str | None = None
        self.values = row.values if view.shape.plain else shown_values(row.values, view.shape)

    def belongs_to(self, subject: str, id_no: str, own: Shape) -> None:
        """Only the row told whose it is: other nouns hang on that person, under that person's mask."""
        self.subject, self._id_no, self._own = subject, id_no, own

    @property
    def links(self) -> RowLinks:
        given = self.row.links
        return RowLinks(self.subject, given if self._id_no is None else {**given, "idNo": self._id_no})

    @property
    def source(self) -> str:
        """Where the source is a gateway, its own source behind its code: "SD/GDSJ"."""
        origin = self.row.origin
        return f"{self._offer.code}/{origin}" if origin else self._offer.code

    @property
    def told_by(self) -> str:
        """Code of the source that told us."""
        return self._offer.code

    @property
    def source_record_id(self) -> str | None:
        return self.row.record_id or None

    @property
    def as_of(self) -> datetime | None:
        return self.row.as_of or self._answer.as_of

    @property
    def fetched_at(self) -> datetime:
        return self._answer.fetched_at or self._view.now

    @property
    def share_class(self) -> str:
        return self._offer.share_class

    @property
    def quality(self) -> Sequence[Doubt]:
        doubts = self.disputed()
        return [*self.stated(), *doubts] if doubts else self.stated()

    def stated(self) -> Sequence[Doubt]:
        """The source's own doubts and the record's age."""
        shape = self._view.shape
        quality = doubts_in(self.row)
        if quality and len(shape.fetched) > len(shape.shown):  # nobody asked for these, so nobody hears of them
            silent = shape.fetched - shape.shown
            quality = [doubt for doubt in quality if doubt["field"] not in silent]
        if is_stale(self._offer, self.as_of, self._view.now):
            quality.append({"field": None, "flag": Quality.STALE.value})
        return quality

    def disputed(self) -> Sequence[Doubt]:
        """What its own person says is wrong."""
        if self.subject is None:
            return ()
        disputed = self._view.disputed.of(self.subject)
        return doubts_of(self._own.noun.name, self._offer.code, self._own.shown, disputed) if disputed else ()

    def get(self, name: str) -> Any:
        """A field as GraphQL names it."""
        getter = _GETTERS.get(name)
        if getter is not None:
            return getter(self)
        return self.values.get(name) if name in self._view.shape.shown else None

    def __getitem__(self, name: str) -> Any:
        if name == LINKS:
            return self.links
        if name not in self:
            raise KeyError(name)
        return self.get(name)

    def __contains__(self, name: object) -> bool:
        """Whether the reader may see this field; a source may still not know it."""
        return name in self._view.shape.shown or name in _GETTERS


def shown_values(values: Mapping[str, Any], shape: Shape) -> Mapping[str, Any]:
    """What the shape shows of these values, masked where it says so."""
    hidden = shape.masked
    return {
        name: masked(name, value) if name in hidden else value
        for name in shape.shown
        if (value := values.get(name)) is not None
    }


def doubts_in(row: Row) -> list[Doubt]:
    return [{"field": name or None, "flag": flag.value} for name, flag in row.quality] if row.quality else []
