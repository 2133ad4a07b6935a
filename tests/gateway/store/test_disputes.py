"""A dispute: one of a fact at a time, decided once, its words under the person's own key. On both databases."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from gateway.services.disputes.ports import Dispute, Disputed, DisputeState
from gateway.store import Store
from gateway.store.tables import change_event
from gateway.store.tables.credentials import dispute as table
from tests.gateway.store.conftest import START

pytestmark = pytest.mark.anyio
WORDS = "我在平台接单,不是无业"


async def someone(store: Store, id_no: str = "440606199003070017") -> str:
    (subject,) = await store.subjects.intern([id_no])
    return subject


def about(subject: str, n: int = 1, field: str = "status", source: str = "") -> Dispute:
    return Dispute(f"{n:032x}", subject, "insurance", field, source, WORDS, START, START + timedelta(days=20))


async def kinds(store: Store) -> list[str]:
    async with store.database.read() as connection:
        found = sa.select(change_event.c.kind).where(change_event.c.kind.like("DISPUTE%")).order_by(change_event.c.id)
        return list(await connection.scalars(found))


async def test_one_dispute_of_a_fact_is_open_at_a_time_and_is_decided_once(store: Store) -> None:
    subject = await someone(store)
    first = about(subject)
    assert await store.disputes.open(first)
    assert not await store.disputes.open(about(subject, 2))
    assert await store.disputes.open(about(subject, 3, source="SB"))  # one source's word is another matter
    assert set(await store.disputes.all_open()) == {
        Disputed(subject, "insurance", "status", ""), Disputed(subject, "insurance", "status", "SB"),
    }  # fmt: skip
    won = await asyncio.gather(
        *(store.disputes.decide(first, DisputeState.REFUSED, "记录无误", org="o", user=f"u{n}") for n in range(6))
    )
    assert sum(won) == 1
    assert not await store.disputes.withdraw(subject, first.dispute_id)
    found = {one.dispute_id: one for one in await store.disputes.of_person(subject)}[first.dispute_id]
    assert (found.state, found.statement, found.answer, found.decided_org) == (
        DisputeState.REFUSED,
        WORDS,
        "记录无误",
        "o",
    )
    assert await store.disputes.open(about(subject, 2))  # and may be disputed again
    assert await kinds(store) == ["DISPUTE_OPENED", "DISPUTE_OPENED", "DISPUTE_REFUSED", "DISPUTE_OPENED"]


async def test_taking_back_is_the_persons_own_and_once(store: Store) -> None:
    subject, other = await someone(store), await someone(store, "440604198808080086")
    await store.disputes.open(about(subject))
    assert not await store.disputes.withdraw(other, about(subject).dispute_id)
    assert await store.disputes.withdraw(subject, about(subject).dispute_id)
    assert not await store.disputes.withdraw(subject, about(subject).dispute_id)
    assert await store.disputes.all_open() == []


async def test_the_words_are_in_no_column_in_clear_and_open_for_their_own_row_alone(store: Store) -> None:
    subject = await someone(store)
    await store.disputes.open(about(subject))
    await store.disputes.open(about(subject, 2, field="kind"))
    async with store.database.read() as connection:
        rows = (await connection.execute(sa.select(table))).all()
    assert all(WORDS.encode() not in bytes(row.statement_ct) for row in rows)
    swap = sa.update(table).where(table.c.dispute_id == f"{2:032x}").values(statement_ct=rows[0].statement_ct)
    async with store.database.write() as connection:
        await connection.execute(swap)
    with pytest.raises(Exception, match="does not open"):
        await store.disputes.waiting()


async def test_the_most_urgent_waits_first(store: Store) -> None:
    subject = await someone(store)
    late = Dispute(f"{1:032x}", subject, "insurance", "kind", "", WORDS, START, START + timedelta(days=30))
    await store.disputes.open(late)
    await store.disputes.open(about(subject, 2))
    assert [one.dispute_id for one in await store.disputes.waiting()] == [f"{2:032x}", f"{1:032x}"]
