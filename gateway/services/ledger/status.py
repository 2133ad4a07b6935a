"""What this process knows of the ledger by now: for answers, readiness, metrics and pages."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(slots=True)
class LedgerStatus:
    """Written by the keeper, read by everybody else in the process."""

    witnessed: bool = False  # whether there is a policy that asks for witnesses
    halted: str | None = None  # why nothing is written any more, a code
    leading: bool = False
    shard: str | None = None
    sequenced: int = 0  # entries this process gave their index
    size: int = 0  # of the newest checkpoint
    checkpoint_at: datetime | None = None
    sealed_size: int = 0
    sealed_at: datetime | None = None
    unsealed_since: datetime | None = None  # when the oldest checkpoint was signed that no quorum covers yet
    next_year: str | None = None  # a log whose key is announced and that has not begun: witnesses must be told
    waiting: int = 0  # entries without an index when it was last counted
    faults: dict[str, str | None] = field(default_factory=dict)  # witness -> code, None = well
    errors: Counter[str] = field(default_factory=Counter)  # class of an error -> how often it ended a turn

    def of(self, shard: str) -> None:
        """What is said from now on is of this log; sizes of the one before say nothing about it."""
        if shard != self.shard:
            self.shard, self.size, self.sealed_size = shard, 0, 0
            self.checkpoint_at = self.sealed_at = self.unsealed_since = None

    def checkpointed(self, size: int, at: datetime) -> None:
        self.size, self.checkpoint_at = size, at
        if self.unsealed_since is None and size > self.sealed_size:
            self.unsealed_since = at

    def sealed(self, size: int, at: datetime) -> None:
        """A quorum stands behind the tree of this size."""
        if size > self.sealed_size:
            self.sealed_size, self.sealed_at = size, at
        self.unsealed_since = None if self.sealed_size >= self.size else self.checkpoint_at
