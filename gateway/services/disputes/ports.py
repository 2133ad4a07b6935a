"""Disputes, and what they ask of a store."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class DisputeState(StrEnum):
    OPEN = "OPEN"
    CORRECTED = "CORRECTED"  # the source has put it right
    REFUSED = "REFUSED"  # it stands, and `answer` says why
    WITHDRAWN = "WITHDRAWN"


@dataclasses.dataclass(frozen=True, slots=True)
class Dispute:
    """`source` "": whoever says it. `statement` and `answer` are people's own words, for those two sides alone."""

    dispute_id: str
    subject_id: str
    noun: str
    field: str
    source: str
    statement: str = dataclasses.field(repr=False)
    opened_at: datetime
    due_at: datetime
    state: DisputeState = DisputeState.OPEN
    answer: str = dataclasses.field(default="", repr=False)
    decided_at: datetime | None = None
    decided_org: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Disputed:
    """That a fact of somebody is disputed, without a word of why."""

    subject_id: str
    noun: str
    field: str
    source: str


class Disputes(Protocol):
    async def open(self, dispute: Dispute) -> bool:
        """DISPUTE_OPENED with it; False where this very fact is disputed already. Raises SubjectErased."""
        ...

    async def of_person(self, subject_id: str) -> Sequence[Dispute]:
        """The newest first."""
        ...

    async def find(self, dispute_id: str) -> Dispute | None: ...

    async def all_open(self) -> Sequence[Disputed]:
        """For whoever shows facts: no words, one read for all."""
        ...

    async def waiting(self) -> Sequence[Dispute]:
        """Every open one with its words, the most urgent first."""
        ...

    async def decide(self, dispute: Dispute, state: DisputeState, answer: str, *, org: str, user: str) -> bool:
        """DISPUTE_CORRECTED or DISPUTE_REFUSED; True for the first."""
        ...

    async def withdraw(self, subject_id: str, dispute_id: str) -> bool:
        """DISPUTE_WITHDRAWN by the person; True for the first."""
        ...
