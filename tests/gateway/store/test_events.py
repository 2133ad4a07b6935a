"""News between processes: one suite for both databases, and what PostgreSQL's own connection must survive."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import psycopg
import pytest

from gateway.caller import Change
from gateway.services.event_bus import DISPUTES, JOBS, LEDGER, LONGEST_PAYLOAD, RULES, Events
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.changes import record_change
from gateway.store.events import say
from gateway.store.ledger.hurrying import Hurrying
from gateway.store.open_events import open_events
from tests.gateway.store.conftest import HandClock, OpenStore

pytestmark = pytest.mark.anyio
WITHIN_S = 10.0


@dataclass
class Ear:
    """What was heard: payloads of each call, or None where some may have been missed."""

    heard: list[frozenset[str] | None] = field(default_factory=list)
    again: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, payloads: frozenset[str] | None) -> None:
        self.heard.append(payloads)
        self.again.set()

    async def next(self) -> frozenset[str] | None:
        async with asyncio.timeout(WITHIN_S):
            while not self.heard:
                self.again.clear()
                await self.again.wait()
        return self.heard.pop(0)


@dataclass
class Process:
    store: Store
    events: Events

    def ear(self, topic: str) -> Ear:
        ear = Ear()
        self.events.subscribe(topic, ear)
        return ear

    async def nothing_more(self, topic: str, ear: Ear) -> None:
        """Whatever was said before has been heard by now."""
        end, token = self.ear(topic), f"end {secrets.token_hex(4)}"
        await self.events.publish(topic, token)
        while token not in (await end.next() or ()):
            continue
        assert all(one is not None and all(said.startswith("end") for said in one) for one in ear.heard), ear.heard


@pytest.fixture
async def processes(settings: Settings, open_replica: OpenStore) -> AsyncIterator[list[Process]]:
    """Two on PostgreSQL, one on SQLite; each listens already."""
    async with AsyncExitStack() as stack:
        found = []
        for _ in range(1 if settings.sqlite else 2):
            store = await open_replica()
            one = Process(store, await stack.enter_async_context(open_events(store.database)))
            if not settings.sqlite:
                assert await one.ear("begin").next() is None, "who begins to listen looks at everything once"
            found.append(one)
        yield found


async def test_what_a_transaction_says_is_heard_by_every_process_once_it_is_committed(processes: list[Process]) -> None:
    ears = [one.ear("colour") for one in processes]
    async with processes[0].store.database.write() as connection:
        await say(connection, "colour", "red")
        await asyncio.sleep(0.05)
        assert [ear.heard for ear in ears] == [[] for _ in ears]
    assert [await ear.next() for ear in ears] == [frozenset({"red"}) for _ in ears]


async def test_what_came_to_nothing_is_not_said(processes: list[Process]) -> None:
    one = processes[0]
    ear = one.ear("colour")

    async def fails() -> None:
        async with one.store.database.write() as connection:
            await say(connection, "colour", "red")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    async with one.store.database.write():
        pass
    await one.nothing_more("colour", ear)


async def test_the_same_twice_in_one_breath_is_told_once(processes: list[Process]) -> None:
    ears = [one.ear("colour") for one in processes]
    async with processes[-1].store.database.write() as connection:
        for colour in ("red", "green", "red"):
            await say(connection, "colour", colour)
    for ear in ears:
        told: list[frozenset[str]] = []
        while frozenset().union(*told) != {"red", "green"}:
            told.append(await ear.next() or frozenset())
        assert sum(map(len, told)) == 2
    for one, ear in zip(processes, ears, strict=True):
        await one.nothing_more("colour", ear)


async def test_topics_are_apart_and_who_left_hears_nothing(processes: list[Process]) -> None:
    one = processes[0]
    colour, shape, gone = one.ear("colour"), one.ear("shape"), Ear()
    leave = one.events.subscribe("shape", gone)
    leave()
    await processes[-1].events.publish("shape", "round")
    assert await shape.next() == frozenset({"round"})
    assert colour.heard == gone.heard == []


async def test_it_is_a_hint_and_no_letter(processes: list[Process]) -> None:
    one = processes[0]
    ear = one.ear("colour")
    longest = "x" * LONGEST_PAYLOAD
    await one.events.publish("colour", longest)
    assert await ear.next() == frozenset({longest})
    with pytest.raises(ValueError, match="longer"):
        await one.events.publish("colour", longest + "x")


async def test_the_store_says_what_replicas_wait_for(processes: list[Process], clock: HandClock) -> None:
    one, other = processes[0], processes[-1]
    rules, disputes, jobs, ledger = (other.ear(topic) for topic in (RULES, DISPUTES, JOBS, LEDGER))
    async with one.store.database.write() as connection:
        await record_change(connection, clock.now(), Change("POLICY_APPROVED", "p1", "org-1", "boss"))
        await record_change(connection, clock.now(), Change("DISPUTE_OPENED", "d1", "", "person"))
        await record_change(connection, clock.now(), Change("OFFICER_CHANGED", "o1", "org-1", "boss"))
    assert await rules.next() == await disputes.next() == frozenset({""})
    await one.store.jobs.enqueue("SEND", {}, run_at=clock.now())
    assert await jobs.next() == frozenset({"SEND"})
    await Hurrying(one.store.database, clock, wait_s=2.0)()
    assert await ledger.next() == frozenset({""})


async def test_a_connection_that_breaks_is_replaced_and_whoever_listens_looks_at_everything(
    processes: list[Process],
) -> None:
    one = processes[0]
    if one.store.database.is_sqlite:
        pytest.skip("nothing that could break")
    ear = one.ear("colour")
    arguments = one.store.database.connect_arguments()
    async with await psycopg.AsyncConnection.connect(**arguments, autocommit=True) as admin:
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE query = 'LISTEN yimen' AND datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert await ear.next() is None
    await processes[-1].events.publish("colour", "red")
    assert await ear.next() == frozenset({"red"})
