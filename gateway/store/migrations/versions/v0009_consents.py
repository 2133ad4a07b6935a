"""Consents as append-only events, their use, and the links and codes a person answers with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "consent",
        sa.Column("consent_id", sa.String(length=32), nullable=False),
        sa.Column("request_id", sa.String(length=32), nullable=False),
        sa.Column("subject_id", sa.String(length=32), nullable=True),
        sa.Column("person_ct", sa.LargeBinary(), nullable=True),
        sa.Column("key_id", sa.String(length=32), nullable=True),
        sa.Column("alg_id", sa.String(length=16), nullable=True),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("items", sa.Text(), nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("max_per_day", sa.Integer(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("terms_digest", sa.LargeBinary(), nullable=False),
        sa.Column("asked_at_us", sa.BigInteger(), nullable=False),
        sa.Column("answer_by_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["data_key.key_id"], name=op.f("fk_consent_key_id_data_key")),
        sa.PrimaryKeyConstraint("consent_id", name=op.f("pk_consent")),
        sa.UniqueConstraint("request_id", name=op.f("uq_consent_request_id")),
    )
    op.create_index("ix_consent_subject", "consent", ["subject_id", "client_id", "purpose"], unique=False)
    op.create_index("uq_consent_reference", "consent", ["client_id", "reference"], unique=True)
    op.create_table(
        "person_allowance",
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("span", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("spent", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("subject_id", "kind", "span", name=op.f("pk_person_allowance")),
    )
    op.create_table(
        "person_device",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.Column("enrolment_id", sa.Text(), nullable=False),
        sa.Column("expires_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_person_device")),
    )
    op.create_index("ix_person_device_subject", "person_device", ["subject_id"], unique=False)
    op.create_table(
        "person_link",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.Column("enrolment_id", sa.Text(), nullable=False),
        sa.Column("consent_id", sa.String(length=32), nullable=True),
        sa.Column("expires_at_us", sa.BigInteger(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=True),
        sa.Column("code_expires_at_us", sa.BigInteger(), nullable=True),
        sa.Column("code_tries", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_person_link")),
    )
    op.create_index("ix_person_link_expires", "person_link", ["expires_at_us"], unique=False)
    op.create_table(
        "person_session",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.Column("enrolment_id", sa.Text(), nullable=False),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("expires_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_person_session")),
    )
    op.create_index("ix_person_session_subject", "person_session", ["subject_id"], unique=False)
    op.create_table(
        "consent_event",
        sa.Column("consent_id", sa.String(length=32), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("done_by", sa.String(length=16), nullable=False),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("notice_version", sa.Text(), nullable=True),
        sa.Column("notice_sha256", sa.String(length=64), nullable=True),
        sa.Column("language", sa.String(length=16), nullable=True),
        sa.Column("receipt_ct", sa.LargeBinary(), nullable=True),
        sa.Column("key_id", sa.String(length=32), nullable=True),
        sa.Column("alg_id", sa.String(length=16), nullable=True),
        sa.ForeignKeyConstraint(["consent_id"], ["consent.consent_id"], name=op.f("fk_consent_event_consent_id")),
        sa.PrimaryKeyConstraint("consent_id", "seq", name=op.f("pk_consent_event")),
    )
    op.create_table(
        "consent_use",
        sa.Column("consent_id", sa.String(length=32), nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("allowed", sa.Integer(), nullable=False),
        sa.Column("last_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["consent_id"], ["consent.consent_id"], name=op.f("fk_consent_use_consent_id")),
        sa.PrimaryKeyConstraint("consent_id", "day", name=op.f("pk_consent_use")),
    )


def downgrade() -> None:
    raise NotImplementedError("yimen's databases only go forward; restore the backup taken before the upgrade")
