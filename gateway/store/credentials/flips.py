"""Places of status lists take on a value, within the transaction that has the reason for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.services.credentials.ports import Place
from gateway.store.ids import OrderedIds, to_us
from gateway.store.tables.credentials import status_change, status_entry, status_list

_new_id = OrderedIds()


async def flip(connection: AsyncConnection, places: Sequence[Place], value: int, at: datetime) -> None:
    """The entries, one line of history each, and a new version of each list, so that its token is made anew."""
    at_us = to_us(at)
    for list_id in sorted({place.list_id for place in places}):  # in one order, so that two never wait for each other
        indices = sorted(place.index for place in places if place.list_id == list_id)
        await connection.execute(
            sa.update(status_list).where(status_list.c.list_id == list_id).values(version=status_list.c.version + 1)
        )
        mine = sa.and_(status_entry.c.list_id == list_id, status_entry.c.idx.in_(indices))
        await connection.execute(sa.update(status_entry).where(mine).values(value=value))
        lines = [
            {"list_id": list_id, "id": _new_id(at_us), "idx": index, "value": value, "at_us": at_us}
            for index in indices
        ]
        await connection.execute(sa.insert(status_change), lines)
