"""Versions of the sharing rules and their approvals."""

from __future__ import annotations

import sqlalchemy as sa

from gateway.store.tables.base import metadata

# Every version that ever decided anything, whole, so that an old decision can be made again.
policy_version = sa.Table(
    "policy_version",
    metadata,
    sa.Column("version", sa.String(64), primary_key=True),  # SHA-256 of all the texts
    sa.Column("texts", sa.Text, nullable=False),  # JSON object: name -> text
    sa.Column("first_used_at_us", sa.BigInteger, nullable=False),
)

# Sets of rule texts somebody put forward; the one approved last is in force.
policy_proposal = sa.Table(
    "policy_proposal",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),  # time-ordered
    sa.Column("digest", sa.String(64), nullable=False),  # SHA-256 of the texts put forward
    sa.Column("texts", sa.Text, nullable=False),  # JSON object: file name -> text
    sa.Column("proposed_by", sa.Text, nullable=False),  # officer id
    sa.Column("proposed_org", sa.Text, nullable=False),
    sa.Column("proposed_at_us", sa.BigInteger, nullable=False),
    sa.Column("approved_by", sa.Text),  # another officer, never the same
    sa.Column("approved_org", sa.Text),
    sa.Column("approved_at_us", sa.BigInteger),
    sa.Column("turn", sa.BigInteger),  # counts approvals; the highest is in force
)
sa.Index("uq_policy_proposal_turn", policy_proposal.c.turn, unique=True)
