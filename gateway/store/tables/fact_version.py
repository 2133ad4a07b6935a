"""Which state the facts are in that decisions on persons are made from (SQLite only, ADR 0023)."""

from __future__ import annotations

import sqlalchemy as sa

from gateway.store.tables.base import metadata

# One row. Triggers (migration 0017) change it with every row that is inserted, updated or deleted in a table that
# `store/facts_rows` reads, and with every erasure: whoever makes such a table anew, makes its triggers anew.
fact_version = sa.Table(
    "fact_version",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.BigInteger, nullable=False),  # one more each time
    sa.Column("mark", sa.BigInteger, nullable=False),  # random: a restored database counts on from an older number
)

WATCHED = frozenset({
    "break_glass", "case_assignment", "case_party", "case_register", "monitoring_order", "officer", "relationship",
    "subject_erasure", "subject_seal", "unseal_order",
})  # fmt: skip
"""The tables with triggers."""

TRIGGERS = frozenset(f"fact_version_{table}_{event}" for table in WATCHED for event in ("INSERT", "UPDATE", "DELETE"))
