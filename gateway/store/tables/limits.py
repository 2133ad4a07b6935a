"""Budgets and counters of partner clients, their suspensions, and floods of equal refusals; shared by all replicas.

No subject stands here in the clear: who was asked about is a tag under a key of this client and span.
"""

from __future__ import annotations

import sqlalchemy as sa

from gateway.store.tables.base import metadata

client_meter = sa.Table(
    "client_meter",  # one row a client: until when its rate and its budget are spoken for (GCRA)
    metadata,
    sa.Column("client_id", sa.String(128), primary_key=True),
    sa.Column("request_tat_us", sa.BigInteger, nullable=False),  # theoretical arrival time of the next request
    sa.Column("cost_tat_us", sa.BigInteger, nullable=False),
    sa.Column("requests_per_minute", sa.BigInteger),  # null = the deployment's default
    sa.Column("cost_per_minute", sa.BigInteger),
    sa.Column("subjects_per_day", sa.BigInteger),
)

client_window = sa.Table(
    "client_window",
    metadata,
    sa.Column("client_id", sa.String(128), primary_key=True),
    sa.Column("span_s", sa.Integer, primary_key=True),
    sa.Column("start_us", sa.BigInteger, primary_key=True),
    sa.Column("requests", sa.BigInteger, nullable=False),
    sa.Column("limited", sa.BigInteger, nullable=False),  # refused for rate or budget
    sa.Column("denied", sa.BigInteger, nullable=False),  # refused as a whole by a rule
    sa.Column("hits", sa.BigInteger, nullable=False),  # different persons there was a consent for
    sa.Column("misses", sa.BigInteger, nullable=False),  # different persons there was none for
    sa.Column("last_at_us", sa.BigInteger, nullable=False),
)

client_subject = sa.Table(
    "client_subject",
    metadata,
    sa.Column("client_id", sa.String(128), primary_key=True),
    sa.Column("span_s", sa.Integer, primary_key=True),
    sa.Column("start_us", sa.BigInteger, primary_key=True),
    sa.Column("hit", sa.Integer, primary_key=True, autoincrement=False),  # 1 | 0
    sa.Column("tag", sa.LargeBinary, primary_key=True),
    sqlite_with_rowid=False,
)

client_suspension = sa.Table(
    "client_suspension",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("client_id", sa.String(128), nullable=False),
    sa.Column("org_id", sa.String(64), nullable=False),
    sa.Column("rule", sa.String(32), nullable=False),  # LOW_HIT_RATE | ENUMERATION | MANY_SUBJECTS | HAMMERING
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("pack", sa.Text, nullable=False),  # JSON: counts, times, event ids; no personal data
    sa.Column("done", sa.Boolean, nullable=False),  # disabled, revoked and told; else the next look does it again
    sa.Column("lifted_at_us", sa.BigInteger),
    sa.Column("lifted_by", sa.Text),
)
_live = client_suspension.c.lifted_at_us.is_(None)
sa.Index(
    "uq_client_suspension_live", client_suspension.c.client_id, unique=True, sqlite_where=_live, postgresql_where=_live
)

refusal_flood = sa.Table(
    "refusal_flood",  # equal refusals counted here until their span is over, then one access event
    metadata,
    sa.Column("key", sa.LargeBinary, primary_key=True),  # hash of all that makes two refusals equal
    sa.Column("span_us", sa.BigInteger, primary_key=True),  # the span's beginning
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("event", sa.Text, nullable=False),  # JSON of the first one: opaque ids and codes
    sa.Column("receipt_id", sa.String(36), nullable=False),  # of the last equal refusal that was recorded by itself
    sa.Column("receipt_at_us", sa.BigInteger, nullable=False),
    sa.Column("until_us", sa.BigInteger, nullable=False),  # when it is to be recorded
    sa.Column("taken_until_us", sa.BigInteger, nullable=False),  # a replica is recording it now
)
sa.Index("ix_refusal_flood_until", refusal_flood.c.until_us)
