"""The foundation's tables. Instants are whole microseconds since 1970 UTC (`_us`), the same integer on both databases.

In psql: `to_timestamp(at_us / 1e6)`. Columns ending in `_ct` hold ciphertext only; JSON columns hold no personal data.
"""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

data_key = sa.Table(
    "data_key",  # envelope encryption: random keys, each wrapped by the master key
    metadata,
    sa.Column("key_id", sa.String(32), primary_key=True),
    sa.Column("purpose", sa.String(16), nullable=False),  # ROOT (HMAC keys grow from it) | COLUMNS
    sa.Column("alg_id", sa.String(16), nullable=False),  # of the columns sealed with it
    sa.Column("master_id", sa.String(16), nullable=False),  # which master key wraps it; a fingerprint, not the key
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
    sa.Column("created_at_us", sa.BigInteger, nullable=False),
)

subject = sa.Table(
    "subject",
    metadata,
    sa.Column("subject_id", sa.String(32), primary_key=True),  # 128 random bits
    sa.Column("id_hmac", sa.LargeBinary, nullable=False, unique=True),  # keyed, so a stolen table cannot be searched
    sa.Column("id_no_ct", sa.LargeBinary),
    sa.Column("name_ct", sa.LargeBinary),
    sa.Column("key_id", sa.String(32), sa.ForeignKey("data_key.key_id")),
    sa.Column("alg_id", sa.String(16)),
    sa.Column("created_at_us", sa.BigInteger, nullable=False),
)

access_event = sa.Table(
    "access_event",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),  # time-ordered, so the key is also the journal's order
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("recorded_at_us", sa.BigInteger, nullable=False),
    sa.Column("actor_org", sa.Text, nullable=False),
    sa.Column("actor_user", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("case_no", sa.Text),
    sa.Column("reference", sa.Text),
    sa.Column("fields", sa.Text, nullable=False),  # JSON array
    sa.Column("decision", sa.String(8), nullable=False),
    sa.Column("rule_ids", sa.Text, nullable=False),  # JSON array
    sa.Column("legal_basis", sa.Text, nullable=False),  # JSON array
    sa.Column("policy_version", sa.Text, nullable=False),
    sa.Column("result_digest", sa.LargeBinary, nullable=False),
    sa.Column("result_salt", sa.LargeBinary, nullable=False),
    sa.Column("states", sa.Text, nullable=False),  # JSON object
    sa.Column(
        "client_id", sa.Text, nullable=False, server_default=sa.text("''")
    ),  # the OAuth client the question came through
    sa.Column("grant_id", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("consent_id", sa.Text),  # the consent the answer rests on, where it rests on one
    sa.Column("level", sa.Integer, nullable=False, server_default="0"),  # authentication level of the asker
    # What really decided, where answers must not say it (seals, relationships): supervisors and prosecutors only.
    sa.Column("inner_rule_ids", sa.Text, nullable=False, server_default="[]"),  # JSON array
    sa.Column("visible_from_us", sa.BigInteger),  # when the person may see it; null = at once
    sa.Column("repeats", sa.Integer, nullable=False, server_default="1"),  # equal refusals of a flood, in one row
    # JSON: what the decision was made from, as codes; it says more than answers may, so for supervisors only.
    sa.Column("inputs", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("upstream", sa.Text),  # JSON array: the receipts of other gateways asked for it; null = none was
    sa.Column(
        "seed_ct", sa.LargeBinary
    ),  # what opens its ledger entry; of a record about persons, the seeds of all of them in the order of their ids
)
sa.Index("ix_access_event_actor", access_event.c.actor_org, access_event.c.id)

# A table, not a JSON column: a person asks "who looked at me", and the key answers that in time order.
access_event_subject = sa.Table(
    "access_event_subject",
    metadata,
    sa.Column("subject_id", sa.String(32), primary_key=True),
    sa.Column("event_id", sa.String(36), sa.ForeignKey("access_event.id"), primary_key=True),
    sa.Column("seed_ct", sa.LargeBinary),  # of records of earlier versions, whose event has none: this subject's own
    sqlite_with_rowid=False,
)
sa.Index("ix_access_event_subject_event", access_event_subject.c.event_id)  # the persons of a record

# SQLite only: a whole record, until it is taken into `access_event`, the table above and `ledger_outbox`, many at a time.
access_event_pending = sa.Table(
    "access_event_pending",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    *(sa.Column(one.name, one.type, nullable=one.nullable) for one in access_event.c),
    sa.Column("subjects", sa.Text),  # JSON array; null = it is about nobody
    sa.Column("due_at_us", sa.BigInteger, nullable=False),  # of its row in `ledger_outbox`
    sa.Column("entry", sa.LargeBinary, nullable=False),
)

job = sa.Table(
    "job",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("kind", sa.String(64), nullable=False),
    sa.Column("payload", sa.Text, nullable=False),  # JSON object, opaque ids only
    sa.Column("unique_key", sa.Text),
    sa.Column("state", sa.String(8), nullable=False),  # OPEN | DONE | FAILED
    sa.Column("run_at_us", sa.BigInteger, nullable=False),  # when it should run
    sa.Column("due_at_us", sa.BigInteger, nullable=False),  # when a worker may take it: run_at, then the lease's end
    sa.Column("worker", sa.Text),  # who holds it; null when nobody does
    sa.Column("fence", sa.BigInteger, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("progress", sa.Float, nullable=False),
    sa.Column("reason", sa.Text),  # why it failed last; no personal data
    sa.Column("created_at_us", sa.BigInteger, nullable=False),
    sa.Column("finished_at_us", sa.BigInteger),
)
_open_job = job.c.state == sa.literal_column("'OPEN'")
sa.Index("ix_job_due", job.c.due_at_us, job.c.kind, sqlite_where=_open_job, postgresql_where=_open_job)
sa.Index(
    "uq_job_open_key", job.c.kind, job.c.unique_key, unique=True, sqlite_where=_open_job, postgresql_where=_open_job
)

heartbeat = sa.Table(
    "heartbeat",  # one row, rewritten by readiness checks: only a write proves that writes work
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
)

# What was done to anything but a person's data: identities, consents, rules, keys. Written in the transaction of the
# change itself, so there is no change without its record.
change_event = sa.Table(
    "change_event",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),  # time-ordered
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("actor_org", sa.Text, nullable=False),
    sa.Column("actor_user", sa.Text, nullable=False),
    sa.Column("kind", sa.String(64), nullable=False),  # e.g. OFFICER_CHANGED, CONSENT_GIVEN, POLICY_APPROVED
    sa.Column("object_id", sa.Text, nullable=False),  # opaque id of what changed
    sa.Column("subject_id", sa.String(32)),  # the person it is about, if any
    sa.Column("detail", sa.Text, nullable=False),  # JSON object of codes and opaque ids, no personal data
    sa.Column("seed_ct", sa.LargeBinary),  # what opens its ledger entry, under the subject's key where there is one
)
sa.Index("ix_change_event_kind", change_event.c.kind, change_event.c.id)
sa.Index("ix_change_event_object", change_event.c.object_id, change_event.c.id)

alert = sa.Table(
    "alert",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),  # time-ordered
    sa.Column("type", sa.String(32), nullable=False),  # A11_INSIDER, A12_PARTNER_SCRAPE, A17_RULE_WAIVED, ...
    sa.Column("severity", sa.String(2), nullable=False),  # S1 | S2 | S3
    sa.Column("about", sa.String(16), nullable=False),  # PERSON | OFFICER | PARTNER | SYSTEM
    sa.Column("about_id", sa.Text, nullable=False),  # opaque id
    sa.Column("org_id", sa.Text, nullable=False),  # whose supervisors see it
    sa.Column("subject_id", sa.String(32)),
    sa.Column("detail", sa.Text, nullable=False),  # JSON object, no personal data
    sa.Column("opened_at_us", sa.BigInteger, nullable=False),
    sa.Column("due_at_us", sa.BigInteger),
    sa.Column("ack_by", sa.Text),
    sa.Column("ack_at_us", sa.BigInteger),
    sa.Column("outcome", sa.Text),
    sa.Column("closed_at_us", sa.BigInteger),
    sa.Column("seed_ct", sa.LargeBinary),  # what opens its ledger entry, under the subject's key where there is one
)
sa.Index("ix_alert_org", alert.c.org_id, alert.c.id)
sa.Index("ix_alert_about", alert.c.about_id, alert.c.type, alert.c.id)
