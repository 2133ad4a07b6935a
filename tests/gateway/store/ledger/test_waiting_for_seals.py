"""Since when there is no seal, and that somebody waits for one: both are facts of the database, whichever process asks."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from gateway.settings import Settings
from gateway.store import Store
from gateway.store.engine import Database
from gateway.store.ids import OrderedIds, to_us
from gateway.store.ledger.hurrying import Hurrying
from gateway.store.tables.ledger import ledger_hurry, ledger_outbox
from ledger.entry import Entry
from tests.gateway.store.conftest import START, HandClock, OpenStore
from tests.gateway.store.ledger.appending import YEAR, checkpoint, rows, sequence_all

pytestmark = pytest.mark.anyio
_new_id = OrderedIds()


async def made(database: Database, at: datetime, *, due_at_us: int = 0) -> None:
    entry = bytes(Entry("query", "org-1", at, bytes(32)))
    row = {"id": _new_id(to_us(at)), "due_at_us": due_at_us, "entry": entry}
    async with database.write() as connection:
        await connection.execute(sa.insert(ledger_outbox).values(row))


def noon(minute: int) -> datetime:
    return datetime(2026, 11, 23, 4, minute, tzinfo=UTC)


async def test_unsealed_is_what_no_quorum_covers_whether_it_has_a_number_or_not(leader: Store) -> None:
    async def since() -> datetime | None:
        return await leader.ledger.unsealed_since(YEAR)

    async def seal() -> None:
        kept = await checkpoint(leader.log)
        await leader.log.keep_cosignatures(YEAR, kept.size, {"ga": "line"}, sealed=True)

    assert await since() is None
    await made(leader.database, noon(1))
    await made(leader.database, noon(2))
    assert await since() == noon(1)
    await sequence_all(leader.log)
    assert await since() == noon(1)
    await checkpoint(leader.log)
    assert await since() == noon(1)
    await seal()
    assert await since() is None
    await made(leader.database, noon(3), due_at_us=to_us(START) + 300_000_000)  # an alert, which nobody waits for
    assert await since() is None
    await made(leader.database, noon(4))
    await made(leader.database, noon(5))
    await sequence_all(leader.log)
    assert await since() == noon(4)
    kept = await checkpoint(leader.log)
    await leader.log.keep_cosignatures(YEAR, kept.size, {"ga": "line"}, sealed=False)  # three, say
    assert await since() == noon(4)
    await seal()
    assert await since() is None


async def test_that_somebody_waits_is_seen_by_the_leader_of_another_process(
    leader: Store, open_replica: OpenStore, clock: HandClock
) -> None:
    other = await open_replica()
    assert (await leader.log.tree()).hurry_until is None
    hurry = Hurrying(other.database, clock, wait_s=2)
    await hurry()
    until = (await leader.log.tree()).hurry_until
    assert until is not None
    assert (until - clock.now()).total_seconds() == 2
    clock.forward(0.5)
    await hurry()  # said a moment ago
    assert (await leader.log.tree()).hurry_until == until
    clock.forward(1)
    await hurry()
    later = (await leader.log.tree()).hurry_until
    assert later is not None
    assert (later - clock.now()).total_seconds() == 2
    await Hurrying(leader.database, clock, wait_s=1)()  # who waits less takes nothing from who waits longer
    assert (await leader.log.tree()).hurry_until == later
    assert len(await rows(leader, sa.select(ledger_hurry))) == 1


async def test_many_who_wait_write_rarely(settings: Settings, store: Store, clock: HandClock) -> None:
    written = []
    sa.event.listen(
        store.database.engine.sync_engine, "before_cursor_execute",
        lambda _1, _2, statement, *_rest: written.append(statement) if "ledger_hurry" in statement else None,
    )  # fmt: skip
    hurry = Hurrying(store.database, clock, wait_s=2)
    for _ in range(50):
        await hurry()
        clock.forward(0.01)
    assert len(written) == 1
