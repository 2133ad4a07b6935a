"""The record of a change, written by the transaction that makes it."""

from __future__ import annotations

from datetime import datetime

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.caller import Change
from gateway.store.ids import OrderedIds, to_us
from gateway.store.recording.outbox import outbox_of, put
from gateway.store.tables import change_event

_new_id = OrderedIds()


async def record_change(connection: AsyncConnection, at: datetime, change: Change) -> str:
    """The event's id. `connection` is a `Database.write()`: either both the change and its record are kept, or neither.

    Its row in the ledger's outbox is part of that transaction.
    """
    at_us = to_us(at)
    event_id = _new_id(at_us)
    row = {
        "id": event_id, "at_us": at_us, "actor_org": change.actor_org, "actor_user": change.actor_user,
        "kind": change.kind, "object_id": change.object_id, "subject_id": change.subject_id,
        "detail": orjson.dumps(dict(change.detail), option=orjson.OPT_SORT_KEYS).decode(),
    }  # fmt: skip
    seed_ct, waiting = outbox_of(connection).change(row)
    await connection.execute(sa.insert(change_event).values(row | {"seed_ct": seed_ct}))
    await put(connection, waiting)
    return event_id
