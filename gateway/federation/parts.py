"""From the sources' answers for one key to one part: state, records, best, conflicts, review. Pure.

The rule above all others: what is not known is never shown as "there is none".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapters.errors import Reason
from adapters.source import Absent, Answer, Failed, Found, Match, Quality, Row
from gateway.federation.catalog import Offer
from gateway.federation.conflicts import find_conflicts, leading_record
from gateway.federation.fields import base_field
from gateway.federation.hiding import silent_fields
from gateway.federation.masking import masked
from gateway.policy.decision import EXISTS, Effect
from schema.nouns import NounSpec
from schema.wiring import LINKS

FRESH, STALE, PARTIAL, UNAVAILABLE, NOT_FOUND, WITHHELD = (
    "FRESH",
    "STALE",
    "PARTIAL",
    "UNAVAILABLE",
    "NOT_FOUND",
    "WITHHELD",
)
Data = dict[str, Any]
# Failures that pass by themselves. The others need a human, so there is no time to name.
_PASSES = frozenset((Reason.TIMEOUT, Reason.RATE_LIMITED, Reason.DOWN, Reason.BREAKER_OPEN, Reason.INCOMPLETE))


@dataclass(frozen=True, slots=True)
class Shape:
    """What a part of one noun may show in this operation: asked fields, split by the mask."""

    noun: NounSpec
    shown: frozenset[str]  # asked and allowed, raw words of codes included
    masked: frozenset[str]  # of those, the ones that leave masked
    withheld: tuple[str, ...]
    open: bool  # whether any source may be asked at all
    absent: bool = False  # this subject must look like one nobody knows
    fetched: frozenset[str] = frozenset()  # what sources are asked for: `shown`, and what tells which records to hide


def shape_of(
    noun: NounSpec, asked: frozenset[str], effects: Mapping[str, Effect], implied: frozenset[str] = frozenset()
) -> Shape:
    """Apply the mask to what was asked; what the mask does not name is withheld. `implied` was asked by nobody by name,
    so nobody is told that it is kept from them."""

    def effect(name: str) -> Effect:
        return effects.get(base_field(name), Effect.WITHHOLD)

    shown = frozenset(name for name in asked if effect(name) in (Effect.ALLOW, Effect.MASK))
    return Shape(
        noun,
        shown,
        frozenset(name for name in asked if effect(name) is Effect.MASK),
        tuple(sorted(name for name in asked - implied if effect(name) is Effect.WITHHOLD)),
        effects.get(EXISTS) is Effect.ALLOW and bool((shown - implied) or not (asked - implied)),
        effects.get(EXISTS) is Effect.AS_IF_ABSENT,
        shown | silent_fields(noun),
    )


def build_part(shape: Shape, offers: Sequence[Offer], answers: Sequence[Answer], now: datetime) -> Data:
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


def withheld_part(shape: Shape) -> Data:
    """Nothing of what was asked is allowed; no source was asked."""
    return _empty(WITHHELD, None, None) | {"withheld": shape.withheld}


def no_source_part(shape: Shape) -> Data:
    """No connected source answers this noun by this key."""
    return _empty(UNAVAILABLE, "NO_SOURCE", None) | {"withheld": shape.withheld}


def _empty(state: str, reason: str | None, retry_at: datetime | None) -> Data:
    return {
        "state": state,
        "source": None,
        "asOf": None,
        "fetchedAt": None,
        "reason": reason,
        "retryAt": retry_at,
        "quality": (),
        "withheld": (),
        "sources": (),
        "records": (),
        "best": None,
        "conflicts": (),
        "review": (),
    }


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
    record[LINKS] = row.links
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
