"""The port `Policy`: one decision for a whole operation, and a mask that execution applies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, Protocol

from gateway.caller import Caller

EXISTS = "exists"
"""The field that stands for "is there a record at all", decided like any other."""


class Effect(StrEnum):
    """What happens to one field. AS_IF_ABSENT is stronger than WITHHOLD: nobody may notice there was anything."""

    ALLOW = "ALLOW"
    MASK = "MASK"
    WITHHOLD = "WITHHOLD"
    AS_IF_ABSENT = "AS_IF_ABSENT"


@dataclass(frozen=True, slots=True)
class Purpose:
    """What the operation says it is for; coerced from `@purpose` before anything runs."""

    code: str
    case_no: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A whole operation, as policy sees it: noun -> the fields asked for."""

    caller: Caller
    purpose: Purpose
    asked: Mapping[str, frozenset[str]]  # facts, EXISTS among them
    selected: Mapping[str, frozenset[str]] = field(default_factory=dict)  # the same as the schema names them
    implied: Mapping[str, frozenset[str]] = field(default_factory=dict)  # of these, what the asker did not name


@dataclass(frozen=True, eq=False)
class Mask:
    """The decision: per noun and field an effect; what is not named is WITHHOLD. Equal only to itself.

    `rule_ids` may leave with the answer. `inner_rule_ids` say what really decided and go into evidence only: where a
    reader has no ground towards a person, or the record is sealed, the answer names one and the same public rule.
    """

    effects: Mapping[str, Mapping[str, Effect]]
    rule_ids: tuple[str, ...]
    legal_basis: tuple[str, ...]
    policy_version: str
    denied: str | None = None  # a refusal of the whole operation, or of this subject: its code
    inner_rule_ids: tuple[str, ...] = ()
    hidden_cases: frozenset[str] = frozenset()  # case numbers whose rows must look as if they did not exist
    hide_minor: bool = True  # rows a source itself marks as of a minor at offence must look as if they did not exist
    consent_id: str | None = None  # the consent it rests on
    visible_from: datetime | None = None  # when the person may see this access; None = at once
    alarms: tuple[str, ...] = ()  # alert types this decision raises; never told to the caller
    inputs: str = ""  # JSON: what it was decided from, as codes, so that it can be decided again; for evidence only

    def granted(self, noun: str) -> frozenset[str]:
        """The fields of `noun` that may be fetched at all (allowed or masked)."""
        effects = self.effects.get(noun, {})
        return frozenset(name for name, effect in effects.items() if effect in (Effect.ALLOW, Effect.MASK))

    @cached_property
    def granted_facts(self) -> tuple[str, ...]:
        """Every fact granted, as evidence names it: "noun.field", in order."""
        return tuple(f"{noun}.{name}" for noun in sorted(self.effects) for name in sorted(self.granted(noun)))

    @cached_property
    def worked_out(self) -> dict[Any, Any]:
        """What execution works out from this mask, kept for as long as it lives: equal questions have the same mask."""
        return {}


class Policy(Protocol):
    async def decide(self, question: Question) -> Mask:
        """One mask for the operation. Any error inside is a refusal."""
        ...

    async def decide_subjects(self, question: Question, mask: Mask, subjects: Sequence[str]) -> Sequence[Mask]:
        """The mask narrowed per subject, in order; asked once per level for subjects newly found."""
        ...
