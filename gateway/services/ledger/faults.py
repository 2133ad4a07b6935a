"""What a check of the store can find."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """What was done to the store; words for people are the command's."""

    MISSING_ENTRY = "MISSING_ENTRY"  # the numbers have a gap, or end before the tree does
    EXTRA_ENTRY = "EXTRA_ENTRY"  # beyond what the tree was committed with
    EDITED_ENTRY = "EDITED_ENTRY"  # its bytes are not those that were signed
    EDITED_LEAF_HASH = "EDITED_LEAF_HASH"  # the hash beside it is not its own; the entry is
    DOUBLED_ENTRY = "DOUBLED_ENTRY"  # the same entry twice; `last` is the second
    REORDERED_ENTRIES = "REORDERED_ENTRIES"  # `index` and `last` stand in each other's place
    REWRITTEN_ENTRIES = "REWRITTEN_ENTRIES"  # somewhere from `index` to `last`, entries are not those that were signed
    NOT_AN_ENTRY = "NOT_AN_ENTRY"  # not in the form of one
    LOST_TILE = "LOST_TILE"
    SWAPPED_TILE = "SWAPPED_TILE"  # holds other hashes than its entries make
    ROLLED_BACK = "ROLLED_BACK"  # a checkpoint was signed of a larger tree
    EDITED_HEAD = "EDITED_HEAD"  # size, frontier or root of the shard
    REWRITTEN_ROOT = "REWRITTEN_ROOT"  # the root beside a checkpoint is not the one it says
    BROKEN_CHAIN = "BROKEN_CHAIN"  # its first entry does not name what was signed of the log before it
    BAD_CHECKPOINT = "BAD_CHECKPOINT"  # no note of this log's about this size that its key signed
    SPLIT_VIEW = "SPLIT_VIEW"  # a checkpoint signed by our key of a tree that is not the one before and after it
    BAD_COSIGNATURE = "BAD_COSIGNATURE"
    UNSEALED = "UNSEALED"  # said to be sealed, and today's policy does not find it so
    EDITED_RECORD = "EDITED_RECORD"  # the record does not give its entry's commitment
    LOST_RECORD = "LOST_RECORD"  # an entry whose record is gone
    UNLOGGED_RECORD = "UNLOGGED_RECORD"  # a record that never came into the log
    MIRROR_DIFFERS = "MIRROR_DIFFERS"  # the first entry that the mirror has otherwise
    MIRROR_AHEAD = "MIRROR_AHEAD"  # the mirror has more than the store, signed by us
    MIRROR_UNREADABLE = "MIRROR_UNREADABLE"


WARNINGS = frozenset({Fault.UNSEALED, Fault.MIRROR_UNREADABLE})


@dataclass(frozen=True, slots=True)
class Finding:
    """`index`: of the first bad entry, `last` of the last one; `entry_id` is the first one's, `about` a table, tile, size or
    witness."""

    fault: Fault
    shard: str
    index: int | None = None
    last: int | None = None
    entry_id: str | None = None
    about: str = ""

    @property
    def grave(self) -> bool:
        return self.fault not in WARNINGS
