"""The seeds of all persons of a record stand with its event, one after the other; before, each with its person.

What stands where it stood before is read there. Only who still waited (SQLite) is taken into the tables as it was recorded.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_EVENT = """
id, at_us, recorded_at_us, actor_org, actor_user, purpose, case_no, reference, fields, decision, rule_ids,
legal_basis, policy_version, result_digest, result_salt, states, client_id, grant_id, consent_id, level,
inner_rule_ids, visible_from_us, repeats, inputs, upstream, seed_ct
"""
_FOLD = (  # the names above are all that is put into it
    f"INSERT INTO access_event ({_EVENT}) SELECT {_EVENT} FROM access_event_pending ORDER BY number",  # noqa: S608
    """
INSERT OR IGNORE INTO access_event_subject (subject_id, event_id, seed_ct)
SELECT one.value, p.id, substr(p.seeds, 1 + one.key * p.each, p.each)
FROM (SELECT id, subjects, seeds, length(seeds) / json_array_length(subjects) AS each
  FROM access_event_pending) AS p, json_each(p.subjects) AS one
""",
    "INSERT INTO ledger_outbox (id, due_at_us, entry) SELECT id, due_at_us, entry FROM access_event_pending",
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":  # elsewhere nothing ever waited
        for statement in _FOLD:
            op.execute(statement)
    op.drop_table("access_event_pending")  # made anew: SQLite before 3.35 drops no column
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
        sa.Column("due_at_us", sa.BigInteger(), nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_access_event_pending")),
    )


def downgrade() -> None:
    raise NotImplementedError("yimen's databases only go forward; restore the backup taken before the upgrade")
