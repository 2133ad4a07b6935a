"""Over New Year with a real store: the keeper announces, seals what it can, and goes on in the next log."""

from __future__ import annotations

from datetime import datetime

import pytest
import sqlalchemy as sa

from gateway.services.ledger.keeper import Keeper
from gateway.services.ledger.start_checks import StartChecks
from gateway.services.ledger.status import LedgerStatus
from gateway.store import Store
from gateway.store.tables.ledger import ledger_entry, ledger_key
from ledger.entry import parse_entry
from ledger.note import verify_note
from tests.gateway.store.conftest import HandClock
from tests.gateway.store.ledger.appending import NAME, append, rows, waiting

pytestmark = pytest.mark.anyio


def at(clock: HandClock, instant: str) -> None:
    clock.at = datetime.fromisoformat(f"{instant}+08:00")


async def keeper(store: Store, clock: HandClock) -> Keeper:
    """Of a process that starts now."""
    await store.log.step_down()
    checks = StartChecks(store.log, None)
    found = Keeper(
        store.log,
        store.ledger,
        clock,
        LedgerStatus(),
        checks,
        store.ledger_news,
        name=NAME,
        checkpoint_s=0.01,
        poll_s=0.01,
    )
    await found.start()
    return found


async def said(store: Store, shard: str) -> list[dict[str, object]]:
    """What the log says of itself, in order."""
    c = ledger_entry.c
    found = await rows(store, sa.select(c.entry).where(c.shard == shard).order_by(c.number))
    entries = [parse_entry(bytes(row.entry)) for row in found]
    return [dict(entry.public) for entry in entries if entry.public is not None]


@pytest.mark.parametrize(
    "seen", [["2026-11-20T12:00:00", "2026-12-01T00:00:01", "2026-12-31T23:59:59"], ["2026-11-20T12:00:00"]]
)
async def test_the_next_key_is_in_the_old_log_before_the_new_one_begins(
    store: Store, clock: HandClock, seen: list[str]
) -> None:
    """Whether somebody was there in December, or the gateway was down from November to January."""
    for instant in seen:
        at(clock, instant)
        await append(store.database, waiting(2))
        await (await keeper(store, clock)).turn()
    assert [one.shard for one in await store.ledger.shards()] == ["2026"]
    at(clock, "2027-01-01T00:00:00")
    await append(store.database, waiting(1))
    await (await keeper(store, clock)).turn()
    new, old = await store.ledger.shards()
    assert (new.shard, new.active, old.shard, old.active) == ("2027", True, "2026", False)
    (vkey,) = [row.vkey for row in await rows(store, sa.select(ledger_key).where(ledger_key.c.shard == "2027"))]
    assert await said(store, "2026") == [{"next": {"origin": f"{NAME}/2027", "vkey": vkey}}]
    last, size = await store.ledger.published("2026"), old.size
    assert last is not None
    assert last.size == size  # the announcement is under the old log's last signature
    (first,) = await said(store, "2027")
    assert first["previous"]["size"] == size  # type: ignore[index]
    await append(store.database, waiting(1))
    await (await keeper(store, clock)).turn()
    newest = await store.ledger.published("2027")
    assert newest is not None
    verify_note(newest.note, await store.ledger.keys("2027"))
    assert len(await rows(store, sa.select(ledger_key))) == 2
