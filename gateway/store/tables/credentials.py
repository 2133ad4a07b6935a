"""Offers, tokens of wallets, what was issued and how it stands, showings, disputes. No claim is kept in clear."""

from __future__ import annotations

import sqlalchemy as sa

from gateway.store.tables.base import metadata

credential_offer = sa.Table(
    "credential_offer",
    metadata,
    sa.Column("offer_id", sa.String(32), primary_key=True),
    sa.Column("reference", sa.String(43), nullable=False, unique=True),  # in the link; opens the offer, not the code
    sa.Column("subject_id", sa.String(32), nullable=False),
    sa.Column("configuration_ids", sa.Text, nullable=False),  # JSON array
    sa.Column("flow", sa.String(24), nullable=False),
    sa.Column("code_hash", sa.LargeBinary, unique=True),  # the code itself is derived, never kept
    sa.Column("tx_hash", sa.LargeBinary),  # keyed; null where none is asked for
    sa.Column("tx_tries", sa.Integer, nullable=False, server_default="0"),
    sa.Column("state", sa.String(16), nullable=False),  # OPEN | REDEEMED | BURNT | CANCELLED
    sa.Column("origin", sa.String(16), nullable=False),  # OFFICER | BULK | PERSON | FOLLOW
    sa.Column("bulk_id", sa.String(32)),
    sa.Column("org_id", sa.Text, nullable=False),
    sa.Column("org_kind", sa.Text, nullable=False),
    sa.Column("jurisdiction", sa.Text, nullable=False),
    sa.Column("case_no", sa.Text),
    sa.Column("actor_user", sa.Text, nullable=False),
    sa.Column("created_at_us", sa.BigInteger, nullable=False),
    sa.Column("expires_at_us", sa.BigInteger, nullable=False),
    sa.Column("redeemed_at_us", sa.BigInteger),
)
sa.Index("ix_credential_offer_subject", credential_offer.c.subject_id)
sa.Index("ix_credential_offer_bulk", credential_offer.c.bulk_id)

credential_offer_event = sa.Table(
    "credential_offer_event",
    metadata,
    sa.Column("offer_id", sa.String(32), sa.ForeignKey("credential_offer.offer_id"), primary_key=True),
    sa.Column("id", sa.String(36), primary_key=True),  # time-ordered
    sa.Column("kind", sa.String(24), nullable=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
)

credential_bulk = sa.Table(
    "credential_bulk",  # offers for many at once; `item` says who is still to come
    metadata,
    sa.Column("bulk_id", sa.String(32), primary_key=True),
    sa.Column("configuration_ids", sa.Text, nullable=False),
    sa.Column("wishes", sa.Text, nullable=False),  # JSON: flow, tx_code, send, acting
    sa.Column("actor_user", sa.Text, nullable=False),
    sa.Column("created_at_us", sa.BigInteger, nullable=False),
    sa.Column("finished_at_us", sa.BigInteger),
)
credential_bulk_item = sa.Table(
    "credential_bulk_item",
    metadata,
    sa.Column("bulk_id", sa.String(32), sa.ForeignKey("credential_bulk.bulk_id"), primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("subject_id", sa.String(32), nullable=False),
    sa.Column("outcome", sa.String(24)),  # OFFERED, or the code of a refusal; null: still to come
    sa.Column("offer_id", sa.String(32)),
)

credential_grant = sa.Table(
    "credential_grant",
    metadata,
    sa.Column("grant_id", sa.String(32), primary_key=True),
    sa.Column("subject_id", sa.String(32), nullable=False),
    sa.Column("offer_id", sa.String(32)),
    sa.Column("configuration_ids", sa.Text, nullable=False),  # JSON array
    sa.Column("identifiers", sa.Text, nullable=False),  # JSON object: credential_identifier -> configuration
    sa.Column("client_id", sa.Text, nullable=False),  # "": an anonymous wallet
    sa.Column("jkt", sa.String(43)),
    sa.Column("org_id", sa.Text, nullable=False),
    sa.Column("org_kind", sa.Text, nullable=False),
    sa.Column("jurisdiction", sa.Text, nullable=False),
    sa.Column("case_no", sa.Text),
    sa.Column("created_at_us", sa.BigInteger, nullable=False),
    sa.Column("revoked_at_us", sa.BigInteger),
)
sa.Index("ix_credential_grant_subject", credential_grant.c.subject_id)

credential_token = sa.Table(
    "credential_token",
    metadata,
    sa.Column("token_hash", sa.LargeBinary, primary_key=True),  # SHA-256 of 256 random bits
    sa.Column("grant_id", sa.String(32), sa.ForeignKey("credential_grant.grant_id"), nullable=False),
    sa.Column("expires_at_us", sa.BigInteger, nullable=False),
)
sa.Index("ix_credential_token_grant", credential_token.c.grant_id)
sa.Index("ix_credential_token_expires", credential_token.c.expires_at_us)

credential_deferred = sa.Table(
    "credential_deferred",
    metadata,
    sa.Column("transaction_hash", sa.LargeBinary, primary_key=True),
    sa.Column("grant_id", sa.String(32), nullable=False),
    sa.Column("subject_id", sa.String(32), nullable=False),
    sa.Column("configuration_id", sa.Text, nullable=False),
    sa.Column("request_ct", sa.LargeBinary),  # the wallet's keys; gone once it is closed
    sa.Column("key_id", sa.String(32)),
    sa.Column("alg_id", sa.String(16)),
    sa.Column("retry_at_us", sa.BigInteger, nullable=False),
    sa.Column("created_at_us", sa.BigInteger, nullable=False),
    sa.Column("expires_at_us", sa.BigInteger, nullable=False),
    sa.Column("closed_at_us", sa.BigInteger),
)
sa.Index("ix_credential_deferred_subject", credential_deferred.c.subject_id)

credential = sa.Table(
    "credential",
    metadata,
    sa.Column("credential_id", sa.String(32), primary_key=True),
    sa.Column("batch_id", sa.String(32), nullable=False),
    sa.Column("subject_id", sa.String(32)),  # null once the person is erased
    sa.Column("configuration_id", sa.Text, nullable=False),
    sa.Column("type_id", sa.Text, nullable=False),
    sa.Column("offer_id", sa.String(32)),
    sa.Column("grant_id", sa.String(32), nullable=False),
    sa.Column("org_id", sa.Text, nullable=False),
    sa.Column("org_kind", sa.Text, nullable=False),
    sa.Column("jurisdiction", sa.Text, nullable=False),
    sa.Column("case_no", sa.Text),
    sa.Column("kid", sa.Text, nullable=False),
    sa.Column("list_id", sa.String(16), nullable=False),
    sa.Column("idx", sa.Integer, nullable=False),
    sa.Column("jkt", sa.String(43), nullable=False),  # thumbprint of the holder's key
    sa.Column("issued_at_us", sa.BigInteger, nullable=False),
    sa.Column("valid_until_us", sa.BigInteger, nullable=False),
    sa.Column("facts_ct", sa.LargeBinary),  # claims and sources, under the person's own key
    sa.Column("key_id", sa.String(32)),
    sa.Column("alg_id", sa.String(16)),
    sa.Column("facts_digest", sa.LargeBinary, nullable=False),  # keyed
    sa.Column("receipt_id", sa.String(36), nullable=False),
    sa.Column("state", sa.String(12), nullable=False),  # VALID | SUSPENDED | REVOKED
    sa.Column("reason", sa.String(40)),
    sa.Column("state_at_us", sa.BigInteger, nullable=False),
    sa.Column("notification_hash", sa.LargeBinary, nullable=False),
    sa.Column("stored", sa.String(24)),  # what the wallet said of it
    sa.Column("next_check_at_us", sa.BigInteger),  # null: not looked at any more
    sa.UniqueConstraint("list_id", "idx"),
)
sa.Index("ix_credential_batch", credential.c.batch_id)
sa.Index("ix_credential_subject", credential.c.subject_id)
sa.Index("ix_credential_grant_of", credential.c.grant_id)
_CHECKED = credential.c.next_check_at_us.is_not(None)
sa.Index("ix_credential_check", credential.c.next_check_at_us, sqlite_where=_CHECKED, postgresql_where=_CHECKED)

status_list = sa.Table(
    "status_list",
    metadata,
    sa.Column("list_id", sa.String(16), primary_key=True),
    sa.Column("bits", sa.Integer, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("allotted", sa.Integer, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),  # grows with every change of a status
    sa.Column("token", sa.LargeBinary),  # signed, of `token_version`
    sa.Column("token_version", sa.BigInteger, nullable=False),
    sa.Column("token_exp_us", sa.BigInteger, nullable=False),
    sa.Column("created_at_us", sa.BigInteger, nullable=False),
)
# Every place that was ever allotted; the key makes each of them a thing one credential gets.
status_entry = sa.Table(
    "status_entry",
    metadata,
    sa.Column("list_id", sa.String(16), sa.ForeignKey("status_list.list_id"), primary_key=True),
    sa.Column("idx", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("value", sa.Integer, nullable=False),  # 0 valid, 1 revoked, 2 suspended
    sqlite_with_rowid=False,
)
_NOT_VALID = status_entry.c.value != 0
sa.Index(
    "ix_status_entry_set", status_entry.c.list_id, status_entry.c.idx, sqlite_where=_NOT_VALID,
    postgresql_where=_NOT_VALID,
)  # fmt: skip
status_change = sa.Table(
    "status_change",  # only ever added to: what a list said at any moment
    metadata,
    sa.Column("list_id", sa.String(16), primary_key=True),
    sa.Column("id", sa.String(36), primary_key=True),  # time-ordered
    sa.Column("idx", sa.Integer, nullable=False),
    sa.Column("value", sa.Integer, nullable=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
)

presentation = sa.Table(
    "presentation",
    metadata,
    sa.Column("presentation_id", sa.String(32), primary_key=True),  # told to whoever asked
    sa.Column("request_ref", sa.String(43), nullable=False, unique=True),  # in request_uri
    sa.Column("response_ref", sa.String(43), nullable=False, unique=True),  # in response_uri
    sa.Column("client_id", sa.Text, nullable=False),  # the partner's OAuth client; "" for a clerk at the counter
    sa.Column("org_id", sa.Text, nullable=False),
    sa.Column("actor_user", sa.Text, nullable=False),
    sa.Column("template", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("file_mark", sa.Text, nullable=False),  # the asker's own reference
    sa.Column("dcql", sa.Text, nullable=False),  # JSON
    sa.Column("profile", sa.String(8), nullable=False),  # open | haip
    sa.Column("same_device", sa.Boolean, nullable=False),
    sa.Column("return_to", sa.Text),  # where the browser goes back to, of the client's registered addresses
    sa.Column("nonce", sa.String(43), nullable=False),
    sa.Column("state_text", sa.String(43), nullable=False),
    sa.Column("encryption_ct", sa.LargeBinary),  # the key answers are encrypted to, of this request alone
    sa.Column("key_id", sa.String(32)),
    sa.Column("alg_id", sa.String(16)),
    sa.Column("step", sa.String(12), nullable=False),  # CREATED | FETCHED | ANSWERED | REFUSED | FAILED | RETRIEVED
    sa.Column("code_hash", sa.LargeBinary),  # of the response_code, for the same browser
    sa.Column("result_ct", sa.LargeBinary),  # gone once it was fetched
    sa.Column("reason", sa.String(40)),
    sa.Column("consent_id", sa.String(32)),  # where showing it gave a consent
    sa.Column("created_at_us", sa.BigInteger, nullable=False),
    sa.Column("expires_at_us", sa.BigInteger, nullable=False),
    sa.Column("answered_at_us", sa.BigInteger),
    sa.Column("retrieved_at_us", sa.BigInteger),
)
sa.Index("ix_presentation_expires", presentation.c.expires_at_us)
sa.Index("ix_presentation_client", presentation.c.client_id, presentation.c.created_at_us)

errand_avoided = sa.Table(
    "errand_avoided",  # a paper that nobody fetched, because this was shown; whose it was is not kept
    metadata,
    sa.Column("presentation_id", sa.String(32), primary_key=True),
    sa.Column("type_id", sa.Text, primary_key=True),
    sa.Column("org_id", sa.Text, nullable=False),  # who would have asked for the paper
    sa.Column("at_us", sa.BigInteger, nullable=False),
)
sa.Index("ix_errand_avoided_at", errand_avoided.c.at_us)

dispute = sa.Table(
    "dispute",
    metadata,
    sa.Column("dispute_id", sa.String(32), primary_key=True),
    sa.Column("subject_id", sa.String(32)),  # null once the person is erased
    sa.Column("noun", sa.Text, nullable=False),
    sa.Column("field", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("statement_ct", sa.LargeBinary),  # the person's words, under their own key
    sa.Column("answer_ct", sa.LargeBinary),  # the body's, to them
    sa.Column("key_id", sa.String(32)),
    sa.Column("alg_id", sa.String(16)),
    sa.Column("state", sa.String(12), nullable=False),  # OPEN | CORRECTED | REFUSED | WITHDRAWN
    sa.Column("opened_at_us", sa.BigInteger, nullable=False),
    sa.Column("due_at_us", sa.BigInteger, nullable=False),
    sa.Column("decided_at_us", sa.BigInteger),
    sa.Column("decided_by", sa.Text),
    sa.Column("decided_org", sa.Text),
)
sa.Index("ix_dispute_subject", dispute.c.subject_id)
_OPEN_DISPUTE = dispute.c.state == sa.literal_column("'OPEN'")
sa.Index(
    "uq_dispute_open", dispute.c.subject_id, dispute.c.noun, dispute.c.field, dispute.c.source, unique=True,
    sqlite_where=_OPEN_DISPUTE, postgresql_where=_OPEN_DISPUTE,
)  # fmt: skip
