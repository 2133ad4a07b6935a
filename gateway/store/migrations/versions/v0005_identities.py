"""Organisations, officers, posts, devices, and the phones of enrolled persons."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "organisation",
        sa.Column("org_id", sa.String(length=64), nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("uscc", sa.String(length=18), nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("jurisdiction", sa.String(length=6), nullable=False),
        sa.Column("parent_id", sa.String(length=64), nullable=True),
        sa.Column("agency_keys", sa.Text(), nullable=False),
        sa.Column("purposes", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("updated_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", name=op.f("pk_organisation")),
        sa.UniqueConstraint("uscc", name=op.f("uq_organisation_uscc")),
    )
    op.create_table(
        "demo_message",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("text_ct", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("alg_id", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["data_key.key_id"], name=op.f("fk_demo_message_key_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_demo_message")),
    )
    op.create_table(
        "post",
        sa.Column("org_id", sa.String(length=64), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("title_zh", sa.Text(), nullable=False),
        sa.Column("title_en", sa.Text(), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("purposes", sa.Text(), nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=True),
        sa.Column("to_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["org_id"], ["organisation.org_id"], name=op.f("fk_post_org_id")),
        sa.PrimaryKeyConstraint("org_id", "code", name=op.f("pk_post")),
    )
    op.create_table(
        "officer",
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("org_id", sa.String(length=64), nullable=False),
        sa.Column("login", sa.String(length=64), nullable=False),
        sa.Column("external_id", sa.String(length=255), nullable=True),
        sa.Column("subject_id", sa.String(length=32), nullable=True),
        sa.Column("name_ct", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("alg_id", sa.String(length=16), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("updated_at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["data_key.key_id"], name=op.f("fk_officer_key_id")),
        sa.ForeignKeyConstraint(["org_id"], ["organisation.org_id"], name=op.f("fk_officer_org_id")),
        sa.ForeignKeyConstraint(["subject_id"], ["subject.subject_id"], name=op.f("fk_officer_subject_id")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_officer")),
        sa.UniqueConstraint("external_id", name=op.f("uq_officer_external_id")),
        sa.UniqueConstraint("login", name=op.f("uq_officer_login")),
    )
    op.create_index("ix_officer_org", "officer", ["org_id"], unique=False)
    op.create_index("ix_officer_subject", "officer", ["subject_id"], unique=False)
    op.create_table(
        "person_phone",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.Column("phone_ct", sa.LargeBinary(), nullable=False),
        sa.Column("phone_hmac", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("alg_id", sa.String(length=16), nullable=False),
        sa.Column("enrolled_by", sa.String(length=64), nullable=False),
        sa.Column("enrolled_org", sa.String(length=64), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["key_id"], ["data_key.key_id"], name=op.f("fk_person_phone_key_id")),
        sa.ForeignKeyConstraint(["subject_id"], ["subject.subject_id"], name=op.f("fk_person_phone_subject_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person_phone")),
    )
    op.create_index("ix_person_phone_hmac", "person_phone", ["phone_hmac"], unique=False)
    op.create_index(
        "uq_person_phone_live",
        "person_phone",
        ["subject_id"],
        unique=True,
        sqlite_where=sa.text("ended_at_us IS NULL"),
        postgresql_where=sa.text("ended_at_us IS NULL"),
    )
    op.create_table(
        "device",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("org_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=True),
        sa.Column("subject_id", sa.String(length=32), nullable=True),
        sa.Column("bound_from_us", sa.BigInteger(), nullable=False),
        sa.Column("bound_to_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["org_id"], ["organisation.org_id"], name=op.f("fk_device_org_id")),
        sa.ForeignKeyConstraint(["subject_id"], ["subject.subject_id"], name=op.f("fk_device_subject_id")),
        sa.ForeignKeyConstraint(["user_id"], ["officer.user_id"], name=op.f("fk_device_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device")),
    )
    op.create_index("ix_device_subject", "device", ["subject_id"], unique=False)
    op.create_index(
        "uq_device_bound",
        "device",
        ["device_id"],
        unique=True,
        sqlite_where=sa.text("bound_to_us IS NULL"),
        postgresql_where=sa.text("bound_to_us IS NULL"),
    )
    op.create_table(
        "officer_post",
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("org_id", sa.String(length=64), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=True),
        sa.Column("to_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["org_id", "code"], ["post.org_id", "post.code"], name=op.f("fk_officer_post_org_id_code")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["officer.user_id"], name=op.f("fk_officer_post_user_id")),
        sa.PrimaryKeyConstraint("user_id", "org_id", "code", name=op.f("pk_officer_post")),
    )
    op.create_index("ix_officer_post_post", "officer_post", ["org_id", "code"], unique=False)


def downgrade() -> None:
    raise NotImplementedError("yimen's databases only go forward; restore the backup taken before the upgrade")
