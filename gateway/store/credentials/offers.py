"""Offers with their timelines. Of the codes only hashes are kept; whoever reads this table can redeem nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.caller import Change
from gateway.clock import Clock
from gateway.services.credentials.offer_codes import OfferCodes
from gateway.services.credentials.ports import Acting, Moment, Offer, OfferOrigin, OfferState
from gateway.store.changes import record_change
from gateway.store.engine import Database, insert_on
from gateway.store.errors import SubjectErased
from gateway.store.ids import OrderedIds, from_us, to_us
from gateway.store.subject_keys.ring import SubjectKeys
from gateway.store.tables.credentials import credential_offer as table
from gateway.store.tables.credentials import credential_offer_event as event_table

ONCE = frozenset({"CREATED", "OPENED", "REDEEMED"})
"""Lines of a timeline that are written the first time only."""
_FIRST = "0" * 8  # before the time-ordered ids of one and the same moment
_new_id = OrderedIds()


class StoredOffers:
    """Implements `gateway.services.credentials.ports.Offers`."""

    def __init__(self, database: Database, codes: OfferCodes, ring: SubjectKeys, clock: Clock) -> None:
        self._database, self._codes, self._ring, self._clock = database, codes, ring, clock

    async def add(self, offer: Offer, *, code: str | None, tx_code: str | None) -> None:
        """See the port. The id of an offer that is there already: nothing is done, so a bulk may be run again."""
        if not self._ring.exists(offer.subject_id):
            raise SubjectErased("this person was erased")
        row = _row(offer) | {
            "code_hash": None if code is None else self._codes.code_hash(code),
            "tx_hash": None if tx_code is None else self._codes.tx_hash(offer.offer_id, tx_code),
            "tx_tries": 0,
        }
        make = self._database.insert(table).values(row).on_conflict_do_nothing(index_elements=["offer_id"])
        detail = {"types": list(offer.configuration_ids), "flow": offer.flow, "origin": offer.origin.value}
        user = "person" if offer.origin is OfferOrigin.PERSON else offer.actor_user
        change = Change("CREDENTIAL_OFFERED", offer.offer_id, offer.acting.org_id, user, offer.subject_id, detail)
        async with self._database.write() as connection:
            if await connection.scalar(make.returning(table.c.offer_id)) is None:
                return
            await note_within(connection, offer.offer_id, "CREATED", offer.created_at)
            await record_change(connection, offer.created_at, change)

    async def by_reference(self, reference: str) -> Offer | None:
        return await self._one(table.c.reference == reference)

    async def find(self, offer_id: str) -> Offer | None:
        return await self._one(table.c.offer_id == offer_id)

    async def of_person(self, subject_id: str) -> Sequence[Offer]:
        """Newest first."""
        return await self._many(table.c.subject_id == subject_id)

    async def recent(self, org_id: str | None, most: int) -> Sequence[Offer]:
        """Newest first, of one body or of all; for whoever works with them."""
        return await self._many(*(() if org_id is None else (table.c.org_id == org_id,)), most=most)

    async def note(self, offer_id: str, kind: str) -> None:
        """See the port."""
        async with self._database.write() as connection:
            await note_within(connection, offer_id, kind, self._clock.now())

    async def timeline(self, offer_id: str) -> Sequence[Moment]:
        query = sa.select(event_table).where(event_table.c.offer_id == offer_id)
        async with self._database.read() as connection:
            rows = (await connection.execute(query.order_by(event_table.c.at_us, event_table.c.id))).all()
        return [Moment(row.kind, from_us(row.at_us)) for row in rows]

    async def cancel(self, offer_id: str, *, actor_org: str, actor_user: str) -> bool:
        """See the port."""
        now = self._clock.now()
        open_ = sa.and_(table.c.offer_id == offer_id, table.c.state == OfferState.OPEN.value)
        end = sa.update(table).where(open_).values(state=OfferState.CANCELLED.value).returning(table.c.subject_id)
        async with self._database.write() as connection:
            subject_id = await connection.scalar(end)
            if subject_id is None:
                return False
            await note_within(connection, offer_id, "CANCELLED", now)
            change = Change("CREDENTIAL_OFFER_CANCELLED", offer_id, actor_org, actor_user, subject_id)
            await record_change(connection, now, change)
        return True

    async def _one(self, *which: sa.ColumnElement[bool]) -> Offer | None:
        found = await self._many(*which, most=1)
        return found[0] if found else None

    async def _many(self, *which: sa.ColumnElement[bool], most: int | None = None) -> Sequence[Offer]:
        query = sa.select(table).where(*which).order_by(table.c.created_at_us.desc(), table.c.offer_id).limit(most)
        async with self._database.read() as connection:
            return [offer_of(row) for row in await connection.execute(query)]


async def note_within(connection: AsyncConnection, offer_id: str, kind: str, at: datetime) -> None:
    """A line of the timeline, in a transaction that does more. What is written once has its kind for an id."""
    line = moment_row(offer_id, kind, at)
    await connection.execute(insert_on(connection.dialect.name, event_table).values(line).on_conflict_do_nothing())


def moment_row(offer_id: str, kind: str, at: datetime) -> dict[str, Any]:
    at_us = to_us(at)
    return {"offer_id": offer_id, "id": _FIRST + kind if kind in ONCE else _new_id(at_us), "kind": kind, "at_us": at_us}


def acting_row(acting: Acting) -> dict[str, Any]:
    return {
        "org_id": acting.org_id, "org_kind": acting.org_kind, "jurisdiction": acting.jurisdiction,
        "case_no": acting.case_no,
    }  # fmt: skip


def acting_of(row: sa.Row[Any]) -> Acting:
    return Acting(row.org_id, row.org_kind, row.jurisdiction, row.case_no)


def offer_of(row: sa.Row[Any]) -> Offer:
    return Offer(
        row.offer_id, row.reference, row.subject_id, tuple(orjson.loads(row.configuration_ids)), row.flow,
        row.tx_hash is not None, acting_of(row), row.actor_user, OfferOrigin(row.origin), from_us(row.created_at_us),
        from_us(row.expires_at_us), OfferState(row.state), row.bulk_id,
        None if row.redeemed_at_us is None else from_us(row.redeemed_at_us),
    )  # fmt: skip


def _row(offer: Offer) -> dict[str, Any]:
    return acting_row(offer.acting) | {
        "offer_id": offer.offer_id, "reference": offer.reference, "subject_id": offer.subject_id,
        "configuration_ids": orjson.dumps(list(offer.configuration_ids)).decode(), "flow": offer.flow,
        "state": offer.state.value, "origin": offer.origin.value, "bulk_id": offer.bulk_id,
        "actor_user": offer.actor_user, "created_at_us": to_us(offer.created_at),
        "expires_at_us": to_us(offer.expires_at), "redeemed_at_us": None,
    }  # fmt: skip
