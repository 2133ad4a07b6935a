"""The ledger's tables: what waits to be sequenced, the log by shard, its checkpoints, its witnesses, and what alarmed us."""

from __future__ import annotations

import sqlalchemy as sa

from gateway.store.tables.base import metadata

# Written by the transaction of what it records; taken out by the one that gives it an index.
ledger_outbox = sa.Table(
    "ledger_outbox",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),  # of the access_event, change_event or alert; time-ordered
    sa.Column("due_at_us", sa.BigInteger, nullable=False),  # not sequenced before: alerts must not tip anybody off
    sa.Column("entry", sa.LargeBinary, nullable=False),  # canonical bytes of ledger.entry.Entry
    sqlite_with_rowid=False,
)

ledger_shard = sa.Table(
    "ledger_shard",  # one log: one origin, one tree
    metadata,
    sa.Column("shard", sa.String(16), primary_key=True),  # "2026"; "2026b" where a restored database began anew
    sa.Column("origin", sa.Text, nullable=False, unique=True),
    sa.Column("state", sa.String(8), nullable=False),  # ACTIVE | CLOSED; one is ACTIVE
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("root", sa.LargeBinary, nullable=False),
    sa.Column("frontier", sa.LargeBinary, nullable=False),  # perfect subtrees, largest first, 32 bytes each
    sa.Column(
        "fence", sa.BigInteger, nullable=False
    ),  # grows with every leader; a leader of an older one writes nothing
    sa.Column("halted", sa.String(64)),  # why nothing is written any more; null = it is
    sa.Column("halted_at_us", sa.BigInteger),
    sa.Column("began_at_us", sa.BigInteger, nullable=False),
    sa.Column("closed_at_us", sa.BigInteger),
)

ledger_entry = sa.Table(
    "ledger_entry",
    metadata,
    sa.Column("shard", sa.String(16), primary_key=True),
    sa.Column(
        "number", sa.BigInteger, primary_key=True, autoincrement=False
    ),  # the index in the tree, from 0, gap-free
    sa.Column("id", sa.String(36), nullable=False, unique=True),
    sa.Column("leaf_hash", sa.LargeBinary, nullable=False),
    sa.Column("entry", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

ledger_tile = sa.Table(
    "ledger_tile",  # levels 1 and up; level 0 is `ledger_entry.leaf_hash`
    metadata,
    sa.Column("shard", sa.String(16), primary_key=True),
    sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("n", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hashes", sa.LargeBinary, nullable=False),  # as many as there are yet, 32 bytes each
)

ledger_checkpoint = sa.Table(
    "ledger_checkpoint",
    metadata,
    sa.Column("shard", sa.String(16), primary_key=True),
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),  # one checkpoint a size, for ever
    sa.Column("root", sa.LargeBinary, nullable=False),
    sa.Column("note", sa.LargeBinary, nullable=False),  # signed by the log alone
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("published_at_us", sa.BigInteger),  # when /checkpoint began to give it out; null = never yet
    sa.Column("sealed_at_us", sa.BigInteger),  # when a quorum of witnesses had cosigned; null = not yet
)

ledger_cosignature = sa.Table(
    "ledger_cosignature",
    metadata,
    sa.Column("shard", sa.String(16), primary_key=True),
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("witness", sa.Text, primary_key=True),  # its name in the policy
    sa.Column("line", sa.Text, nullable=False),  # the signature line
    sa.Column("at_us", sa.BigInteger, nullable=False),  # when it reached us; the line holds the witness's own time
)

ledger_witness = sa.Table(
    "ledger_witness",  # how each is doing, for every replica to see
    metadata,
    sa.Column("witness", sa.Text, primary_key=True),
    sa.Column("shard", sa.String(16), primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),  # it cosigned last
    sa.Column("seen_at_us", sa.BigInteger),  # when it last cosigned
    sa.Column("failing_since_us", sa.BigInteger),
    sa.Column("fault", sa.String(64)),  # UNREACHABLE, CLAIMS_AHEAD, REFUSED, GARBAGE ...; null = well
)

ledger_hurry = sa.Table(
    "ledger_hurry",  # one row: somebody waits for witnesses in a process that may not be the leader's
    metadata,
    sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("until_us", sa.BigInteger, nullable=False),
)

ledger_exhibit = sa.Table(
    "ledger_exhibit",  # what proves that somebody did wrong: kept for good
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("shard", sa.String(16), nullable=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.String(64), nullable=False),  # WITNESS_AHEAD, TREE_DIFFERS, SPLIT ...
    sa.Column("about", sa.Text, nullable=False),  # a witness's name, or the log's origin
    sa.Column("documents", sa.Text, nullable=False),  # JSON: name -> text, as received
)

ledger_key = sa.Table(
    "ledger_key",  # what checkpoints are signed with
    metadata,
    sa.Column("shard", sa.String(16), primary_key=True),
    sa.Column("key_id", sa.String(8), primary_key=True),  # of the vkey, hex
    sa.Column("vkey", sa.Text, nullable=False),
    sa.Column("secret_ct", sa.LargeBinary, nullable=False),
    sa.Column("data_key_id", sa.String(32), nullable=False),
    sa.Column("alg_id", sa.String(16), nullable=False),
    sa.Column("state", sa.String(8), nullable=False),  # SIGNING | RETIRED
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("retired_at_us", sa.BigInteger),
)
