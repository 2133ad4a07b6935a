"""Credentials: offers, wallets' tokens, what was issued, status lists, showings, errands avoided, disputes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "credential",
        sa.Column("credential_id", sa.String(length=32), nullable=False),
        sa.Column("batch_id", sa.String(length=32), nullable=False),
        sa.Column("subject_id", sa.String(length=32), nullable=True),
        sa.Column("configuration_id", sa.Text(), nullable=False),
        sa.Column("type_id", sa.Text(), nullable=False),
        sa.Column("offer_id", sa.String(length=32), nullable=True),
        sa.Column("grant_id", sa.String(length=32), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("org_kind", sa.Text(), nullable=False),
        sa.Column("jurisdiction", sa.Text(), nullable=False),
        sa.Column("case_no", sa.Text(), nullable=True),
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("list_id", sa.String(length=16), nullable=False),
        sa.Column("idx", sa.Integer(), nullable=False),
        sa.Column("jkt", sa.String(length=43), nullable=False),
        sa.Column("issued_at_us", sa.BigInteger(), nullable=False),
        sa.Column("valid_until_us", sa.BigInteger(), nullable=False),
        sa.Column("facts_ct", sa.LargeBinary(), nullable=True),
        sa.Column("key_id", sa.String(length=32), nullable=True),
        sa.Column("alg_id", sa.String(length=16), nullable=True),
        sa.Column("facts_digest", sa.LargeBinary(), nullable=False),
        sa.Column("receipt_id", sa.String(length=36), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("state_at_us", sa.BigInteger(), nullable=False),
        sa.Column("notification_hash", sa.LargeBinary(), nullable=False),
        sa.Column("stored", sa.String(length=24), nullable=True),
        sa.Column("next_check_at_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("credential_id", name=op.f("pk_credential")),
        sa.UniqueConstraint("list_id", "idx", name=op.f("uq_credential_list_id_idx")),
    )
    op.create_index("ix_credential_batch", "credential", ["batch_id"], unique=False)
    op.create_index(
        "ix_credential_check",
        "credential",
        ["next_check_at_us"],
        unique=False,
        sqlite_where=sa.text("next_check_at_us IS NOT NULL"),
        postgresql_where=sa.text("next_check_at_us IS NOT NULL"),
    )
    op.create_index("ix_credential_grant_of", "credential", ["grant_id"], unique=False)
    op.create_index("ix_credential_subject", "credential", ["subject_id"], unique=False)
    op.create_table(
        "credential_bulk",
        sa.Column("bulk_id", sa.String(length=32), nullable=False),
        sa.Column("configuration_ids", sa.Text(), nullable=False),
        sa.Column("wishes", sa.Text(), nullable=False),
        sa.Column("actor_user", sa.Text(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("finished_at_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("bulk_id", name=op.f("pk_credential_bulk")),
    )
    op.create_table(
        "credential_deferred",
        sa.Column("transaction_hash", sa.LargeBinary(), nullable=False),
        sa.Column("grant_id", sa.String(length=32), nullable=False),
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.Column("configuration_id", sa.Text(), nullable=False),
        sa.Column("request_ct", sa.LargeBinary(), nullable=True),
        sa.Column("key_id", sa.String(length=32), nullable=True),
        sa.Column("alg_id", sa.String(length=16), nullable=True),
        sa.Column("retry_at_us", sa.BigInteger(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_us", sa.BigInteger(), nullable=False),
        sa.Column("closed_at_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("transaction_hash", name=op.f("pk_credential_deferred")),
    )
    op.create_index("ix_credential_deferred_subject", "credential_deferred", ["subject_id"], unique=False)
    op.create_table(
        "credential_grant",
        sa.Column("grant_id", sa.String(length=32), nullable=False),
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.Column("offer_id", sa.String(length=32), nullable=True),
        sa.Column("configuration_ids", sa.Text(), nullable=False),
        sa.Column("identifiers", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("jkt", sa.String(length=43), nullable=True),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("org_kind", sa.Text(), nullable=False),
        sa.Column("jurisdiction", sa.Text(), nullable=False),
        sa.Column("case_no", sa.Text(), nullable=True),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("grant_id", name=op.f("pk_credential_grant")),
    )
    op.create_index("ix_credential_grant_subject", "credential_grant", ["subject_id"], unique=False)
    op.create_table(
        "credential_offer",
        sa.Column("offer_id", sa.String(length=32), nullable=False),
        sa.Column("reference", sa.String(length=43), nullable=False),
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.Column("configuration_ids", sa.Text(), nullable=False),
        sa.Column("flow", sa.String(length=24), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=True),
        sa.Column("tx_hash", sa.LargeBinary(), nullable=True),
        sa.Column("tx_tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("bulk_id", sa.String(length=32), nullable=True),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("org_kind", sa.Text(), nullable=False),
        sa.Column("jurisdiction", sa.Text(), nullable=False),
        sa.Column("case_no", sa.Text(), nullable=True),
        sa.Column("actor_user", sa.Text(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_us", sa.BigInteger(), nullable=False),
        sa.Column("redeemed_at_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("offer_id", name=op.f("pk_credential_offer")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_credential_offer_code_hash")),
        sa.UniqueConstraint("reference", name=op.f("uq_credential_offer_reference")),
    )
    op.create_index("ix_credential_offer_bulk", "credential_offer", ["bulk_id"], unique=False)
    op.create_index("ix_credential_offer_subject", "credential_offer", ["subject_id"], unique=False)
    op.create_table(
        "dispute",
        sa.Column("dispute_id", sa.String(length=32), nullable=False),
        sa.Column("subject_id", sa.String(length=32), nullable=True),
        sa.Column("noun", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("statement_ct", sa.LargeBinary(), nullable=True),
        sa.Column("answer_ct", sa.LargeBinary(), nullable=True),
        sa.Column("key_id", sa.String(length=32), nullable=True),
        sa.Column("alg_id", sa.String(length=16), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("opened_at_us", sa.BigInteger(), nullable=False),
        sa.Column("due_at_us", sa.BigInteger(), nullable=False),
        sa.Column("decided_at_us", sa.BigInteger(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_org", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("dispute_id", name=op.f("pk_dispute")),
    )
    op.create_index("ix_dispute_subject", "dispute", ["subject_id"], unique=False)
    op.create_index(
        "uq_dispute_open",
        "dispute",
        ["subject_id", "noun", "field", "source"],
        unique=True,
        sqlite_where=sa.text("state = 'OPEN'"),
        postgresql_where=sa.text("state = 'OPEN'"),
    )
    op.create_table(
        "errand_avoided",
        sa.Column("presentation_id", sa.String(length=32), nullable=False),
        sa.Column("type_id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("presentation_id", "type_id", name=op.f("pk_errand_avoided")),
    )
    op.create_index("ix_errand_avoided_at", "errand_avoided", ["at_us"], unique=False)
    op.create_table(
        "presentation",
        sa.Column("presentation_id", sa.String(length=32), nullable=False),
        sa.Column("request_ref", sa.String(length=43), nullable=False),
        sa.Column("response_ref", sa.String(length=43), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("actor_user", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("file_mark", sa.Text(), nullable=False),
        sa.Column("dcql", sa.Text(), nullable=False),
        sa.Column("profile", sa.String(length=8), nullable=False),
        sa.Column("same_device", sa.Boolean(), nullable=False),
        sa.Column("return_to", sa.Text(), nullable=True),
        sa.Column("nonce", sa.String(length=43), nullable=False),
        sa.Column("state_text", sa.String(length=43), nullable=False),
        sa.Column("encryption_ct", sa.LargeBinary(), nullable=True),
        sa.Column("key_id", sa.String(length=32), nullable=True),
        sa.Column("alg_id", sa.String(length=16), nullable=True),
        sa.Column("step", sa.String(length=12), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=True),
        sa.Column("result_ct", sa.LargeBinary(), nullable=True),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("consent_id", sa.String(length=32), nullable=True),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_us", sa.BigInteger(), nullable=False),
        sa.Column("answered_at_us", sa.BigInteger(), nullable=True),
        sa.Column("retrieved_at_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("presentation_id", name=op.f("pk_presentation")),
        sa.UniqueConstraint("request_ref", name=op.f("uq_presentation_request_ref")),
        sa.UniqueConstraint("response_ref", name=op.f("uq_presentation_response_ref")),
    )
    op.create_index("ix_presentation_client", "presentation", ["client_id", "created_at_us"], unique=False)
    op.create_index("ix_presentation_expires", "presentation", ["expires_at_us"], unique=False)
    op.create_table(
        "status_change",
        sa.Column("list_id", sa.String(length=16), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("idx", sa.Integer(), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("list_id", "id", name=op.f("pk_status_change")),
    )
    op.create_table(
        "status_list",
        sa.Column("list_id", sa.String(length=16), nullable=False),
        sa.Column("bits", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("allotted", sa.Integer(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=True),
        sa.Column("token_version", sa.BigInteger(), nullable=False),
        sa.Column("token_exp_us", sa.BigInteger(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("list_id", name=op.f("pk_status_list")),
    )
    op.create_table(
        "credential_bulk_item",
        sa.Column("bulk_id", sa.String(length=32), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.Column("outcome", sa.String(length=24), nullable=True),
        sa.Column("offer_id", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["bulk_id"], ["credential_bulk.bulk_id"], name=op.f("fk_credential_bulk_item_bulk_id")),
        sa.PrimaryKeyConstraint("bulk_id", "n", name=op.f("pk_credential_bulk_item")),
    )
    op.create_table(
        "credential_offer_event",
        sa.Column("offer_id", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["offer_id"], ["credential_offer.offer_id"], name=op.f("fk_credential_offer_event_offer_id")
        ),
        sa.PrimaryKeyConstraint("offer_id", "id", name=op.f("pk_credential_offer_event")),
    )
    op.create_table(
        "credential_token",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("grant_id", sa.String(length=32), nullable=False),
        sa.Column("expires_at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["grant_id"], ["credential_grant.grant_id"], name=op.f("fk_credential_token_grant_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_credential_token")),
    )
    op.create_index("ix_credential_token_expires", "credential_token", ["expires_at_us"], unique=False)
    op.create_index("ix_credential_token_grant", "credential_token", ["grant_id"], unique=False)
    op.create_table(
        "status_entry",
        sa.Column("list_id", sa.String(length=16), nullable=False),
        sa.Column("idx", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["list_id"], ["status_list.list_id"], name=op.f("fk_status_entry_list_id")),
        sa.PrimaryKeyConstraint("list_id", "idx", name=op.f("pk_status_entry")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_status_entry_set",
        "status_entry",
        ["list_id", "idx"],
        unique=False,
        sqlite_where=sa.text("value != 0"),
        postgresql_where=sa.text("value != 0"),
    )
    # ### end Alembic commands ###


def downgrade() -> None:
    raise NotImplementedError("yimen's databases only go forward; restore the backup taken before the upgrade")
