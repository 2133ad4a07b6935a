"""A gateway's inside on sources in memory: the real road (plan, policy, federation, release) without servers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from adapters.health import Health
from adapters.manifest import (
    AnswerSpec,
    CatalogueEntry,
    FieldMapping,
    Limits,
    ShareClass,
    SourceManifest,
    Subject,
    Text,
)
from adapters.mapping import Mapped
from adapters.registry import OpenSource
from gateway.caller import AccessEvent, Admission, Caller, Receipt
from gateway.errors import EvidenceUnavailable
from gateway.federation.catalog import Snapshot, offers_of
from gateway.federation.plan import Plans
from gateway.policy.cedar import CedarPolicy
from gateway.policy.decision import Purpose
from gateway.policy.facts import CaseLink, SubjectFacts
from gateway.policy.purposes import PurposeRegister, read_register
from gateway.policy.ruleset import RuleSet, read_rules
from gateway.services.run_query import RunQuery
from gateway.services.snapshots import Held, Snapshots
from schema.build import BuiltSchema, build_schema
from schema.limits import Limits as QueryLimits
from tests.fakes.memory_source import MemorySource

TEXT = Text("测试", "Test")
NOW = datetime(2026, 11, 2, 2, 0, tzinfo=UTC)
PERSON = ("440606199003070017", "张三")
OTHER = ("440606199003070033", "张三")
OFFICER = Caller(
    "officer-lin",
    "cc-jo-zumiao",
    "JUSTICE_OFFICE",
    frozenset({"JUSTICE_OFFICER"}),
    "t1",
    datetime(2027, 1, 1, tzinfo=UTC),
    frozenset({"CC_RECEPTION", "CC_PLAN"}),
)


def manifest(
    code: str,
    noun: str,
    fields: dict[str, str],
    *,
    rank: int = 100,
    timeout_s: float = 1.0,
    dates: tuple[str, ...] = (),
) -> SourceManifest:
    spec = AnswerSpec(
        noun,
        ("idNo", "name"),
        {},
        tuple(FieldMapping(name, raw, "date" if name in dates else "text") for name, raw in fields.items()),
        rank=rank,
        record_id="id",
        subject=Subject("sfz", "xm"),
        links={"idNo": "sfz", "name": "xm", "caseNo": "ajbh"},
    )
    entry = CatalogueEntry(TEXT, TEXT, "DAILY", ShareClass.C, TEXT)
    return SourceManifest(code, TEXT, "memory", "memory:", entry, (spec,), limits=Limits(timeout_s=timeout_s))


def opened(
    code: str, noun: str, fields: dict[str, str], rows: list[dict[str, Any]], **more: Any
) -> tuple[OpenSource, MemorySource]:
    source = MemorySource(rows, {"idNo": "sfz", "caseNo": "ajbh"}, code, now=lambda: NOW)
    made = manifest(code, noun, fields, **more)
    health = Health(code, "UP", "CLOSED", None, None, None, 0, None, 0, 0)
    return OpenSource(made, Mapped(made, source, now=lambda: NOW), lambda: health), source


@dataclass
class Recorder:
    """Evidence in memory; `broken` refuses to record."""

    events: list[AccessEvent] = field(default_factory=list)
    broken: bool = False

    async def record(self, event: AccessEvent, *, admission: Admission | None = None) -> Receipt:
        if self.broken:
            raise EvidenceUnavailable
        self.events.append(event)
        return Receipt(f"r{len(self.events)}", NOW)

    async def admit(self, admission: Admission) -> None: ...

    async def record_all(self, events: Sequence[AccessEvent], *, admission: Admission | None = None) -> Receipt:
        receipts = [await self.record(event) for event in events]
        return receipts[0]


class Everyone:
    """Subjects in memory."""

    async def intern(self, id_numbers: Sequence[str]) -> Sequence[str]:
        return [f"subject-{sum(map(ord, number)) % 997}-{number[-4:]}" for number in id_numbers]

    async def recognise(self, id_numbers: Sequence[str], *, reader: str = "") -> Sequence[str]:
        return await self.intern(id_numbers)

    def pid(self, subject_id: str, org_id: str) -> str:
        return f"{org_id}:{subject_id}"


class Assigned:
    """Facts: everybody's case is this officer's."""

    async def of(self, caller: Caller, purpose: Purpose, subjects: Sequence[str]) -> Sequence[SubjectFacts]:
        mine = SubjectFacts(CaseLink.ASSIGNED, "SUPERVISING", claimed_case=True, unsealed=True)
        return [mine] * len(subjects)


class FixedClock:
    def now(self) -> datetime:
        return NOW


class NoMetrics:
    def operation(self, kind: str, outcome: str, seconds: float) -> None: ...
    def part(self, noun: str, state: str, count: int = 1) -> None: ...
    def upstream(self, source: str, outcome: str, reason: str, seconds: float) -> None: ...


class NoLoads:
    def version(self) -> str:
        return "same"

    async def load(self) -> Held:
        raise AssertionError("nothing to load")

    async def close(self, held: Held) -> None: ...


@cache
def _rules() -> RuleSet:
    return read_rules(read_register())


def policy_of(_register: PurposeRegister | None = None) -> CedarPolicy:
    """The shipped rules, towards persons whose case is the asker's."""
    return CedarPolicy(_rules().register, _rules(), Assigned(), FixedClock())


@cache
def _built() -> BuiltSchema:
    return build_schema()


def road(
    sources: Sequence[OpenSource],
    evidence: Recorder,
    *,
    deadline_s: float = 2.0,
    introspection: bool = False,
    **more: Any,
) -> RunQuery:
    built, register = _built(), read_register()
    snapshot = Snapshot("v1" * 16, built, offers_of(sources), tuple(sources), register)
    held = Held(snapshot, Plans(built, QueryLimits(), introspection=introspection), policy_of())
    return RunQuery(
        Snapshots(NoLoads(), held, "same"),
        evidence=evidence,
        subjects=Everyone(),
        clock=FixedClock(),
        metrics=NoMetrics(),
        deadline_s=deadline_s,
        batch_persons=100,
        trusted_documents=more.pop("trusted", {}),
        **more,
    )
