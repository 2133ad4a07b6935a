"""Something happened: what rests on it is looked at now, before everything that is merely due. Within the transaction it
happened in, so that no crash and no other process loses the news."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.ids import to_us
from gateway.store.tables.case_facts import case_register
from gateway.store.tables.credentials import credential as table

AHEAD = timedelta(days=3650)


async def hasten_within(
    connection: AsyncConnection,
    at: datetime,
    *,
    subject_id: str | None = None,
    case_no: str | None = None,
    subjects: Sequence[str] | None = None,
    type_ids: Sequence[str] | None = None,
) -> int:
    """How many batches. `case_no`: of whoever is in that case. Nobody in particular: everybody's, in their turn."""
    which: list[sa.ColumnElement[bool]] = [table.c.next_check_at_us.is_not(None)]
    if subject_id is not None:
        which.append(table.c.subject_id == subject_id)
    if case_no is not None:
        of_case = sa.select(case_register.c.subject_id).where(case_register.c.case_no == case_no)
        which.append(table.c.subject_id.in_(of_case))
    if subjects is not None:
        which.append(table.c.subject_id.in_(list(subjects)))
    if type_ids is not None:
        which.append(table.c.type_id.in_(list(type_ids)))
    everybody = subject_id is None and case_no is None and subjects is None
    at_us = to_us(at if everybody else at - AHEAD)
    change: Any = sa.update(table).where(*which, table.c.next_check_at_us > at_us).values(next_check_at_us=at_us)
    return int((await connection.execute(change)).rowcount)
