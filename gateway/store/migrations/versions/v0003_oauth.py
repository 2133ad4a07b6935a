"""The authorization server's tables: clients, pushed requests, codes, grants, refresh tokens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "oauth_client",
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("registered", sa.Text(), nullable=False),
        sa.Column("jwks", sa.Text(), nullable=False),
        sa.Column("previous_jwks", sa.Text(), nullable=True),
        sa.Column("previous_until_us", sa.BigInteger(), nullable=True),
        sa.Column("disabled_at_us", sa.BigInteger(), nullable=True),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_oauth_client")),
    )
    op.create_index("ix_oauth_client_org", "oauth_client", ["org_id"])
    op.create_table(
        "oauth_pushed_request",
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("expires_at_us", sa.BigInteger(), nullable=False),
        sa.Column("used_at_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("request_hash", name=op.f("pk_oauth_pushed_request")),
    )
    op.create_index("ix_oauth_pushed_request_expires", "oauth_pushed_request", ["expires_at_us"])
    op.create_table(
        "oauth_grant",
        sa.Column("grant_id", sa.String(length=32), nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("authorization_details", sa.Text(), nullable=False),
        sa.Column("claims", sa.Text(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_us", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("grant_id", name=op.f("pk_oauth_grant")),
    )
    op.create_index("ix_oauth_grant_client", "oauth_grant", ["client_id"])
    op.create_index("ix_oauth_grant_expires", "oauth_grant", ["expires_at_us"])
    op.create_index("ix_oauth_grant_user", "oauth_grant", ["user_id"])
    op.create_table(
        "oauth_code",
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("grant_id", sa.String(length=32), nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("code_challenge", sa.String(length=128), nullable=False),
        sa.Column("dpop_jkt", sa.String(length=64), nullable=True),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("expires_at_us", sa.BigInteger(), nullable=False),
        sa.Column("used_at_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["grant_id"], ["oauth_grant.grant_id"], name=op.f("fk_oauth_code_grant_id")),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_oauth_code")),
    )
    op.create_index("ix_oauth_code_expires", "oauth_code", ["expires_at_us"])
    op.create_index("ix_oauth_code_grant", "oauth_code", ["grant_id"])
    op.create_table(
        "oauth_refresh_token",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("grant_id", sa.String(length=32), nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("issued_at_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_us", sa.BigInteger(), nullable=False),
        sa.Column("used_at_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["grant_id"], ["oauth_grant.grant_id"], name=op.f("fk_oauth_refresh_token_grant_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_oauth_refresh_token")),
    )
    op.create_index("ix_oauth_refresh_token_expires", "oauth_refresh_token", ["expires_at_us"])
    op.create_index("ix_oauth_refresh_token_grant", "oauth_refresh_token", ["grant_id"])
    op.create_table(
        "oauth_registration_token",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["oauth_client.client_id"], name=op.f("fk_oauth_registration_token_client_id")
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_oauth_registration_token")),
        sa.UniqueConstraint("client_id", name=op.f("uq_oauth_registration_token_client_id")),
    )
    op.create_table(
        "oauth_initial_token",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("uses_left", sa.Integer(), nullable=False),
        sa.Column("expires_at_us", sa.BigInteger(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_oauth_initial_token")),
    )


def downgrade() -> None:
    raise NotImplementedError("yimen's databases only go forward; restore the backup taken before the upgrade")
