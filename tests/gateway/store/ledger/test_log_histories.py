"""After any history of appending, sequencing, signing, dying and leading, the log is the tree of what was appended."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, TypeVar

import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gateway.clock import SystemClock
from gateway.services.ledger.ports import NotLeading
from gateway.store import Store, open_store
from gateway.store.errors import StoreUnavailable
from gateway.store.tables.ledger import ledger_checkpoint, ledger_outbox, ledger_shard
from ledger.merkle import leaf_hash, root_of
from tests.gateway.store.conftest import Databases
from tests.gateway.store.ledger.appending import NAME, YEAR, append, checkpoint, rows, sequence_all, sound, waiting
from tests.gateway.store.ledger.dying import STEPS

T = TypeVar("T")


class Died(BaseException):
    """Raised at a step in place of dying there: nothing after it is done."""


class Histories(RuleBasedStateMachine):
    """Two processes on one database."""

    databases: Databases

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.appended: dict[str, bytes] = {}
        self.signed: dict[int, bytes] = {}
        self.dies_at: str | None = None
        settings = self.databases.migrated()
        self.stores = [self.do(open_store(settings, SystemClock())) for _ in range(2)]
        for store in self.stores:
            store.log._steps = store.log._sequencer._steps = self._step  # type: ignore[attr-defined]

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(work)

    def _step(self, name: str) -> None:
        if name == self.dies_at:
            raise Died

    @initialize()
    def begin(self) -> None:
        self.do(self.stores[0].log.open(NAME, YEAR))

    @rule(who=st.integers(0, 1), count=st.sampled_from([1, 2, 100, 255, 256, 300]))
    def append(self, who: int, count: int) -> None:
        records = waiting(count)
        self.do(append(self.stores[who].database, records))
        self.appended |= {row["id"]: row["entry"] for row in records}

    @rule(who=st.integers(0, 1))
    def lead(self, who: int) -> None:
        self.do(self.stores[who].log.lead())

    @rule(who=st.integers(0, 1))
    def step_down(self, who: int) -> None:
        self.do(self.stores[who].log.step_down())

    @rule(who=st.integers(0, 1), most=st.sampled_from([1, 7, 256, 1000]))
    def sequence(self, who: int, most: int) -> None:
        self.attempt(self.stores[who].log.sequence(most))

    @rule(who=st.integers(0, 1))
    def sign(self, who: int) -> None:
        self.attempt(self._sign(self.stores[who]))

    @rule(who=st.integers(0, 1), step=st.sampled_from(STEPS), most=st.sampled_from([7, 1000]))
    def die(self, who: int, step: str, most: int) -> None:
        self.dies_at, log = step, self.stores[who].log
        try:
            self.attempt(log.sequence(most))
            self.attempt(self._sign(self.stores[who]))
        except Died:
            self.do(log.step_down())
        finally:
            self.dies_at = None

    @rule()
    def overtake(self) -> None:
        """A leader nobody sees: the fence moves."""
        self.do(self._bump(self.stores[0]))

    @precondition(lambda self: self.appended)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """A journal that did not hear of its commit writes once more what may be numbered by now."""
        id_ = data.draw(st.sampled_from(sorted(self.appended)))
        again = {"id": id_, "due_at_us": 0, "entry": self.appended[id_]}
        with contextlib.suppress(StoreUnavailable):  # it waits there still
            self.do(append(self.stores[0].database, [again]))

    def attempt(self, work: Coroutine[Any, Any, object]) -> None:
        with contextlib.suppress(NotLeading):
            self.do(work)

    async def _sign(self, store: Store) -> None:
        tree = await store.log.tree()
        kept = await checkpoint(store.log)
        assert kept.root == tree.root
        await store.log.publish(kept.shard, kept.size)

    async def _bump(self, store: Store) -> None:
        async with store.database.write() as connection:
            await connection.execute(sa.update(ledger_shard).values(fence=ledger_shard.c.fence + 1))

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        if not hasattr(self, "stores"):
            return
        numbered, waits, kept = self.do(self._seen())
        assert set(numbered) | waits == set(self.appended)
        assert len(set(numbered)) == len(numbered)
        leaves = [leaf_hash(self.appended[id_]) for id_ in numbered]
        for size, root in kept.items():
            assert root == root_of(leaves[:size])
        assert self.signed.items() <= kept.items()
        self.signed = kept

    async def _seen(self) -> tuple[list[str], set[str], dict[int, bytes]]:
        store = self.stores[0]
        if not await rows(store, sa.select(ledger_shard.c.shard)):
            return [], set(), {}
        waits = {row.id for row in await rows(store, sa.select(ledger_outbox.c.id))}
        kept = {row.size: bytes(row.root) for row in await rows(store, sa.select(ledger_checkpoint))}
        return await sound(store), waits, kept

    def teardown(self) -> None:
        async def end() -> None:
            for store in self.stores:
                await store.log.step_down()
            while not await self.stores[0].log.lead():
                await asyncio.sleep(0.01)
            await sequence_all(self.stores[0].log)
            assert sorted(await sound(self.stores[0])) == sorted(self.appended)
            for store in self.stores:
                await store.close()

        self.do(end())
        self.loop.close()


def test_any_history(databases: Databases) -> None:
    machine = type("Histories", (Histories,), {"databases": databases})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
