"""That the persons' keys were made, and which of them are destroyed: what a restored copy of them is held to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "subject_key_store",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("made_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subject_key_store")),
    )
    op.create_table(
        "subject_key_destroyed",
        sa.Column("leaf", sa.String(length=17), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("leaf", name=op.f("pk_subject_key_destroyed")),
    )
    op.create_table(
        "subject_erasure",
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.Column("change_id", sa.String(length=36), nullable=False),
        sa.Column("begun_at_us", sa.BigInteger(), nullable=False),
        sa.Column("done_at_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("subject_id", name=op.f("pk_subject_erasure")),
    )


def downgrade() -> None:
    raise NotImplementedError("yimen's databases only go forward; restore the backup taken before the upgrade")
