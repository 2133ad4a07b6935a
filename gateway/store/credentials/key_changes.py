"""What happened to signing keys, in the record of changes; and what was signed with which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import orjson
import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from credentials.ring import FolderRing
from credentials.ring_state import RingChange, RingState
from gateway.caller import Change
from gateway.store.changes import record_change
from gateway.store.engine import Database
from gateway.store.ids import to_us
from gateway.store.tables import change_event
from gateway.store.tables.credentials import credential

_log = structlog.get_logger(__name__)
KINDS = frozenset({"SIGNING_KEY_MADE", "SIGNING_KEY_ROTATED", "SIGNING_KEY_COMPROMISED", "SIGNING_KEY_CERTIFIED"})


async def record_ring_changes(database: Database, ring: FolderRing) -> int:
    """Every change the ring remembers and the record has not heard of; how many.

    A ring is a folder and no table, so the two cannot be one transaction: it is written down twice rather than never.
    Raises StoreUnavailable, KeysUnavailable.
    """
    pending = (await ring.state()).pending
    if not pending:
        return 0
    async with database.write() as connection:
        if any(one.detail.get("first") for one in pending) and await _had_keys(connection, ring.use, pending):
            # Whatever was signed under the old root leads nowhere now: a folder was lost, or another one was mounted.
            _log.error("credential_keys_replaced", use=str(ring.use))
        for one in pending:
            if one.kind not in KINDS:  # the folder is not the database: what it says is not taken on trust
                continue
            # `at` is when it was done; an entry's own time may be later.
            detail = {**one.detail, "at": one.at.isoformat()}
            await record_change(connection, ring.now(), Change(one.kind, one.kid, "", one.by, detail=detail))

    def told(state: RingState) -> RingState:
        return replace(state, pending=tuple(one for one in state.pending if one not in pending))

    await ring.change(told)
    return len(pending)


async def _had_keys(connection: AsyncConnection, use: str, pending: Sequence[RingChange]) -> bool:
    """Whether this database remembers keys of that use that are not among those made just now."""
    made = sa.select(change_event.c.object_id, change_event.c.detail).where(change_event.c.kind == "SIGNING_KEY_MADE")
    new = {one.kid for one in pending}
    rows = (await connection.execute(made)).all()
    return any(kid not in new and orjson.loads(detail).get("use") == use for kid, detail in rows)


class StoredSignedWith:
    """Implements `gateway.services.credentials.key_compromised.SignedWith`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def batches(self, kid: str, since: datetime) -> Sequence[str]:
        mine = credential.c.kid == kid, credential.c.issued_at_us >= to_us(since), credential.c.state != "REVOKED"
        async with self._database.read() as connection:
            return list(await connection.scalars(sa.select(credential.c.batch_id).where(*mine).distinct()))
