"""Whoever is erased has no credential in force any more, and nothing that is left of them leads back."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.services.erase_person import ErasePerson
from gateway.store import Store
from gateway.store.tables import change_event
from gateway.store.tables import credentials as tables
from tests.gateway.store.conftest import HandClock
from tests.gateway.store.credentials.issuing import LI, a_batch, an_offer, issued_of, offers_of, person, values

pytestmark = pytest.mark.anyio
DAY = timedelta(days=1)


async def wallet(store: Store, who: str, offer_id: str) -> None:
    """A grant with a token, a request that waits, a dispute, and a place in a bulk."""
    async with store.database.write() as connection:
        for table, row in (
            (tables.credential_grant, {
                "grant_id": who[::-1], "subject_id": who, "offer_id": offer_id, "configuration_ids": "[]", "identifiers": "{}",
                "client_id": "", "org_id": "SFJ", "org_kind": "K", "jurisdiction": "44", "created_at_us": 0,
            }),
            (tables.credential_token, {"token_hash": who.encode(), "grant_id": who[::-1], "expires_at_us": 2**60}),
            (tables.credential_deferred, {
                "transaction_hash": who.encode(), "grant_id": who[::-1], "subject_id": who, "configuration_id": "residence",
                "request_ct": b"keys", "retry_at_us": 0, "created_at_us": 0, "expires_at_us": 2**60,
            }),
            (tables.dispute, {
                "dispute_id": who[::-1], "subject_id": who, "noun": "residence", "field": "address", "source": "LGB",
                "statement_ct": b"words", "answer_ct": b"words", "state": "REFUSED", "opened_at_us": 0, "due_at_us": 1,
            }),
            (tables.credential_bulk, {
                "bulk_id": who[::-1], "configuration_ids": "[]", "wishes": "{}", "actor_user": "o", "created_at_us": 0,
            }),
            (tables.credential_bulk_item, {"bulk_id": who[::-1], "n": 0, "subject_id": who, "outcome": "OFFERED"}),
        ):  # fmt: skip
            await connection.execute(sa.insert(table).values(row))


async def everything(store: Store) -> str:
    """Every row of every table of credentials, and of the record of changes since."""
    said: list[Any] = []
    async with store.database.read() as connection:
        for table in vars(tables).values():
            if isinstance(table, sa.Table):
                said += [str(tuple(row)) for row in await connection.execute(sa.select(table))]
    return "\n".join(said)


async def test_all_of_it_ends_and_nothing_leads_back(store: Store, clock: HandClock) -> None:
    issued, offers = issued_of(store, clock), offers_of(store, clock)
    zhang, li = await person(store), await person(store, LI)
    batches = {}
    for who in (zhang, li):
        offer = an_offer(who, clock.now())
        await offers.add(offer, code=who, tx_code=None)
        await offers.note(offer.offer_id, "OPENED")
        batches[who] = await a_batch(store, who, clock.now(), 2, offer_id=offer.offer_id)
        await issued.add(batches[who], notification_id=who, next_check_at=clock.now() + DAY)
        await wallet(store, who, offer.offer_id)
    certificate = await ErasePerson(store.erasures, clock)(zhang, reason="file-7", org="SFJ", user="operator")
    assert {one["what"]: one["rows"] for one in certificate["gone"] if one["rows"]} == {
        "key": 1, "credentials": 2, "offers": 1, "wallets": 1, "disputes": 1,
    }  # fmt: skip
    assert "statuses" in {one["what"] for one in certificate["stays"]}
    assert zhang not in json.dumps(certificate)
    assert await values(store, [one.place for one in batches[zhang]]) == [1, 1]
    assert await values(store, [one.place for one in batches[li]]) == [0, 0]
    left = await everything(store)
    for secret in (zhang, repr(zhang.encode()), batches[zhang][0].offer_id or "-"):
        assert secret not in left
    assert li in left
    (ended, *_) = await issued.batch(batches[zhang][0].batch_id)
    assert (ended.subject_id, ended.facts, ended.reason, ended.jkt) == ("", b"", "ERASED", "")
    assert not await issued.due(clock.now() + 2 * DAY, 1) or await issued.of_person(li)
    async with store.database.read() as connection:
        revoked = (
            await connection.execute(sa.select(change_event).where(change_event.c.kind == "CREDENTIAL_REVOKED"))
        ).one()
    assert (revoked.subject_id, revoked.actor_user) == (None, "person")


async def test_again_it_finds_nothing(store: Store, clock: HandClock) -> None:
    issued, who = issued_of(store, clock), await person(store)
    await issued.add(await a_batch(store, who, clock.now()), notification_id="n", next_check_at=clock.now() + DAY)
    erase = ErasePerson(store.erasures, clock)
    for rows in (2, 0):
        certificate = await erase(who, reason="file-7", org="SFJ", user="operator")
        assert next(one["rows"] for one in certificate["gone"] if one["what"] == "credentials") == rows
