"""The authorization server's tables: clients, pushed requests, codes, grants, refresh tokens.

Whatever opens something (code, refresh token, request_uri, registration and initial access token) is kept as its
SHA-256 only: each is at least 256 random bits, so the hash gives nothing away. JSON columns hold codes and opaque ids.
"""

from __future__ import annotations

import sqlalchemy as sa

from gateway.store.tables.base import metadata

oauth_client = sa.Table(
    "oauth_client",
    metadata,
    sa.Column("client_id", sa.String(64), primary_key=True),
    sa.Column("org_id", sa.Text, nullable=False),  # whose client it is
    sa.Column("kind", sa.String(16), nullable=False),  # OFFICER | SYSTEM | PARTNER
    sa.Column("registered", sa.Text, nullable=False),  # JSON object: RFC 7591 metadata as checked, keys apart
    sa.Column("jwks", sa.Text, nullable=False),  # JSON object, public keys
    sa.Column("previous_jwks", sa.Text),  # JSON object: keys before the last rotation
    sa.Column("previous_until_us", sa.BigInteger),  # until when they still verify
    sa.Column("disabled_at_us", sa.BigInteger),
    sa.Column("created_at_us", sa.BigInteger, nullable=False),
    sa.Column("updated_at_us", sa.BigInteger, nullable=False),
)
sa.Index("ix_oauth_client_org", oauth_client.c.org_id)

oauth_pushed_request = sa.Table(
    "oauth_pushed_request",  # RFC 9126
    metadata,
    sa.Column("request_hash", sa.LargeBinary, primary_key=True),
    sa.Column("client_id", sa.String(64), nullable=False),
    sa.Column("parameters", sa.Text, nullable=False),  # JSON object, as checked
    sa.Column("expires_at_us", sa.BigInteger, nullable=False),
    sa.Column("used_at_us", sa.BigInteger),  # when the user authorised (or refused), not when the page was shown
)
sa.Index("ix_oauth_pushed_request_expires", oauth_pushed_request.c.expires_at_us)

oauth_grant = sa.Table(
    "oauth_grant",  # one authorization; its tokens live and die with it
    metadata,
    sa.Column("grant_id", sa.String(32), primary_key=True),
    sa.Column("client_id", sa.String(64), nullable=False),
    sa.Column("user_id", sa.Text, nullable=False),  # the client where no person stands behind it
    sa.Column("scope", sa.Text, nullable=False),  # JSON array
    sa.Column("authorization_details", sa.Text, nullable=False),  # JSON array, as granted
    sa.Column("claims", sa.Text, nullable=False),  # JSON object: org_id, roles, posts, level ... of the login
    sa.Column("created_at_us", sa.BigInteger, nullable=False),
    sa.Column("expires_at_us", sa.BigInteger, nullable=False),  # after which nothing can come of it
    sa.Column("revoked_at_us", sa.BigInteger),
)
sa.Index("ix_oauth_grant_client", oauth_grant.c.client_id)
sa.Index("ix_oauth_grant_user", oauth_grant.c.user_id)
sa.Index("ix_oauth_grant_expires", oauth_grant.c.expires_at_us)

oauth_code = sa.Table(
    "oauth_code",
    metadata,
    sa.Column("code_hash", sa.LargeBinary, primary_key=True),
    sa.Column("grant_id", sa.String(32), sa.ForeignKey("oauth_grant.grant_id"), nullable=False),
    sa.Column("client_id", sa.String(64), nullable=False),
    sa.Column("redirect_uri", sa.Text, nullable=False),
    sa.Column("code_challenge", sa.String(128), nullable=False),  # S256, always
    sa.Column("dpop_jkt", sa.String(64)),  # the key it is bound to, where the client said one
    sa.Column("resource", sa.Text, nullable=False),
    sa.Column("expires_at_us", sa.BigInteger, nullable=False),
    sa.Column("used_at_us", sa.BigInteger),
)
sa.Index("ix_oauth_code_grant", oauth_code.c.grant_id)
sa.Index("ix_oauth_code_expires", oauth_code.c.expires_at_us)

oauth_refresh_token = sa.Table(
    "oauth_refresh_token",
    metadata,
    sa.Column("token_hash", sa.LargeBinary, primary_key=True),
    sa.Column("grant_id", sa.String(32), sa.ForeignKey("oauth_grant.grant_id"), nullable=False),
    sa.Column("client_id", sa.String(64), nullable=False),
    sa.Column("resource", sa.Text, nullable=False),
    sa.Column("issued_at_us", sa.BigInteger, nullable=False),
    sa.Column("expires_at_us", sa.BigInteger, nullable=False),
    sa.Column("used_at_us", sa.BigInteger),  # where the client rotates: when the next one took its place
)
sa.Index("ix_oauth_refresh_token_grant", oauth_refresh_token.c.grant_id)
sa.Index("ix_oauth_refresh_token_expires", oauth_refresh_token.c.expires_at_us)

oauth_registration_token = sa.Table(
    "oauth_registration_token",  # RFC 7592: with it a client reads and changes its own registration
    metadata,
    sa.Column("token_hash", sa.LargeBinary, primary_key=True),
    sa.Column("client_id", sa.String(64), sa.ForeignKey("oauth_client.client_id"), nullable=False, unique=True),
    sa.Column("policy", sa.Text, nullable=False),  # JSON object: that of the initial token, still the most there may be
    sa.Column("created_at_us", sa.BigInteger, nullable=False),
)

oauth_initial_token = sa.Table(
    "oauth_initial_token",  # RFC 7591, section 3: who may register at all, and what at most
    metadata,
    sa.Column("token_hash", sa.LargeBinary, primary_key=True),
    sa.Column("policy", sa.Text, nullable=False),  # JSON object: org_id, org_kind, kind, purposes, ... at most
    sa.Column("uses_left", sa.Integer, nullable=False),
    sa.Column("expires_at_us", sa.BigInteger, nullable=False),
    sa.Column("created_at_us", sa.BigInteger, nullable=False),
)
