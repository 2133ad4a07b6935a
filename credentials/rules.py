"""From facts to claims: requirements, the evidence that can meet each (as OOTS maps it), and what is said of a person. Pure.

The rule above all others: an outage, data older than a type tolerates, a part of an answer, a match under review, a conflict
or a dispute is taken neither for yes nor for no; only where another alternative carries the claim without it does it not
matter. What the departments did answer and does not suffice is NOT_MET.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Any

from credentials.conditions import Condition, fields_of
from credentials.divisions import division_name

SURE = frozenset({"FRESH", "NOT_FOUND"})
PERSON = "person"
"""The noun of what the issuer itself knows of the holder: `name` and `nameMasked`. Never asked of a department."""
_DOUBTFUL = frozenset(
    {"CODE_UNMAPPED", "DATE_GUESSED", "DATE_BAD", "ENCODING_REPAIRED", "ADDRESS_UNPARSED", "CONFLICT", "DISPUTED"}
)


@dataclass(frozen=True, slots=True)
class Said:
    """One source's answer to a part: its state, and when it last knew."""

    source: str
    state: str
    as_of: datetime | None = None
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """What is known of one noun. `records` hold plain JSON values, with `quality` as [{field, flag}] where there are doubts.

    `waiting`: a source did not answer or not in full, and may later; PARTIAL without it is for a human to settle.
    """

    state: str  # FRESH | STALE | PARTIAL | UNAVAILABLE | NOT_FOUND | WITHHELD
    records: Sequence[Mapping[str, Any]] = field(default=(), repr=False)
    conflicts: frozenset[str] = frozenset()
    disputed: frozenset[str] = frozenset()  # fields the person disputes; "*" for all of it
    withheld: frozenset[str] = frozenset()
    review: bool = False
    waiting: bool = False
    sources: tuple[Said, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Given:
    """Where a claim's value comes from: a constant, or a field of the record that carries, perhaps only its beginning.

    `named`: not the code of a division that stands there, but what the division is called."""

    claim: str
    value: Any = None
    field: str | None = None
    first: int | None = None
    named: bool = False

    def of(self, record: Mapping[str, Any]) -> Any:
        if self.field is None:
            return self.value
        found = record.get(self.field)
        if not isinstance(found, str):
            return found
        begun = found[: self.first] if self.first is not None else found
        return division_name(begun) if self.named else begun


class Among(StrEnum):
    """Which records of the noun must be so."""

    SOME = "some"
    EVERY = "every"  # and there is one at least
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One way to meet a requirement: records of one noun. `unless`: no record of it may be like this."""

    id: str
    noun: str
    where: tuple[Condition, ...]
    unless: tuple[Condition, ...] = ()
    among: Among = Among.SOME
    stale_days: int = 0
    newest: str | None = None
    same: str | None = None  # tells which records of two sources are the same thing, so that they can be compared
    gives: tuple[Given, ...] = ()

    @property
    def fields(self) -> frozenset[str]:
        used = {*fields_of(self.where), *fields_of(self.unless), *(one.field for one in self.gives if one.field)}
        return frozenset(used | {one for one in (self.newest, self.same) if one})


@dataclass(frozen=True, slots=True)
class Requirement:
    """Met by any one of its evidence."""

    id: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Predicate:
    """A claim that is true or false, whichever: the type holds all the same."""

    claim: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Rule:
    requirements: tuple[Requirement, ...]
    predicates: tuple[Predicate, ...] = ()
    person: tuple[Given, ...] = ()  # of what the issuer itself knows of the holder


class Outcome(StrEnum):
    READY = "READY"
    NOT_MET = "NOT_MET"
    UNAVAILABLE = "UNAVAILABLE"
    DOUBTED = "DOUBTED"
    WITHHELD = "WITHHELD"  # the rules of sharing do not give what the type is made of


@dataclass(frozen=True, slots=True)
class Judged:
    """`reason`: the requirement, predicate or noun that decided. `used`: the nouns the claims rest on."""

    outcome: Outcome
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)
    reason: str = ""
    used: tuple[str, ...] = ()
    retry_at: datetime | None = None


class _Sure(IntEnum):
    """How far one piece of evidence goes, the strongest first: among alternatives the smallest counts."""

    YES = 0
    UNAVAILABLE = 1  # before DOUBTED: what is silent now may have carried it, and an outage is no change
    DOUBTED = 2
    NO = 3


@dataclass(frozen=True, slots=True)
class _Weighed:
    sure: _Sure
    evidence: Evidence
    record: Mapping[str, Any] = field(default_factory=dict)


def judge(rule: Rule, parts: Mapping[str, Part], now: datetime, today: date) -> Judged:
    """What these parts carry. `today`: the civil date in China. Never raises, whatever the parts say."""
    kept_back = sorted(noun for noun, part in parts.items() if part.state == "WITHHELD" or part.withheld)
    if kept_back:
        return Judged(Outcome.WITHHELD, reason=kept_back[0])
    weighed = [
        (one.id, min((_weigh(way, parts, now, today) for way in one.evidence), key=lambda found: found.sure))
        for one in rule.requirements
    ]
    said = [(one.claim, _weigh(one.evidence, parts, now, today)) for one in rule.predicates]
    refused = [name for name, one in weighed if one.sure is _Sure.NO]
    if refused:
        return Judged(Outcome.NOT_MET, reason=refused[0])
    for sure, outcome in ((_Sure.DOUBTED, Outcome.DOUBTED), (_Sure.UNAVAILABLE, Outcome.UNAVAILABLE)):
        for name, one in [*weighed, *said]:
            if one.sure is sure:
                return Judged(outcome, reason=name, retry_at=_retry(parts.get(one.evidence.noun), now))
    claims: dict[str, Any] = {}
    holder = next(iter(parts[PERSON].records), {}) if PERSON in parts else {}
    for given, record in [*((one, holder) for one in rule.person), *_givings(weighed)]:
        if (value := given.of(record)) is not None:
            claims[given.claim] = value
    claims |= {claim: one.sure is _Sure.YES for claim, one in said}
    used = dict.fromkeys(one.evidence.noun for _, one in [*weighed, *said])
    return Judged(Outcome.READY, claims, used=tuple(used))


def _givings(weighed: Iterable[tuple[str, _Weighed]]) -> Iterable[tuple[Given, Mapping[str, Any]]]:
    for _, one in weighed:
        for given in one.evidence.gives:
            yield given, one.record


def _weigh(evidence: Evidence, parts: Mapping[str, Part], now: datetime, today: date) -> _Weighed:
    part = parts.get(evidence.noun)
    if part is None or part.state not in SURE | {"STALE", "PARTIAL"}:
        return _Weighed(_Sure.UNAVAILABLE, evidence)
    if part.state == "PARTIAL":
        return _Weighed(_Sure.UNAVAILABLE if part.waiting else _Sure.DOUBTED, evidence)
    if any(_too_old(one, evidence.stale_days, now) for one in part.sources) or (
        part.state == "STALE" and not part.sources
    ):
        return _Weighed(_Sure.UNAVAILABLE, evidence)
    if "*" in part.disputed or (part.conflicts | part.disputed) & evidence.fields:
        return _Weighed(_Sure.DOUBTED, evidence)
    fitting = [one for one in part.records if _fits(evidence.where, one, today)]
    barred = bool(evidence.unless) and any(_fits(evidence.unless, one, today) for one in part.records)
    if any(_doubtful(one, evidence.fields) for one in part.records):
        return _Weighed(_Sure.DOUBTED, evidence)
    met = {
        Among.SOME: bool(fitting),
        Among.EVERY: bool(fitting) and len(fitting) == len(part.records),
        Among.NONE: not fitting,
    }[evidence.among] and not barred
    # A row that may be somebody else's adds to what there is: what a sure record carries it cannot take away.
    if part.review and not (met and evidence.among is Among.SOME and not evidence.unless):
        return _Weighed(_Sure.DOUBTED, evidence)
    return _Weighed(_Sure.YES if met else _Sure.NO, evidence, _leading(fitting, evidence) if met and fitting else {})


def _too_old(said: Said, days: int, now: datetime) -> bool:
    if said.state in ("UNAVAILABLE", "PARTIAL"):
        return True
    return said.state == "STALE" and (said.as_of is None or now - said.as_of > timedelta(days=days))


def _fits(conditions: Sequence[Condition], record: Mapping[str, Any], today: date) -> bool:
    return all(one.holds(record, today) for one in conditions)


def _doubtful(record: Mapping[str, Any], fields: frozenset[str]) -> bool:
    return any(
        doubt.get("flag") in _DOUBTFUL and (doubt.get("field") is None or doubt.get("field") in fields)
        for doubt in record.get("quality") or ()
    )


def _leading(fitting: Sequence[Mapping[str, Any]], evidence: Evidence) -> Mapping[str, Any]:
    """The same record of the same records, in whatever order a source lists them: else a claim would seem to change."""

    def place(record: Mapping[str, Any]) -> tuple[str, str]:
        newest = str(record.get(evidence.newest) or "") if evidence.newest else ""
        return newest, json.dumps({name: record.get(name) for name in evidence.fields}, sort_keys=True, default=str)

    return max(fitting, key=place)


def _retry(part: Part | None, now: datetime) -> datetime | None:
    later = [one.retry_at for one in part.sources if one.retry_at is not None] if part is not None else []
    return max(later, default=None)
