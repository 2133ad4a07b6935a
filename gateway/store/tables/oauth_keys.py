"""Signing keys of the authorization server, what may be used once (assertion and proof ids), and what was revoked."""

from __future__ import annotations

import sqlalchemy as sa

from gateway.store.tables.base import metadata

oauth_signing_key = sa.Table(
    "oauth_signing_key",
    metadata,
    sa.Column("kid", sa.String(64), primary_key=True),
    sa.Column("state", sa.String(8), nullable=False),  # NEXT | CURRENT | RETIRED
    sa.Column("private_jwk_ct", sa.LargeBinary, nullable=False),
    sa.Column("key_id", sa.String(32), sa.ForeignKey("data_key.key_id"), nullable=False),
    sa.Column("alg_id", sa.String(16), nullable=False),
    sa.Column("created_at_us", sa.BigInteger, nullable=False),
    sa.Column("published_until_us", sa.BigInteger),  # of a RETIRED one: when its last token is past
)
_not_retired = oauth_signing_key.c.state != sa.literal_column("'RETIRED'")
# Two replicas that start or rotate together cannot leave two current keys behind.
sa.Index(
    "uq_oauth_signing_key_state",
    oauth_signing_key.c.state,
    unique=True,
    sqlite_where=_not_retired,
    postgresql_where=_not_retired,
)

spent_once = sa.Table(
    "spent_once",
    metadata,
    sa.Column("kind", sa.String(16), primary_key=True),  # assertion | dpop
    sa.Column("key", sa.String(64), primary_key=True),  # a hash; nothing a client wrote
    sa.Column("until_us", sa.BigInteger, nullable=False),  # after which what it guards is dead by itself
    sqlite_with_rowid=False,
)
sa.Index("ix_spent_once_until", spent_once.c.until_us)

revocation = sa.Table(
    "revocation",  # asked at every request, so it holds only what a living token could still need
    metadata,
    sa.Column("kind", sa.String(16), primary_key=True),  # token | grant | consent | user | client
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("at_us", sa.BigInteger, nullable=False),  # user, client: grants older than this are dead
    sa.Column("until_us", sa.BigInteger, nullable=False),  # when the last token it could concern is past
    sqlite_with_rowid=False,
)
sa.Index("ix_revocation_until", revocation.c.until_us)
