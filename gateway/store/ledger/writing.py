"""What is written of checkpoints and witnesses, in words that SQLite and PostgreSQL share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from gateway.services.ledger.ports import KeptCheckpoint
from gateway.store.at_once import Statement
from gateway.store.ids import from_us
from gateway.store.ledger.sequencing import HEAD
from ledger.note import parse_note

_HEADS = sa.text(f"{HEAD} FOR UPDATE"), sa.text(HEAD)
KEEP = sa.text("""
    INSERT INTO ledger_checkpoint (shard, size, root, note, at_us)
    SELECT s.shard, :size, :root, :note, :at_us FROM ledger_shard s
    WHERE s.shard = :shard AND s.state = 'ACTIVE' AND s.halted IS NULL AND s.fence = :fence AND s.size >= :size
    ON CONFLICT DO NOTHING
""")
"""Only for who leads, and only of what is committed; of a size, the first one stays."""
_KEPT = sa.text(
    "SELECT size, root, note, at_us, published_at_us, sealed_at_us FROM ledger_checkpoint "
    "WHERE shard = :shard AND size = :size"
)
_LINES = sa.text("SELECT witness, line FROM ledger_cosignature WHERE shard = :shard AND size = :size")
COSIGN = sa.text("""
    INSERT INTO ledger_cosignature (shard, size, witness, line, at_us) VALUES (:shard, :size, :witness, :line, :at_us)
    ON CONFLICT DO NOTHING
""")
SEAL = sa.text(
    "UPDATE ledger_checkpoint SET sealed_at_us = :at_us WHERE shard = :shard AND size = :size AND sealed_at_us IS NULL"
)
PUBLISH = sa.text("""
    UPDATE ledger_checkpoint SET published_at_us = :at_us
    WHERE shard = :shard AND size = :size AND published_at_us IS NULL AND NOT EXISTS (
        SELECT 1 FROM ledger_checkpoint c WHERE c.shard = :shard AND c.size > :size AND c.published_at_us IS NOT NULL)
""")
WITNESS = sa.text("""
    INSERT INTO ledger_witness (witness, shard, size, seen_at_us, failing_since_us, fault)
    VALUES (:witness, :shard, :size, :seen_at_us, :failing_since_us, :fault)
    ON CONFLICT (witness, shard) DO UPDATE SET size = excluded.size, seen_at_us = excluded.seen_at_us,
        failing_since_us = excluded.failing_since_us, fault = excluded.fault
""")


def head(sqlite: bool) -> sa.TextClause:
    """The active shard's row, held until the transaction ends, so that nobody becomes leader meanwhile."""
    return _HEADS[sqlite]


def kept(shard: str, size: int) -> Sequence[Statement]:
    """Two statements; their rows are for `kept_of`."""
    of = {"shard": shard, "size": size}
    return (_KEPT, of), (_LINES, of)


def kept_of(shard: str, row: Sequence[Any], lines: Sequence[Sequence[Any]]) -> KeptCheckpoint:
    """Raises Malformed where the note is none."""
    size, root, note, at_us, published_at_us, sealed_at_us = row
    cosignatures = {one[0]: one[1] for one in lines}
    return KeptCheckpoint(
        shard, size, bytes(root), parse_note(bytes(note)), from_us(at_us), cosignatures,
        instant(published_at_us), instant(sealed_at_us),
    )  # fmt: skip


def instant(at_us: int | None) -> datetime | None:
    return None if at_us is None else from_us(at_us)
