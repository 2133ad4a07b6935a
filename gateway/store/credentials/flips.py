"""Places of status lists take on a value, within the transaction that has the reason for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.services.credentials.ports import Place
from gateway.store.ids import OrderedIds, to_us
from gateway.store.tables.credentials import status_change, status_entry, status_list

REVOKED = 1
_new_id = OrderedIds()


async def flip(connection: AsyncConnection, places: Sequence[Place], value: int, at: datetime) -> Sequence[Place]:
    """Those that changed: each with a line of history, and a new version of its list, so that the token is made anew.

    A place that is revoked stays it, whatever is asked for; one that was never allotted does not change. `connection` is a
    `Database.write()`.
    """
    at_us, changed = to_us(at), []
    for list_id in sorted({place.list_id for place in places}):  # in one order, so that two never wait for each other
        mine = status_list.c.list_id == list_id
        await connection.execute(sa.select(status_list.c.version).where(mine).with_for_update())
        indices = sorted({place.index for place in places if place.list_id == list_id})
        moved = await connection.scalars(
            sa.update(status_entry)
            .where(
                status_entry.c.list_id == list_id,
                status_entry.c.idx.in_(indices),
                status_entry.c.value != REVOKED,
                status_entry.c.value != value,
            )
            .values(value=value)
            .returning(status_entry.c.idx)
        )
        lines = [
            {"list_id": list_id, "id": _new_id(at_us), "idx": index, "value": value, "at_us": at_us}
            for index in sorted(moved)
        ]
        if lines:
            await connection.execute(sa.update(status_list).where(mine).values(version=status_list.c.version + 1))
            await connection.execute(sa.insert(status_change), lines)
            changed += [Place(list_id, line["idx"]) for line in lines]
    return changed
