"""Facts policy decides on: case links, relationships, seals, monitoring orders, break-glass grants."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alarm_seen",
        sa.Column("event_id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_alarm_seen")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "case_assignment",
        sa.Column("case_no", sa.String(length=100), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=False),
        sa.Column("to_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("case_no", "user_id", name=op.f("pk_case_assignment")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "case_party",
        sa.Column("case_no", sa.String(length=100), nullable=False),
        sa.Column("org_id", sa.String(length=64), nullable=False),
        sa.Column("part", sa.String(length=16), nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=False),
        sa.Column("to_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("case_no", "org_id", "part", name=op.f("pk_case_party")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "case_register",
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.Column("case_no", sa.String(length=100), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("seal", sa.String(length=32), nullable=False),
        sa.Column("minor_at_offence", sa.Boolean(), nullable=False),
        sa.Column("execution_admin", sa.String(length=12), nullable=False),
        sa.Column("offence_in_progress", sa.Boolean(), nullable=False),
        sa.Column("visible_from_us", sa.BigInteger(), nullable=True),
        sa.Column("changed_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject_id", "case_no", name=op.f("pk_case_register")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_case_register_case", "case_register", ["case_no"], unique=False)
    op.create_table(
        "monitoring_order",
        sa.Column("order_no", sa.String(length=100), nullable=False),
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.Column("legal_ground", sa.Integer(), nullable=False),
        sa.Column("approved_by", sa.String(length=64), nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=False),
        sa.Column("to_us", sa.BigInteger(), nullable=False),
        sa.Column("lifted_at_us", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("legal_ground BETWEEN 1 AND 5", name="legal_ground"),
        sa.PrimaryKeyConstraint("order_no", name=op.f("pk_monitoring_order")),
    )
    op.create_index("ix_monitoring_order_subject", "monitoring_order", ["subject_id"], unique=False)
    op.create_table(
        "relationship",
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("declared_by", sa.String(length=64), nullable=False),
        sa.Column("declared_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject_id", "user_id", name=op.f("pk_relationship")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "subject_seal",
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.Column("seal", sa.String(length=32), nullable=False),
        sa.Column("sealed_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject_id", name=op.f("pk_subject_seal")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "unseal_order",
        sa.Column("order_no", sa.String(length=100), nullable=False),
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.Column("case_no", sa.String(length=100), nullable=True),
        sa.Column("org_id", sa.String(length=64), nullable=False),
        sa.Column("approved_by", sa.String(length=64), nullable=False),
        sa.Column("second_approved_by", sa.String(length=64), nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("approved_by <> second_approved_by", name="two_approvers"),
        sa.PrimaryKeyConstraint("order_no", name=op.f("pk_unseal_order")),
    )
    op.create_index("ix_unseal_order_subject", "unseal_order", ["subject_id", "org_id"], unique=False)
    op.create_table(
        "break_glass",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("org_id", sa.String(length=64), nullable=False),
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.Column("case_no", sa.String(length=100), nullable=False),
        sa.Column("reason_code", sa.String(length=32), nullable=False),
        sa.Column("reason_ct", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("alg_id", sa.String(length=16), nullable=False),
        sa.Column("items", sa.Text(), nullable=False),
        sa.Column("review", sa.String(length=8), nullable=False),
        sa.Column("opened_at_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_us", sa.BigInteger(), nullable=False),
        sa.Column("approved_by", sa.String(length=64), nullable=True),
        sa.Column("approved_at_us", sa.BigInteger(), nullable=True),
        sa.Column("due_at_us", sa.BigInteger(), nullable=False),
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("reviewed_by", sa.String(length=64), nullable=True),
        sa.Column("reviewed_at_us", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("overdue_at_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["key_id"], ["data_key.key_id"], name=op.f("fk_break_glass_key_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_break_glass")),
    )
    op.create_index("ix_break_glass_due", "break_glass", ["due_at_us"], unique=False)
    op.create_index("ix_break_glass_held", "break_glass", ["subject_id", "user_id"], unique=False)
    op.create_index(
        "ix_access_event_inner",
        "access_event",
        ["id"],
        unique=False,
        sqlite_where=sa.text("inner_rule_ids != '[]'"),
        postgresql_where=sa.text("inner_rule_ids != '[]'"),
    )


def downgrade() -> None:
    raise NotImplementedError("yimen's databases only go forward; restore the backup taken before the upgrade")
