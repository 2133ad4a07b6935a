"""Access events say more; changes and alerts have tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("client_id", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("grant_id", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("consent_id", sa.Text(), nullable=True),
        sa.Column("level", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("inner_rule_ids", sa.Text(), nullable=False, server_default="[]"),
        sa.Column("visible_from_us", sa.BigInteger(), nullable=True),
        sa.Column("repeats", sa.Integer(), nullable=False, server_default="1"),
    ):
        op.add_column("access_event", column)
    op.create_index("ix_access_event_actor", "access_event", ["actor_org", "id"])
    op.create_table(
        "change_event",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("actor_org", sa.Text(), nullable=False),
        sa.Column("actor_user", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.String(length=32), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change_event")),
    )
    op.create_index("ix_change_event_kind", "change_event", ["kind", "id"])
    op.create_index("ix_change_event_object", "change_event", ["object_id", "id"])
    op.create_table(
        "alert",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("severity", sa.String(length=2), nullable=False),
        sa.Column("about", sa.String(length=16), nullable=False),
        sa.Column("about_id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.String(length=32), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("opened_at_us", sa.BigInteger(), nullable=False),
        sa.Column("due_at_us", sa.BigInteger(), nullable=True),
        sa.Column("ack_by", sa.Text(), nullable=True),
        sa.Column("ack_at_us", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("closed_at_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
    )
    op.create_index("ix_alert_org", "alert", ["org_id", "id"])
    op.create_index("ix_alert_about", "alert", ["about_id", "type", "id"])


def downgrade() -> None:
    raise NotImplementedError("yimen's databases only go forward; restore the backup taken before the upgrade")
