"""Whose an account is: what takes two people is not done by one person with two accounts."""

from __future__ import annotations

import sqlalchemy as sa

from gateway.store.tables.identities import officer


def of_one_person(first: sa.ColumnElement[str], second: str) -> sa.ColumnElement[bool]:
    """Whether both accounts are of one ID number; of officers whose number is not on file nobody can say so."""
    one, other = officer.alias("one_account"), officer.alias("other_account")
    return sa.exists().where(one.c.user_id == first, other.c.user_id == second, one.c.subject_id == other.c.subject_id)
