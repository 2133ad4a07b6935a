"""The record of a change, written by the transaction that makes it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.caller import Change
from gateway.services.event_bus import DISPUTES, REVOKED, RULES, SIGNING_KEYS
from gateway.store.events import say
from gateway.store.ids import OrderedIds, to_us
from gateway.store.recording.outbox import Outbox, Waiting, outbox_of, put
from gateway.store.tables import change_event

_new_id = OrderedIds()
_NEWS = {
    "POLICY_APPROVED": RULES,
    "DISPUTE_OPENED": DISPUTES,
    "DISPUTE_CORRECTED": DISPUTES,
    "DISPUTE_REFUSED": DISPUTES,
    "DISPUTE_WITHDRAWN": DISPUTES,
    "TOKENS_REVOKED": REVOKED,
    "CONSENT_WITHDRAWN": REVOKED,
    "SIGNING_KEY_ROTATED": SIGNING_KEYS,
}
"""What every replica wants to hear of, by the kind of change; the others are read where they count."""


async def record_change(connection: AsyncConnection, at: datetime, change: Change) -> str:
    """The event's id. `connection` is a `Database.write()`: either both the change and its record are kept, or neither.

    Its row in the ledger's outbox is part of that transaction, and so is the news of it.
    """
    if change.kind in _NEWS:
        await say(connection, _NEWS[change.kind])
    row, waiting = change_row(outbox_of(connection), at, change)
    await connection.execute(sa.insert(change_event).values(row))
    await put(connection, waiting)
    return waiting.id


def change_row(outbox: Outbox, at: datetime, change: Change) -> tuple[dict[str, Any], Waiting]:
    """The record itself and its row in the ledger's outbox, for a transaction that writes many at once."""
    at_us = to_us(at)
    row = {
        "id": _new_id(at_us), "at_us": at_us, "actor_org": change.actor_org, "actor_user": change.actor_user,
        "kind": change.kind, "object_id": change.object_id, "subject_id": change.subject_id,
        "detail": orjson.dumps(dict(change.detail), option=orjson.OPT_SORT_KEYS).decode(),
    }  # fmt: skip
    seed_ct, waiting = outbox.change(row)
    return row | {"seed_ct": seed_ct}, waiting
