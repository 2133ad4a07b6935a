"""Who is asking, and the ports every service may ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Caller:
    """The authenticated person or system behind a request. All parts are opaque ids, never names."""

    user_id: str
    org_id: str
    org_kind: str  # CORRECTION_AGENCY | JUSTICE_OFFICE | POLICE | PROCURATORATE | COURT | PRISON | ...
    roles: frozenset[str]
    token_id: str
    expires_at: datetime
    purposes: frozenset[str] = frozenset()  # purposes this caller may claim; empty = none


class Authenticator(Protocol):
    """From the Authorization header to a caller."""

    async def __call__(self, authorization: str | None) -> Caller:
        """Raises Unauthenticated for anything that is not a live token."""
        ...


class Decision(StrEnum):
    ALLOW = "ALLOW"
    DENY = "DENY"


@dataclass(frozen=True, slots=True)
class AccessEvent:
    """What is recorded before an answer leaves. Holds opaque subject ids only, no name and no ID number."""

    at: datetime
    actor_org: str
    actor_user: str
    purpose: str
    case_no: str | None
    reference: str | None
    subjects: Sequence[str]
    fields: Sequence[str]  # "noun.field", the fields granted (ALLOW) or asked for (DENY)
    decision: Decision
    rule_ids: Sequence[str]
    legal_basis: Sequence[str]
    policy_version: str
    result_digest: bytes  # HMAC-SHA256 of the answer's bytes under `result_salt`
    result_salt: bytes
    states: Mapping[str, int] = field(default_factory=dict)  # how many parts were FRESH, UNAVAILABLE, ...


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof of recording that the asker takes along; the ledger upgrades it later."""

    id: str
    recorded_at: datetime


class Evidence(Protocol):
    """Record before release."""

    async def record(self, event: AccessEvent) -> Receipt:
        """Returns once the event is durable. Raises EvidenceUnavailable, and then nothing may be answered."""
        ...


class Subjects(Protocol):
    """From a person's ID number to the random `subject_id` everything else is keyed by."""

    async def intern(self, id_numbers: Sequence[str]) -> Sequence[str]:
        """The subject ids for normalised 18-digit ID numbers, in order; new ones are made, once, atomically."""
        ...

    def pid(self, subject_id: str, org_id: str) -> str:
        """What a reader of `org_id` sees instead: HMAC(subject_id, org_id), different for every organisation."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of background work. `fence` grows with every lease: a worker that lost its lease cannot finish it."""

    id: str
    kind: str
    payload: Mapping[str, Any]
    fence: int
    attempts: int
    progress: float
    run_at: datetime


class Jobs(Protocol):
    """One mechanism for every later re-check, deadline and retention run."""

    async def enqueue(
        self, kind: str, payload: Mapping[str, Any], *, run_at: datetime, unique_key: str | None = None
    ) -> str:
        """The job's id; with `unique_key`, an unfinished job of that key is returned instead of a second one."""
        ...

    async def lease(self, kinds: Sequence[str], *, worker: str, seconds: float) -> Job | None:
        """The next due job nobody holds, held for `seconds`; each job is handed to one worker at a time."""
        ...

    async def renew(self, job: Job, *, seconds: float, progress: float | None = None) -> bool:
        """False where the lease was lost; the worker then stops without effect."""
        ...

    async def finish(self, job: Job) -> bool: ...

    async def fail(self, job: Job, *, retry_at: datetime | None, reason: str) -> bool:
        """Try again at `retry_at`, or never; `reason` carries no personal data."""
        ...


class Metrics(Protocol):
    """Counts for operators. Labels are codes from closed sets, never anything a request, a person or a source said.

    None of these raises, blocks or awaits; what looks like no code is counted as OTHER.
    """

    def operation(self, kind: str, outcome: str, seconds: float) -> None:
        """One GraphQL operation: query | mutation | subscription, OK or the code of its refusal."""
        ...

    def part(self, noun: str, state: str, count: int = 1) -> None:
        """`count` parts of a noun left in this state: FRESH, STALE, UNAVAILABLE, ..."""
        ...

    def upstream(self, source: str, outcome: str, reason: str, seconds: float) -> None:
        """One call to a source: OK | FAILED, with the reason of a failure (TIMEOUT, BREAKER_OPEN, ...) or ''."""
        ...
