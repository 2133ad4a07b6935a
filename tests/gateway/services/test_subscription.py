"""A subscription speaks of the sources that are in force, not of those that were when it began."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from adapters.health import Health
from adapters.registry import OpenSource
from gateway.federation.catalog import Snapshot, offers_of
from gateway.federation.plan import Plans
from gateway.policy.purposes import read_register
from gateway.services.execute import GraphQLAnswer, GraphQLRequest
from gateway.services.run_query import RunQuery
from gateway.services.snapshots import Held, Snapshots
from schema.build import build_schema
from schema.limits import Limits
from tests.fakes.federated import OFFICER, Everyone, FixedClock, NoMetrics, Recorder, opened, policy_of

pytestmark = pytest.mark.anyio
HEALTH = GraphQLRequest("subscription { sourceHealth { source state } }")


class Files:
    """Manifests that can change; counts what was closed."""

    def __init__(self) -> None:
        self.turn = 0
        self.closed: list[Held] = []

    def version(self) -> str:
        return str(self.turn)

    async def load(self) -> Held:
        built, register = build_schema(), read_register()
        sources = (_in_state("LGB", "UP" if self.turn == 0 else "DOWN"),)
        snapshot = Snapshot(f"v{self.turn}" * 16, built, offers_of(sources), sources, register)
        return Held(snapshot, Plans(built, Limits(), introspection=False), policy_of())

    async def close(self, held: Held) -> None:
        self.closed.append(held)


def _in_state(code: str, state: str) -> OpenSource:
    source, _ = opened(code, "residence", {"address": "dz"}, [])
    health = replace(Health(code, "UP", "CLOSED", None, None, None, 0, None, 0, 0), state=state)  # type: ignore[arg-type]
    return replace(source, health=lambda: health)


def state(answer: GraphQLAnswer) -> str:
    assert answer.data is not None
    return str(answer.data["sourceHealth"]["state"])


async def test_a_reload_reaches_subscriptions_and_the_old_sources_are_let_go() -> None:
    files = Files()
    snapshots = Snapshots(files, await files.load(), files.version())
    first = snapshots.current
    execute = RunQuery(
        snapshots, evidence=Recorder(), subjects=Everyone(), clock=FixedClock(), metrics=NoMetrics(), deadline_s=2.0,
        batch_persons=100, trusted_documents={},
    )  # fmt: skip
    events = execute.subscribe(OFFICER, HEALTH)
    async with asyncio.timeout(5):
        assert state(await anext(events)) == "UP"
        following = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        files.turn = 1
        assert await snapshots.reload()
        assert state(await following) == "DOWN"
        assert files.closed == [first]
        await events.aclose()  # type: ignore[attr-defined]
    assert snapshots.current.users == 0
