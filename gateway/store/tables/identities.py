"""Organisations, officers, posts, devices, and the phones of enrolled persons.

Which case is whose stands with the case facts. JSON columns hold codes only.
"""

from __future__ import annotations

import sqlalchemy as sa

from gateway.store.tables.base import metadata

organisation = sa.Table(
    "organisation",
    metadata,
    sa.Column("org_id", sa.String(64), primary_key=True),  # the deployment's own short code
    sa.Column("name_zh", sa.Text, nullable=False),  # bodies have no secrets in their names
    sa.Column("name_en", sa.Text, nullable=False),
    sa.Column("uscc", sa.String(18), unique=True),  # GB 32100
    sa.Column("kind", sa.String(32), nullable=False),  # CORRECTION_AGENCY | POLICE | BANK | ...
    sa.Column("jurisdiction", sa.String(6), nullable=False),  # GB/T 2260: 2, 4 or 6 digits; '' for partners
    sa.Column("parent_id", sa.String(64)),  # checked by the import, which sees the whole file
    sa.Column("agency_keys", sa.Text, nullable=False),  # JSON: a JWK set, public keys only
    sa.Column("purposes", sa.Text, nullable=False),  # JSON array: what a partner is registered for
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("updated_at_us", sa.BigInteger, nullable=False),
)

officer = sa.Table(
    "officer",
    metadata,
    sa.Column("user_id", sa.String(32), primary_key=True),  # 128 random bits
    sa.Column("org_id", sa.String(64), sa.ForeignKey("organisation.org_id"), nullable=False),
    sa.Column("login", sa.String(64), nullable=False, unique=True),  # folded; a staff number rather than a name
    sa.Column("external_id", sa.String(255), unique=True),  # `sub` at the deployment's OIDC provider
    sa.Column("subject_id", sa.String(32), sa.ForeignKey("subject.subject_id")),  # of the officer's own ID number
    sa.Column("name_ct", sa.LargeBinary, nullable=False),
    sa.Column("key_id", sa.String(32), sa.ForeignKey("data_key.key_id"), nullable=False),
    sa.Column("alg_id", sa.String(16), nullable=False),
    sa.Column("roles", sa.Text, nullable=False),  # JSON array, besides those of the posts
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("updated_at_us", sa.BigInteger, nullable=False),
)
sa.Index("ix_officer_org", officer.c.org_id)
sa.Index("ix_officer_subject", officer.c.subject_id)  # "is this person one of us": relationships, oneself

post = sa.Table(
    "post",
    metadata,
    sa.Column("org_id", sa.String(64), sa.ForeignKey("organisation.org_id"), primary_key=True),
    sa.Column("code", sa.String(64), primary_key=True),
    sa.Column("title_zh", sa.Text, nullable=False),
    sa.Column("title_en", sa.Text, nullable=False),
    sa.Column("roles", sa.Text, nullable=False),  # JSON array
    sa.Column("purposes", sa.Text, nullable=False),  # JSON array: what whoever holds it may claim
    sa.Column("from_us", sa.BigInteger),  # null = always
    sa.Column("to_us", sa.BigInteger),  # the first instant it no longer holds; null = until further notice
)

officer_post = sa.Table(
    "officer_post",
    metadata,
    sa.Column("user_id", sa.String(32), sa.ForeignKey("officer.user_id"), primary_key=True),
    sa.Column("org_id", sa.String(64), primary_key=True),
    sa.Column("code", sa.String(64), primary_key=True),
    sa.Column("from_us", sa.BigInteger),
    sa.Column("to_us", sa.BigInteger),
    sa.ForeignKeyConstraint(["org_id", "code"], ["post.org_id", "post.code"]),
)
sa.Index("ix_officer_post_post", officer_post.c.org_id, officer_post.c.code)

device = sa.Table(
    "device",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),  # of this binding: a device is bound to one after another
    sa.Column("device_id", sa.String(64), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),  # WRISTBAND | PHONE | FINGERPRINT | VIDEO | TERMINAL
    sa.Column("org_id", sa.String(64), sa.ForeignKey("organisation.org_id"), nullable=False),
    sa.Column("user_id", sa.String(32), sa.ForeignKey("officer.user_id")),
    sa.Column("subject_id", sa.String(32), sa.ForeignKey("subject.subject_id")),
    sa.Column("bound_from_us", sa.BigInteger, nullable=False),
    sa.Column("bound_to_us", sa.BigInteger),
)
_bound = device.c.bound_to_us.is_(None)
sa.Index("uq_device_bound", device.c.device_id, unique=True, sqlite_where=_bound, postgresql_where=_bound)
sa.Index("ix_device_subject", device.c.subject_id)

person_phone = sa.Table(
    "person_phone",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("subject_id", sa.String(32), sa.ForeignKey("subject.subject_id"), nullable=False),
    sa.Column("phone_ct", sa.LargeBinary, nullable=False),
    sa.Column("phone_hmac", sa.LargeBinary, nullable=False),  # keyed; tells whether a number changed, never which
    sa.Column("key_id", sa.String(32), sa.ForeignKey("data_key.key_id"), nullable=False),
    sa.Column("alg_id", sa.String(16), nullable=False),
    sa.Column("enrolled_by", sa.String(64), nullable=False),  # the officer at the counter
    sa.Column("enrolled_org", sa.String(64), nullable=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("ended_at_us", sa.BigInteger),
)
_live = person_phone.c.ended_at_us.is_(None)
sa.Index("uq_person_phone_live", person_phone.c.subject_id, unique=True, sqlite_where=_live, postgresql_where=_live)
sa.Index("ix_person_phone_hmac", person_phone.c.phone_hmac)

demo_message = sa.Table(
    "demo_message",  # what a deployment would send by SMS, kept for the demo's inbox page
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),  # time-ordered
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("text_ct", sa.LargeBinary, nullable=False),  # JSON: phone, zh, en, link
    sa.Column("key_id", sa.String(32), sa.ForeignKey("data_key.key_id"), nullable=False),
    sa.Column("alg_id", sa.String(16), nullable=False),
)
