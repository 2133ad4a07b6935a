"""What erasing a person does to their credentials: all of them end, and nothing is left that leads back to the person."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.caller import Change
from gateway.services.credentials.ports import Place
from gateway.store.changes import record_change
from gateway.store.credentials.flips import REVOKED, flip
from gateway.store.ids import to_us
from gateway.store.tables import credentials as tables

_card = tables.credential
_REASON = "ERASED"


async def erase_credentials(connection: AsyncConnection, subject_id: str, at: datetime) -> Mapping[str, int]:
    """Rows by the names of `erase_person.GONE`. `connection` is a `Database.write()`. Done again it finds nothing."""
    return {
        "credentials": await _end(connection, subject_id, at),
        "offers": await _offers(connection, subject_id),
        "wallets": await _wallets(connection, subject_id),
        "disputes": await _disputes(connection, subject_id),
    }


async def _end(connection: AsyncConnection, subject_id: str, at: datetime) -> int:
    """Statuses stay for verifiers; whose they were does not."""
    mine = _card.c.subject_id == subject_id
    live = sa.select(_card).where(mine, _card.c.state != "REVOKED").order_by(_card.c.credential_id).with_for_update()
    rows = (await connection.execute(live)).all()
    if rows:
        ended = {"state": "REVOKED", "reason": _REASON, "state_at_us": to_us(at)}
        await connection.execute(sa.update(_card).where(mine, _card.c.state != "REVOKED").values(ended))
        await flip(connection, [Place(row.list_id, row.idx) for row in rows], REVOKED, at)
        for batch_id in sorted({row.batch_id for row in rows}):
            detail = {"reason": _REASON}
            await record_change(connection, at, Change("CREDENTIAL_REVOKED", batch_id, "", "person", None, detail))
    nobody: dict[str, Any] = {
        "subject_id": None, "facts_ct": None, "key_id": None, "alg_id": None, "facts_digest": b"", "jkt": "",
        "case_no": None, "offer_id": None, "next_check_at_us": None,
    }  # fmt: skip
    return await _count(connection, sa.update(_card).where(mine).values(nobody))


async def _offers(connection: AsyncConnection, subject_id: str) -> int:
    offer, event, item = tables.credential_offer, tables.credential_offer_event, tables.credential_bulk_item
    ids = sa.select(offer.c.offer_id).where(offer.c.subject_id == subject_id)
    await connection.execute(sa.delete(event).where(event.c.offer_id.in_(ids)))
    await connection.execute(sa.delete(item).where(item.c.subject_id == subject_id))
    return await _count(connection, sa.delete(offer).where(offer.c.subject_id == subject_id))


async def _wallets(connection: AsyncConnection, subject_id: str) -> int:
    grant, token, deferred = tables.credential_grant, tables.credential_token, tables.credential_deferred
    ids = sa.select(grant.c.grant_id).where(grant.c.subject_id == subject_id)
    await connection.execute(sa.delete(token).where(token.c.grant_id.in_(ids)))
    await connection.execute(sa.delete(deferred).where(deferred.c.subject_id == subject_id))
    return await _count(connection, sa.delete(grant).where(grant.c.subject_id == subject_id))


async def _disputes(connection: AsyncConnection, subject_id: str) -> int:
    """That there was one, and how it ended, stays for whoever counts; words and person do not."""
    dispute = tables.dispute
    silent = {"subject_id": None, "statement_ct": None, "answer_ct": None, "key_id": None, "alg_id": None}
    return await _count(connection, sa.update(dispute).where(dispute.c.subject_id == subject_id).values(silent))


async def _count(connection: AsyncConnection, statement: Any) -> int:
    return int((await connection.execute(statement)).rowcount)
