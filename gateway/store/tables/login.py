"""What officers log in with, their sessions, and how often somebody tried. Secrets of browsers stand here hashed only."""

from __future__ import annotations

import sqlalchemy as sa

from gateway.store.tables.base import metadata

login_account = sa.Table(
    "login_account",  # an officer's own password here; none for who comes through an OIDC provider only
    metadata,
    sa.Column("user_id", sa.String(32), primary_key=True),
    sa.Column("password_hash", sa.Text, nullable=False),  # argon2id, PHC string
    sa.Column("demo", sa.Boolean, nullable=False),  # made from the demo accounts' file: opens nothing outside the demo
    sa.Column("set_at_us", sa.BigInteger, nullable=False),
)

login_totp = sa.Table(
    "login_totp",
    metadata,
    sa.Column("user_id", sa.String(32), primary_key=True),
    sa.Column("secret_ct", sa.LargeBinary, nullable=False),
    sa.Column("key_id", sa.String(32), sa.ForeignKey("data_key.key_id"), nullable=False),
    sa.Column("alg_id", sa.String(16), nullable=False),
    sa.Column("last_step", sa.BigInteger, nullable=False),  # the latest time-step spent; none before it counts again
    sa.Column("set_at_us", sa.BigInteger, nullable=False),
)

login_passkey = sa.Table(
    "login_passkey",
    metadata,
    sa.Column("credential_id", sa.LargeBinary, primary_key=True),
    sa.Column("user_id", sa.String(32), nullable=False),
    sa.Column("public_key", sa.LargeBinary, nullable=False),  # COSE
    sa.Column("sign_count", sa.BigInteger, nullable=False),
    sa.Column("set_at_us", sa.BigInteger, nullable=False),
    sa.Column("used_at_us", sa.BigInteger),
)
sa.Index("ix_login_passkey_user", login_passkey.c.user_id)

login_external = sa.Table(
    "login_external",  # who an OIDC provider's account is
    metadata,
    sa.Column("key", sa.LargeBinary, primary_key=True),  # HMAC of (iss, sub): a provider may use ID numbers as `sub`
    sa.Column("user_id", sa.String(32), nullable=False),
    sa.Column("set_at_us", sa.BigInteger, nullable=False),
)
sa.Index("ix_login_external_user", login_external.c.user_id)

login_invitation = sa.Table(
    "login_invitation",  # a one-time link to set a password and a second factor
    metadata,
    sa.Column("token_hash", sa.LargeBinary, primary_key=True),
    sa.Column("user_id", sa.String(32), nullable=False),
    sa.Column("expires_at_us", sa.BigInteger, nullable=False),
)
sa.Index("ix_login_invitation_user", login_invitation.c.user_id)

login_step = sa.Table(
    "login_step",  # one browser's way between two pages: password given, second factor owed; gone to a provider; ...
    metadata,
    sa.Column("cookie_hash", sa.LargeBinary, primary_key=True),
    sa.Column("purpose", sa.String(64), nullable=False),  # FACTOR | ENROL | OIDC/<provider>
    sa.Column("data_ct", sa.LargeBinary, nullable=False),  # JSON: user, challenge, nonce, verifier, where to go on
    sa.Column("key_id", sa.String(32), sa.ForeignKey("data_key.key_id"), nullable=False),
    sa.Column("alg_id", sa.String(16), nullable=False),
    sa.Column("expires_at_us", sa.BigInteger, nullable=False),
)
sa.Index("ix_login_step_expires", login_step.c.expires_at_us)

login_session = sa.Table(
    "login_session",
    metadata,
    sa.Column("cookie_hash", sa.LargeBinary, primary_key=True),
    sa.Column("session_id", sa.String(32), nullable=False, unique=True),
    sa.Column("user_id", sa.String(32), nullable=False),
    sa.Column("level", sa.Integer, nullable=False),
    sa.Column("amr", sa.Text, nullable=False),  # JSON array, RFC 8176
    sa.Column("auth_time_us", sa.BigInteger, nullable=False),
    sa.Column("idle_until_us", sa.BigInteger, nullable=False),
    sa.Column("expires_at_us", sa.BigInteger, nullable=False),
)
sa.Index("ix_login_session_user", login_session.c.user_id)
sa.Index("ix_login_session_expires", login_session.c.expires_at_us)

login_attempt = sa.Table(
    "login_attempt",  # failed tries, by keyed hashes of who tried what from where
    metadata,
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("last_at_us", sa.BigInteger, nullable=False),
    sa.Column("next_at_us", sa.BigInteger, nullable=False),  # nothing is looked at before this
)
sa.Index("ix_login_attempt_last", login_attempt.c.last_at_us)
