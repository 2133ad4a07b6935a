"""Signing keys of the authorization server, what may be used once, what was revoked; the demo's seeded tokens go."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "oauth_signing_key",
        sa.Column("kid", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("private_jwk_ct", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("alg_id", sa.String(length=16), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("published_until_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["key_id"], ["data_key.key_id"], name=op.f("fk_oauth_signing_key_key_id")),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_oauth_signing_key")),
    )
    op.create_index(
        "uq_oauth_signing_key_state",
        "oauth_signing_key",
        ["state"],
        unique=True,
        sqlite_where=sa.text("state != 'RETIRED'"),
        postgresql_where=sa.text("state != 'RETIRED'"),
    )
    op.create_table(
        "spent_once",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key", name=op.f("pk_spent_once")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_spent_once_until", "spent_once", ["until_us"])
    op.create_table(
        "revocation",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "id", name=op.f("pk_revocation")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_revocation_until", "revocation", ["until_us"])
    op.drop_table("officer_token")


def downgrade() -> None:
    raise NotImplementedError("yimen's databases only go forward; restore the backup taken before the upgrade")
