"""Everything held of organisations, posts, officers and devices, as records to lay an import over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.services.identity_records import DeviceEntry, HeldPost, OfficerEntry, PostRecord, Records
from gateway.store.identities import name_place, organisation_of
from gateway.store.ids import from_us
from gateway.store.keys import Keys, Sealed
from gateway.store.tables.identities import device, officer, officer_post, organisation, post


async def read_state(connection: AsyncConnection, keys: Keys) -> Records:
    """Raises CiphertextInvalid for a name that does not open."""
    organisations = {row.org_id: organisation_of(row) for row in await connection.execute(sa.select(organisation))}
    posts = {(row.org_id, row.code): _post(row) for row in await connection.execute(sa.select(post))}
    held: defaultdict[str, set[HeldPost]] = defaultdict(set)
    for row in await connection.execute(sa.select(officer_post)):
        held[row.user_id].add(HeldPost(row.code, _at(row.from_us), _at(row.to_us)))
    officers = {}
    logins = {}
    for row in (await connection.execute(sa.select(officer))).all():
        name = await keys.unseal(name_place(row.user_id), Sealed(row.name_ct, row.key_id, row.alg_id))
        logins[row.user_id] = row.login
        officers[row.login] = OfficerEntry(
            login=row.login,
            org_id=row.org_id,
            name=name.decode(),
            posts=frozenset(held[row.user_id]),
            roles=frozenset(orjson.loads(row.roles)),
            external_id=row.external_id,
            subject_id=row.subject_id,
            active=bool(row.active),
            user_id=row.user_id,
        )
    bound = sa.select(device).where(device.c.bound_to_us.is_(None))
    devices = {
        row.device_id: DeviceEntry(row.device_id, row.kind, row.org_id, logins.get(row.user_id), row.subject_id)
        for row in await connection.execute(bound)
    }
    return Records(organisations, posts, officers, devices)


def words(value: frozenset[str] | Mapping[str, Any]) -> str:
    """As a JSON column holds it: the same text for the same value."""
    plain = sorted(value) if isinstance(value, frozenset) else dict(value)
    return orjson.dumps(plain, option=orjson.OPT_SORT_KEYS).decode()


def _post(row: Any) -> PostRecord:
    return PostRecord(
        org_id=row.org_id,
        code=row.code,
        title_zh=row.title_zh,
        title_en=row.title_en,
        roles=frozenset(orjson.loads(row.roles)),
        purposes=frozenset(orjson.loads(row.purposes)),
        from_=_at(row.from_us),
        to=_at(row.to_us),
    )


def _at(us: int | None) -> datetime | None:
    return None if us is None else from_us(us)
