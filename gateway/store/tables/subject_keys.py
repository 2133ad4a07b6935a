"""What the main database knows of the persons' keys, which are kept apart from it: that they were made, and which are gone."""

from __future__ import annotations

import sqlalchemy as sa

from gateway.store.tables.base import metadata

subject_key_store = sa.Table(
    "subject_key_store",  # one row, once there are keys: never made anew in silence
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("made_at_us", sa.BigInteger, nullable=False),
)

subject_key_destroyed = sa.Table(
    "subject_key_destroyed",  # written before the key is destroyed: what was begun is finished at the next start
    metadata,
    sa.Column("leaf", sa.String(17), primary_key=True),  # of the tree of keys, hex
    sa.Column("at_us", sa.BigInteger, nullable=False),
)

subject_erasure = sa.Table(
    "subject_erasure",
    metadata,
    sa.Column("subject_id", sa.String(32), primary_key=True),
    sa.Column("change_id", sa.String(36), nullable=False),  # PERSON_ERASED, and its entry in the ledger
    sa.Column("begun_at_us", sa.BigInteger, nullable=False),
    sa.Column("done_at_us", sa.BigInteger),  # null: to be finished
)
