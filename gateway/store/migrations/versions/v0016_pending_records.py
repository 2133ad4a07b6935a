"""A whole record waits in one row, until it is taken into its tables many at a time (SQLite)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# Whoever still waited there, as revision 0015 sorted them in.
_FOLD = """
INSERT OR IGNORE INTO access_event_subject (subject_id, event_id, seed_ct)
SELECT one.value, p.event_id, substr(p.seeds, 1 + one.key * p.each, p.each)
FROM (SELECT event_id, subjects, seeds, length(seeds) / json_array_length(subjects) AS each
  FROM access_event_pending) AS p, json_each(p.subjects) AS one
"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":  # elsewhere nothing ever waited
        op.execute(_FOLD)
    op.drop_table("access_event_pending")
    op.create_table(
        "access_event_pending",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at_us", sa.BigInteger(), nullable=False),
        sa.Column("actor_org", sa.Text(), nullable=False),
        sa.Column("actor_user", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("case_no", sa.Text()),
        sa.Column("reference", sa.Text()),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("decision", sa.String(length=8), nullable=False),
        sa.Column("rule_ids", sa.Text(), nullable=False),
        sa.Column("legal_basis", sa.Text(), nullable=False),
        sa.Column("policy_version", sa.Text(), nullable=False),
        sa.Column("result_digest", sa.LargeBinary(), nullable=False),
        sa.Column("result_salt", sa.LargeBinary(), nullable=False),
        sa.Column("states", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("grant_id", sa.Text(), nullable=False),
        sa.Column("consent_id", sa.Text()),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("inner_rule_ids", sa.Text(), nullable=False),
        sa.Column("visible_from_us", sa.BigInteger()),
        sa.Column("repeats", sa.Integer(), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("upstream", sa.Text()),
        sa.Column("seed_ct", sa.LargeBinary()),
        sa.Column("subjects", sa.Text()),
        sa.Column("seeds", sa.LargeBinary()),
        sa.Column("due_at_us", sa.BigInteger(), nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_access_event_pending")),
    )


def downgrade() -> None:
    raise NotImplementedError("yimen's databases only go forward; restore the backup taken before the upgrade")
