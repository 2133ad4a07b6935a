"""Where sources disagree: both values stand, with authority; the loser is never dropped."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from gateway.federation.catalog import Offer
from gateway.federation.records import Record
from schema.nouns import NounSpec

Data = dict[str, Any]


def leading_record(noun: NounSpec, records: Sequence[Record]) -> Record:
    """The record that stands for a source: not ended before ended, then the newest, then the source's own order.

    Only fields that the reader may see and asked for can speak here, so nothing is fetched in secret for it.
    """
    if len(records) == 1:
        return records[0]

    def order(record: Record) -> tuple[bool, int]:
        ended = noun.ended_by is not None and record.get(noun.ended_by) is not None
        newest = record.get(noun.newest_by) if noun.newest_by else None
        return ended, -newest.toordinal() if isinstance(newest, date) else 0

    return min(records, key=order)


def find_conflicts(noun: NounSpec, by_source: Sequence[tuple[Offer, Sequence[Record]]]) -> list[Data]:
    """One entry per (compared field, thing) on which two sources give different values."""
    found: list[Data] = []
    for group in _things(noun, by_source):
        for name in noun.compared:
            values = [(offer, record) for offer, record in group if record.get(name) is not None]
            if len({_comparable(noun, name, record.get(name)) for _, record in values}) > 1:
                found.append({"field": name, "values": _ranked(name, values)})
    return found


def _things(noun: NounSpec, by_source: Sequence[tuple[Offer, Sequence[Record]]]) -> list[list[tuple[Offer, Record]]]:
    """Records of different sources that speak of the same thing. Of a noun that is told apart by a field, records without
    that field are compared with nothing: two cases of one person do not disagree for being two.
    """
    if noun.paired_by is None:
        return [[(offer, leading_record(noun, records)) for offer, records in by_source]]
    paired: dict[Any, list[tuple[Offer, Record]]] = {}
    for offer, records in by_source:
        for record in records:
            key = record.get(noun.paired_by)
            if key is not None:
                paired.setdefault(key, []).append((offer, record))
    return [group for group in paired.values() if len({offer.code for offer, _ in group}) > 1]


def _comparable(noun: NounSpec, name: str, value: Any) -> Any:
    length = dict(noun.compared_prefix).get(name)
    return str(value)[:length] if length is not None else str(value)


def _ranked(name: str, values: Sequence[tuple[Offer, Record]]) -> list[Data]:
    ranked = sorted(values, key=lambda pair: (pair[0].rank_of(name), pair[0].code))
    return [
        {
            "value": str(record.get(name)),
            "source": offer.code,
            "asOf": record.as_of,
            "rank": offer.rank_of(name),
        }
        for offer, record in ranked
    ]
