"""Consents as append-only events, their use, and the links and codes a person answers with."""

from __future__ import annotations

import sqlalchemy as sa

from gateway.store.tables.base import metadata

# The terms as asked, never changed afterwards (but for whose they are); what became of them is in `consent_event`.
consent = sa.Table(
    "consent",
    metadata,
    sa.Column("consent_id", sa.String(32), primary_key=True),  # told to the grantee only once it is given
    sa.Column("request_id", sa.String(32), nullable=False, unique=True),  # told to whoever asked
    sa.Column("subject_id", sa.String(32)),  # null until somebody has looked who it is: asking must not look
    sa.Column("person_ct", sa.LargeBinary),  # ID number and name as the grantee said them; gone once looked at
    sa.Column("key_id", sa.String(32), sa.ForeignKey("data_key.key_id")),
    sa.Column("alg_id", sa.String(16)),
    sa.Column("client_id", sa.Text, nullable=False),
    sa.Column("org_id", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("items", sa.Text, nullable=False),  # JSON array of "noun.field", sorted
    sa.Column("from_us", sa.BigInteger, nullable=False),
    sa.Column("until_us", sa.BigInteger, nullable=False),
    sa.Column("mode", sa.String(16), nullable=False),  # one_time | recurring
    sa.Column("max_per_day", sa.Integer, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),  # the grantee's own file mark; one request a mark
    sa.Column("terms_digest", sa.LargeBinary, nullable=False),  # keyed; whether a second request is the same one
    sa.Column("asked_at_us", sa.BigInteger, nullable=False),
    sa.Column("answer_by_us", sa.BigInteger, nullable=False),
)
sa.Index("uq_consent_reference", consent.c.client_id, consent.c.reference, unique=True)
sa.Index("ix_consent_subject", consent.c.subject_id, consent.c.client_id, consent.c.purpose)

# Rows are only ever added. `seq` 1 is the request, 2 the answer to it, 3 the end of a consent that was given: the key
# makes each of them a race that one writer wins.
consent_event = sa.Table(
    "consent_event",
    metadata,
    sa.Column("consent_id", sa.String(32), sa.ForeignKey("consent.consent_id"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("state", sa.String(16), nullable=False),  # requested | given | refused | withdrawn | expired | superseded
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("done_by", sa.String(16), nullable=False),  # grantee | principal | system
    sa.Column("method", sa.String(16), nullable=False),  # api | one_time_code | device | clock | newer_consent
    sa.Column("notice_version", sa.Text),  # of what was shown when it was given or refused
    sa.Column("notice_sha256", sa.String(64)),
    sa.Column("language", sa.String(16)),
    sa.Column("receipt_ct", sa.LargeBinary),  # the signed receipt of `given`
    sa.Column("key_id", sa.String(32)),
    sa.Column("alg_id", sa.String(16)),
)

# Uses, counted. `day` is the civil day in China (days since 1970), 0 for a consent that may be used once at all.
consent_use = sa.Table(
    "consent_use",
    metadata,
    sa.Column("consent_id", sa.String(32), sa.ForeignKey("consent.consent_id"), primary_key=True),
    sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("uses", sa.Integer, nullable=False),
    sa.Column("allowed", sa.Integer, nullable=False),
    sa.Column("last_us", sa.BigInteger, nullable=False),
)

person_link = sa.Table(
    "person_link",
    metadata,
    sa.Column("token_hash", sa.LargeBinary, primary_key=True),  # SHA-256 of 256 random bits
    sa.Column("subject_id", sa.String(32), nullable=False),
    sa.Column("enrolment_id", sa.Text, nullable=False),  # of the phone it was sent to; a new phone ends it
    sa.Column("consent_id", sa.String(32)),  # where it leads; null: the person's own pages
    sa.Column("expires_at_us", sa.BigInteger, nullable=False),
    # The one-time code in force for this link. Hash only, under a key of ours: six digits are nothing to try out.
    sa.Column("code_hash", sa.LargeBinary),
    sa.Column("code_expires_at_us", sa.BigInteger),
    sa.Column("code_tries", sa.Integer, nullable=False, server_default="0"),
)
sa.Index("ix_person_link_expires", person_link.c.expires_at_us)

person_session = sa.Table(
    "person_session",
    metadata,
    sa.Column("token_hash", sa.LargeBinary, primary_key=True),
    sa.Column("subject_id", sa.String(32), nullable=False),
    sa.Column("enrolment_id", sa.Text, nullable=False),
    sa.Column("method", sa.String(16), nullable=False),  # one_time_code | device
    sa.Column("expires_at_us", sa.BigInteger, nullable=False),
)
sa.Index("ix_person_session_subject", person_session.c.subject_id)

person_device = sa.Table(
    "person_device",
    metadata,
    sa.Column("token_hash", sa.LargeBinary, primary_key=True),
    sa.Column("subject_id", sa.String(32), nullable=False),
    sa.Column("enrolment_id", sa.Text, nullable=False),
    sa.Column("expires_at_us", sa.BigInteger, nullable=False),
)
sa.Index("ix_person_device_subject", person_device.c.subject_id)

# How many messages a person was sent in a window; one conditional upsert counts and refuses.
person_allowance = sa.Table(
    "person_allowance",
    metadata,
    sa.Column("subject_id", sa.String(32), primary_key=True),
    sa.Column("kind", sa.String(16), primary_key=True),  # CODE | LINK
    sa.Column("span", sa.BigInteger, primary_key=True, autoincrement=False),  # number of the window since 1970
    sa.Column("spent", sa.Integer, nullable=False),
)
