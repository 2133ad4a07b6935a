"""What a decision reads of persons has a version, which every write changes, whoever writes (SQLite)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_READ = (
    "break_glass",
    "case_assignment",
    "case_party",
    "case_register",
    "monitoring_order",
    "officer",
    "relationship",
    "subject_erasure",
    "subject_seal",
    "unseal_order",
)
_CHANGED = """
CREATE TRIGGER fact_version_{table}_{event} AFTER {event} ON {table}
BEGIN UPDATE fact_version SET number = number + 1, mark = random(); END
"""


def upgrade() -> None:
    op.create_table(
        "fact_version",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("mark", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fact_version")),
    )
    if op.get_bind().dialect.name != "sqlite":  # nothing is kept there, and a row everybody writes would hold them up
        op.execute("INSERT INTO fact_version (id, number, mark) VALUES (1, 0, 0)")
    else:
        # A backup of before, put back and brought here again, begins as another.
        op.execute("INSERT INTO fact_version (id, number, mark) VALUES (1, 0, random())")
        for table in _READ:
            for event in ("INSERT", "UPDATE", "DELETE"):
                op.execute(_CHANGED.format(table=table, event=event))


def downgrade() -> None:
    raise NotImplementedError("yimen's databases only go forward; restore the backup taken before the upgrade")
