"""Offers and credentials for tests of the store, over real tables."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from gateway.services.credentials.offer_codes import CODE_KEY, TX_KEY, OfferCodes, new_offer_id, new_reference
from gateway.services.credentials.ports import Acting, Issued, Offer, OfferOrigin, Place
from gateway.store import Store
from gateway.store.credentials.flips import flip
from gateway.store.credentials.issued import StoredIssued
from gateway.store.credentials.offers import StoredOffers
from gateway.store.subject_keys.columns import PersonalColumns
from gateway.store.tables.credentials import status_entry, status_list
from tests.gateway.store.conftest import HandClock

ACTING = Acting("SFJ-SHUNDE", "CORRECTION_AGENCY", "440606", "2026-001")
ZHANG, LI = "440606199003070017", "440606198807213328"


def codes_of(store: Store) -> OfferCodes:
    return OfferCodes(store.keys.derive(CODE_KEY), store.keys.derive(TX_KEY))


def offers_of(store: Store, clock: HandClock) -> StoredOffers:
    return StoredOffers(store.database, codes_of(store), store.subject_keys.ring, clock)


def issued_of(store: Store, clock: HandClock) -> StoredIssued:
    columns = PersonalColumns(store.keys, store.subject_keys.ring)
    return StoredIssued(store.database, columns, clock, flip, keep=store.keep_credentials)


def an_offer(subject_id: str, at: datetime, **other: object) -> Offer:
    offer = Offer(
        new_offer_id(), new_reference(), subject_id, ("residence",), "pre-authorized_code", False, ACTING, "officer-1",
        OfferOrigin.OFFICER, at, at + timedelta(days=7),
    )  # fmt: skip
    return replace(offer, **other)  # type: ignore[arg-type]  # a test names fields of Offer only


async def person(store: Store, id_no: str = ZHANG) -> str:
    (who,) = await store.subjects.intern([id_no])
    return who


async def allotted(store: Store, number: int, list_id: str = "l1") -> Sequence[Place]:
    """Places of a list that is there, as the status lists give them."""
    async with store.database.write() as connection:
        made = {
            "list_id": list_id, "bits": 2, "size": 1024, "allotted": 0, "version": 0, "token_version": -1,
            "token_exp_us": 0, "created_at_us": 0,
        }  # fmt: skip
        await connection.execute(store.database.insert(status_list).values(made).on_conflict_do_nothing())
        taken = await connection.scalar(
            sa.select(sa.func.count()).select_from(status_entry).where(status_entry.c.list_id == list_id)
        )
        places = [Place(list_id, (taken or 0) + n) for n in range(number)]
        rows = [{"list_id": one.list_id, "idx": one.index, "value": 0} for one in places]
        await connection.execute(sa.insert(status_entry), rows)
    return places


async def a_batch(store: Store, subject_id: str, at: datetime, number: int = 2, **other: object) -> list[Issued]:
    batch_id = secrets.token_hex(16)
    return [
        replace(
            Issued(
                secrets.token_hex(16), batch_id, subject_id, "residence", "residence", ACTING, "g" * 32, None, "kid-1",
                place, "j" * 43, at, at + timedelta(days=90), b'{"claims":{"resident":true}}', b"digest",
            ),
            **other,  # type: ignore[arg-type]  # as above
        )
        for place in await allotted(store, number)
    ]  # fmt: skip


async def values(store: Store, places: Sequence[Place]) -> list[int]:
    """What the status lists say at these places."""
    async with store.database.read() as connection:
        rows = await connection.execute(sa.select(status_entry))
        held = {(row.list_id, row.idx): row.value for row in rows}
    return [held[one.list_id, one.index] for one in places]
