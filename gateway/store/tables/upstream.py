"""What became of receipts other gateways gave us: the proof their log has of them by now, and what we found."""

from __future__ import annotations

import sqlalchemy as sa

from gateway.store.tables.base import access_event, metadata

# The receipt itself stands in `access_event.upstream`, where the event's own ledger entry commits to it; this can be fetched again.
upstream_proof = sa.Table(
    "upstream_proof",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),  # code of the source that gave the receipt
    sa.Column("receipt_id", sa.String(36), primary_key=True),
    sa.Column("verdict", sa.String(16), nullable=False),  # see gateway.services.upstream_receipts.Verdict
    sa.Column("level", sa.String(8), nullable=False),  # as the other side says: DURABLE | INCLUDED | SEALED
    sa.Column("proof", sa.Text),  # a .tlog-proof, once there is one
    sa.Column("checked_at_us", sa.BigInteger, nullable=False),
)

_kept = access_event.c.upstream.is_not(None)
sa.Index("ix_access_event_upstream", access_event.c.id, sqlite_where=_kept, postgresql_where=_kept)
