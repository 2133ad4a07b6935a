"""The ledger: outbox, shards, entries, tiles, checkpoints, cosignatures, witnesses, exhibits, keys; seeds of what is recorded."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for recorded in ("access_event", "access_event_subject", "change_event", "alert"):
        op.add_column(recorded, sa.Column("seed_ct", sa.LargeBinary(), nullable=True))
    op.create_index("ix_access_event_subject_event", "access_event_subject", ["event_id"])
    op.create_table(
        "ledger_outbox",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("due_at_us", sa.BigInteger(), nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_outbox")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ledger_shard",
        sa.Column("shard", sa.String(length=16), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("halted", sa.String(length=64), nullable=True),
        sa.Column("halted_at_us", sa.BigInteger(), nullable=True),
        sa.Column("began_at_us", sa.BigInteger(), nullable=False),
        sa.Column("closed_at_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("shard", name=op.f("pk_ledger_shard")),
        sa.UniqueConstraint("origin", name=op.f("uq_ledger_shard_origin")),
    )
    op.create_table(
        "ledger_entry",
        sa.Column("shard", sa.String(length=16), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "number", name=op.f("pk_ledger_entry")),
        sa.UniqueConstraint("id", name=op.f("uq_ledger_entry_id")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ledger_tile",
        sa.Column("shard", sa.String(length=16), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("n", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "level", "n", name=op.f("pk_ledger_tile")),
    )
    op.create_table(
        "ledger_checkpoint",
        sa.Column("shard", sa.String(length=16), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("published_at_us", sa.BigInteger(), nullable=True),
        sa.Column("sealed_at_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("shard", "size", name=op.f("pk_ledger_checkpoint")),
    )
    op.create_table(
        "ledger_cosignature",
        sa.Column("shard", sa.String(length=16), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("witness", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "size", "witness", name=op.f("pk_ledger_cosignature")),
    )
    op.create_table(
        "ledger_witness",
        sa.Column("witness", sa.Text(), nullable=False),
        sa.Column("shard", sa.String(length=16), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("seen_at_us", sa.BigInteger(), nullable=True),
        sa.Column("failing_since_us", sa.BigInteger(), nullable=True),
        sa.Column("fault", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("witness", "shard", name=op.f("pk_ledger_witness")),
    )
    op.create_table(
        "ledger_hurry",
        sa.Column("id", sa.SmallInteger(), nullable=False, autoincrement=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_hurry")),
    )
    op.create_table(
        "ledger_exhibit",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("shard", sa.String(length=16), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("documents", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_exhibit")),
    )
    op.create_table(
        "ledger_key",
        sa.Column("shard", sa.String(length=16), nullable=False),
        sa.Column("key_id", sa.String(length=8), nullable=False),
        sa.Column("vkey", sa.Text(), nullable=False),
        sa.Column("secret_ct", sa.LargeBinary(), nullable=False),
        sa.Column("data_key_id", sa.String(length=32), nullable=False),
        sa.Column("alg_id", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("retired_at_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("shard", "key_id", name=op.f("pk_ledger_key")),
    )


def downgrade() -> None:
    raise NotImplementedError("yimen's databases only go forward; restore the backup taken before the upgrade")
