"""The replica that gives the log its numbers is killed while all three answer: another takes over, nothing is lost or doubled."""

from __future__ import annotations

import time

import pytest

from tests.flows.faults_ledger.scene import covered, until
from tests.gateway.bootstrap.test_ledger_serving import sound
from tests.replicas.replicas import Replicas

pytestmark = pytest.mark.anyio
TAKES_OVER_S = 10.0
KILLS = 2


async def test_a_leader_killed_under_load_is_followed_by_another(replicas: Replicas) -> None:
    await replicas.start_all(3, dpop_nonces="off")
    load = await replicas.load(4)
    load.begin(replicas.direct())
    took = []
    for _ in range(KILLS):
        await load.more(50)
        leader = await until(replicas.leader)
        await replicas.kill(leader)
        died = time.monotonic()
        await until(replicas.leader, TAKES_OVER_S)
        took.append(time.monotonic() - died)
        await load.more(50)
        await replicas.start(dpop_nonces="off")
    await load.end()
    # Only whoever was on a connection to the dead one heard nothing; nobody was refused.
    assert sum(load.failed.values()) <= KILLS * len(load.askers), load.failed
    assert set(load.failed) <= {"ServerDisconnectedError", "ClientConnectorError", "ClientOSError"}, load.failed
    store = await replicas.store()
    try:
        await covered(store, sealed=False)
        assert await load.lost_or_doubled(store) == set()
        size = await sound(store)
    finally:
        await store.close()
    said = ", ".join(f"{seconds:.2f} s" for seconds in took)
    print(
        f"{KILLS} leaders killed: the next one leads after {said}; {len(load.answered)} answers, log of {size}, lost 0"
    )
