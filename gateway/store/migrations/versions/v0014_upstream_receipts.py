"""What other gateways recorded about the questions we put to them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("access_event", sa.Column("upstream", sa.Text(), nullable=True))
    op.create_index(
        "ix_access_event_upstream",
        "access_event",
        ["id"],
        unique=False,
        sqlite_where=sa.text("upstream IS NOT NULL"),
        postgresql_where=sa.text("upstream IS NOT NULL"),
    )
    op.create_table(
        "upstream_proof",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("receipt_id", sa.String(length=36), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("level", sa.String(length=8), nullable=False),
        sa.Column("proof", sa.Text(), nullable=True),
        sa.Column("checked_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "receipt_id", name=op.f("pk_upstream_proof")),
    )


def downgrade() -> None:
    raise NotImplementedError("yimen's databases only go forward; restore the backup taken before the upgrade")
