"""Budgets and counters of partner clients, their suspensions, and floods of equal refusals."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "client_meter",
        sa.Column("client_id", sa.String(length=128), nullable=False),
        sa.Column("request_tat_us", sa.BigInteger(), nullable=False),
        sa.Column("cost_tat_us", sa.BigInteger(), nullable=False),
        sa.Column("requests_per_minute", sa.BigInteger(), nullable=True),
        sa.Column("cost_per_minute", sa.BigInteger(), nullable=True),
        sa.Column("subjects_per_day", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_client_meter")),
    )
    op.create_table(
        "client_subject",
        sa.Column("client_id", sa.String(length=128), nullable=False),
        sa.Column("span_s", sa.Integer(), nullable=False),
        sa.Column("start_us", sa.BigInteger(), nullable=False),
        sa.Column("hit", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tag", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("client_id", "span_s", "start_us", "hit", "tag", name=op.f("pk_client_subject")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "client_suspension",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("client_id", sa.String(length=128), nullable=False),
        sa.Column("org_id", sa.String(length=64), nullable=False),
        sa.Column("rule", sa.String(length=32), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("pack", sa.Text(), nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.Column("lifted_at_us", sa.BigInteger(), nullable=True),
        sa.Column("lifted_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_suspension")),
    )
    op.create_index(
        "uq_client_suspension_live",
        "client_suspension",
        ["client_id"],
        unique=True,
        sqlite_where=sa.text("lifted_at_us IS NULL"),
        postgresql_where=sa.text("lifted_at_us IS NULL"),
    )
    op.create_table(
        "client_window",
        sa.Column("client_id", sa.String(length=128), nullable=False),
        sa.Column("span_s", sa.Integer(), nullable=False),
        sa.Column("start_us", sa.BigInteger(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("limited", sa.BigInteger(), nullable=False),
        sa.Column("denied", sa.BigInteger(), nullable=False),
        sa.Column("hits", sa.BigInteger(), nullable=False),
        sa.Column("misses", sa.BigInteger(), nullable=False),
        sa.Column("last_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("client_id", "span_s", "start_us", name=op.f("pk_client_window")),
    )
    op.create_table(
        "refusal_flood",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("span_us", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("receipt_id", sa.String(length=36), nullable=False),
        sa.Column("receipt_at_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.Column("taken_until_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", "span_us", name=op.f("pk_refusal_flood")),
    )
    op.create_index("ix_refusal_flood_until", "refusal_flood", ["until_us"], unique=False)


def downgrade() -> None:
    raise NotImplementedError("yimen's databases only go forward; restore the backup taken before the upgrade")
