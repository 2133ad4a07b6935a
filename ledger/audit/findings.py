"""What an audit can find, and what that means for its outcome."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum


class Outcome(IntEnum):
    """The exit codes."""

    FINE = 0
    TAMPERED = 1
    USAGE = 2
    UNCHECKED = 3


class Fault(StrEnum):
    """Stable codes; the words are in `ledger.audit.texts`."""

    # Somebody did wrong, or what is served is not what was signed.
    EDITED_ENTRY = "EDITED_ENTRY"
    DELETED_ENTRY = "DELETED_ENTRY"
    INSERTED_ENTRY = "INSERTED_ENTRY"
    BAD_BUNDLE = "BAD_BUNDLE"
    BAD_ENTRY = "BAD_ENTRY"
    SWAPPED_TILE = "SWAPPED_TILE"
    LOST_ENTRIES = "LOST_ENTRIES"
    LOST_TILE = "LOST_TILE"
    TREE_DIFFERS = "TREE_DIFFERS"
    REWRITTEN_HISTORY = "REWRITTEN_HISTORY"
    ROLLED_BACK = "ROLLED_BACK"
    SPLIT_VIEW = "SPLIT_VIEW"
    BROKEN_CHAIN = "BROKEN_CHAIN"
    NOT_PROVEN = "NOT_PROVEN"
    BAD_CHECKPOINT = "BAD_CHECKPOINT"
    BAD_SIGNATURE = "BAD_SIGNATURE"
    MISSING_COSIGNATURES = "MISSING_COSIGNATURES"
    # Could not be checked.
    UNREACHABLE = "UNREACHABLE"
    NO_CHECKPOINT = "NO_CHECKPOINT"
    STATE_DAMAGED = "STATE_DAMAGED"
    STATE_OF_ANOTHER_LOG = "STATE_OF_ANOTHER_LOG"
    STATE_NOT_WRITTEN = "STATE_NOT_WRITTEN"
    OTHER_UNREADABLE = "OTHER_UNREADABLE"
    OTHER_UNCOMPARED = "OTHER_UNCOMPARED"
    PREVIOUS_UNCOMPARED = "PREVIOUS_UNCOMPARED"
    # Told, and no fault.
    TIME_BACKWARDS = "TIME_BACKWARDS"
    TIME_AHEAD = "TIME_AHEAD"
    PREVIOUS_UNCHECKED = "PREVIOUS_UNCHECKED"


UNCHECKED = frozenset({
    Fault.UNREACHABLE, Fault.NO_CHECKPOINT, Fault.STATE_DAMAGED, Fault.STATE_OF_ANOTHER_LOG, Fault.STATE_NOT_WRITTEN,
    Fault.OTHER_UNREADABLE, Fault.OTHER_UNCOMPARED, Fault.PREVIOUS_UNCOMPARED,
})  # fmt: skip
NOTICES = frozenset({Fault.TIME_BACKWARDS, Fault.TIME_AHEAD, Fault.PREVIOUS_UNCHECKED})


@dataclass(frozen=True, slots=True)
class Finding:
    """`first`: the first bad entry. `last` is set where that is only known to lie between the two. `about`: a file, a
    key's name, an agency. `notes`: signed notes that prove it, as received, by who showed them."""

    fault: Fault
    first: int | None = None
    last: int | None = None
    about: str = ""
    count: int | None = None
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def outcome(self) -> Outcome:
        if self.fault in NOTICES:
            return Outcome.FINE
        return Outcome.UNCHECKED if self.fault in UNCHECKED else Outcome.TAMPERED


def outcome_of(findings: Iterable[Finding]) -> Outcome:
    """Tampering outweighs what could not be checked, and that outweighs nothing found."""
    outcomes = {finding.outcome for finding in findings}
    return next((one for one in (Outcome.TAMPERED, Outcome.UNCHECKED) if one in outcomes), Outcome.FINE)
