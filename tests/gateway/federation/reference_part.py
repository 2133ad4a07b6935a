"""What a part says, spelled out as plain mappings: the reference that lazily read parts are held against.

Everything is worked out at once and copied, so there is nothing here that could be right by being read at the right time.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any

from adapters.errors import Reason
from adapters.source import Absent, Answer, Failed, Found, Match, Quality, Row
from gateway.federation.catalog import Offer
from gateway.federation.disputed import DisputedFact
from gateway.federation.fields import base_field
from gateway.federation.masking import masked
from gateway.federation.shapes import Shape
from schema.nouns import NounSpec

FRESH, STALE, PARTIAL, UNAVAILABLE, NOT_FOUND = "FRESH", "STALE", "PARTIAL", "UNAVAILABLE", "NOT_FOUND"
Data = dict[str, Any]
_PASSES = frozenset((Reason.TIMEOUT, Reason.RATE_LIMITED, Reason.DOWN, Reason.BREAKER_OPEN, Reason.INCOMPLETE))


def reference_part(shape: Shape, offers: Sequence[Offer], answers: Sequence[Answer], now: datetime) -> Data:
    """The part for one key; `answers` run parallel to `offers`, most authoritative first."""
    sources: list[Data] = []
    records: list[Data] = []
    leading: list[tuple[Offer, Data]] = []
    by_source: list[tuple[Offer, list[Data]]] = []
    review: list[Data] = []
    for offer, answer in zip(offers, answers, strict=True):
        source, own, candidates = _one_source(shape, offer, answer, now)
        sources.append(source)
        review += candidates
        if own:
            records += own
            by_source.append((offer, own))
            leading.append((offer, leading_record(shape.noun, own)))
    conflicts = find_conflicts(shape.noun, by_source) if len(by_source) > 1 else []
    part = _verdict(sources, leading, bool(review))
    part["quality"] = _part_quality(sources, leading, conflicts)
    part["withheld"] = shape.withheld
    part["sources"] = sources
    part["records"] = records
    part["best"] = leading[0][1] if leading else None
    part["conflicts"] = conflicts
    part["review"] = review
    return part


def _one_source(shape: Shape, offer: Offer, answer: Answer, now: datetime) -> tuple[Data, list[Data], list[Data]]:
    """(what the source answered, its records, its candidates for review)."""
    source: Data = {
        "source": offer.code,
        "asOf": None,
        "fetchedAt": None,
        "reason": None,
        "retryAt": None,
        "rank": offer.rank,
    }
    if isinstance(answer, Failed):
        retry_at = answer.retry_at or (now + offer.pause if answer.reason in _PASSES else None)
        source |= {"state": UNAVAILABLE, "reason": answer.reason.value, "retryAt": retry_at}
        return source, [], []
    fetched_at = answer.fetched_at or now
    source["fetchedAt"] = fetched_at
    if isinstance(answer, Absent):
        source["asOf"] = answer.as_of
        source["state"] = STALE if _is_stale(offer, answer.as_of, now) else NOT_FOUND
        return source, [], []
    sure = [row for row in answer.rows if row.match is Match.AUTO]
    records = [_record(shape, offer, row, answer, fetched_at, now) for row in sure]
    dates = [row.as_of for row in sure if row.as_of is not None] or ([answer.as_of] if answer.as_of else [])
    source["asOf"] = max(dates) if dates else None
    if answer.incomplete is not None:
        source |= {"state": PARTIAL, "reason": answer.incomplete.value}
    elif not sure:
        source["state"] = PARTIAL if answer.rows else NOT_FOUND
    else:
        source["state"] = STALE if _is_stale(offer, source["asOf"], now) else FRESH
    candidates = [
        {"source": offer.code, "nameMasked": row.review_hint or None, "quality": _doubts(row)}
        for row in answer.rows
        if row.match is Match.REVIEW
    ]
    return source, records, candidates


def _record(shape: Shape, offer: Offer, row: Row, answer: Found, fetched_at: datetime, now: datetime) -> Data:
    values = row.values
    record: Data = {name: values.get(name) for name in shape.shown}
    for name in shape.masked:
        record[name] = masked(name, record[name])
    as_of = row.as_of or answer.as_of
    quality = _doubts(row)
    if quality and len(shape.fetched) > len(shape.shown):  # nobody asked for these, so nobody hears of them
        silent = shape.fetched - shape.shown
        quality = [doubt for doubt in quality if doubt["field"] not in silent]
    if _is_stale(offer, as_of, now):
        quality = [*quality, {"field": None, "flag": Quality.STALE.value}]
    record["source"] = offer.code
    record["sourceRecordId"] = row.record_id or None
    record["asOf"] = as_of
    record["fetchedAt"] = fetched_at
    record["shareClass"] = offer.share_class
    record["sealState"] = "NONE"
    record["quality"] = quality
    record["links"] = row.links
    return record


def _doubts(row: Row) -> list[Data]:
    return [{"field": name or None, "flag": flag.value} for name, flag in row.quality] if row.quality else []


def _is_stale(offer: Offer, as_of: datetime | None, now: datetime) -> bool:
    return offer.stale_after is not None and as_of is not None and now - as_of > offer.stale_after


def _verdict(sources: Sequence[Data], leading: Sequence[tuple[Offer, Data]], in_review: bool) -> Data:
    """The part's own state from its sources' states."""
    silent = [source for source in sources if source["state"] == UNAVAILABLE]
    partial = next((source for source in sources if source["state"] == PARTIAL), None)
    doubtful = silent[0] if silent else partial
    first = next((source for source in sources if leading and source["source"] == leading[0][0].code), None)
    if leading:
        state = PARTIAL if doubtful is not None else str(first["state"]) if first else FRESH
    elif silent and not in_review:
        state = UNAVAILABLE
    elif partial is not None or in_review:
        state = PARTIAL
    elif any(source["state"] == STALE for source in sources):
        state = STALE
    else:
        state = NOT_FOUND
    shown = first or next((source for source in sources if source["state"] in (STALE, NOT_FOUND)), None)
    fetched = [source["fetchedAt"] for source in sources if source["fetchedAt"] is not None]
    return {
        "state": state,
        "source": shown["source"] if shown else None,
        "asOf": shown["asOf"] if shown else None,
        "fetchedAt": max(fetched) if fetched else None,
        "reason": doubtful["reason"] if doubtful else None,
        "retryAt": doubtful["retryAt"] if doubtful else None,
    }


def _part_quality(
    sources: Sequence[Data], leading: Sequence[tuple[Offer, Data]], conflicts: Sequence[Data]
) -> list[Data]:
    found: list[Data] = list(leading[0][1]["quality"]) if leading else []
    found += [{"field": conflict["field"], "flag": Quality.CONFLICT.value} for conflict in conflicts]
    if any(source["state"] == UNAVAILABLE for source in sources) and len(sources) > 1:
        found.append({"field": None, "flag": Quality.SOURCE_SILENT.value})
    return found


def leading_record(noun: NounSpec, records: Sequence[Data]) -> Data:
    """The record that stands for a source: not ended before ended, then the newest, then the source's own order.

    Only fields that the reader may see and asked for can speak here, so nothing is fetched in secret for it.
    """
    if len(records) == 1:
        return records[0]

    def order(record: Data) -> tuple[bool, int]:
        ended = noun.ended_by is not None and record.get(noun.ended_by) is not None
        newest = record.get(noun.newest_by) if noun.newest_by else None
        return ended, -newest.toordinal() if isinstance(newest, date) else 0

    return min(records, key=order)


def find_conflicts(noun: NounSpec, by_source: Sequence[tuple[Offer, Sequence[Data]]]) -> list[Data]:
    """One entry per (compared field, thing) on which two sources give different values."""
    found: list[Data] = []
    for group in _things(noun, by_source):
        for name in noun.compared:
            values = [(offer, record) for offer, record in group if record.get(name) is not None]
            if len({_comparable(noun, name, record[name]) for _, record in values}) > 1:
                found.append({"field": name, "values": _ranked(name, values)})
    return found


def _things(noun: NounSpec, by_source: Sequence[tuple[Offer, Sequence[Data]]]) -> list[list[tuple[Offer, Data]]]:
    """Records of different sources that speak of the same thing. Of a noun that is told apart by a field, records without
    that field are compared with nothing: two cases of one person do not disagree for being two.
    """
    if noun.paired_by is None:
        return [[(offer, leading_record(noun, records)) for offer, records in by_source]]
    paired: dict[Any, list[tuple[Offer, Data]]] = {}
    for offer, records in by_source:
        for record in records:
            key = record.get(noun.paired_by)
            if key is not None:
                paired.setdefault(key, []).append((offer, record))
    return [group for group in paired.values() if len({offer.code for offer, _ in group}) > 1]


def _comparable(noun: NounSpec, name: str, value: Any) -> Any:
    length = dict(noun.compared_prefix).get(name)
    return str(value)[:length] if length is not None else str(value)


def _ranked(name: str, values: Sequence[tuple[Offer, Data]]) -> list[Data]:
    ranked = sorted(values, key=lambda pair: (pair[0].rank_of(name), pair[0].code))
    return [
        {
            "value": str(record[name]),
            "source": offer.code,
            "asOf": record["asOf"],
            "rank": offer.rank_of(name),
        }
        for offer, record in ranked
    ]


def reference_doubts(part: Data, noun: str, shown: Collection[str], disputed: Collection[DisputedFact]) -> None:
    """DISPUTED beside the fields of each record, and of the part where it leads."""
    fields = {base_field(name) for name in shown}
    for record in part["records"]:
        doubts = [
            {"field": one.field, "flag": Quality.DISPUTED.value}
            for one in disputed
            if one.noun == noun and one.field in fields and one.source in ("", record["source"])
        ]
        record["quality"] = [*record["quality"], *doubts]
        if record is part["best"]:
            part["quality"] = [*part["quality"], *doubts]
