"""Three replicas are replaced one after the other while officers ask: not one request fails."""

from __future__ import annotations

import time

import pytest

from tests.flows.faults_ledger.scene import covered
from tests.gateway.bootstrap.test_ledger_serving import sound
from tests.replicas.replicas import Replicas

pytestmark = pytest.mark.anyio


async def test_three_replicas_are_replaced_one_by_one_and_no_request_fails(replicas: Replicas) -> None:
    first = list(await replicas.start_all(3, dpop_nonces="off"))
    load = await replicas.load(4)
    began = time.monotonic()
    load.begin(lambda: replicas.url)
    await load.more(20)
    for old in first:
        assert await replicas.stop(old) == 0
        assert '"forced":false' in old.log
        await replicas.start(dpop_nonces="off")
        await load.more(10)
    await load.end()
    assert load.failed == {}
    assert load.closed > 0, "connections are told to go before they are closed"
    store = await replicas.store()
    try:
        await covered(store, sealed=False)
        assert await load.lost_or_doubled(store) == set()
        await sound(store)
    finally:
        await store.close()
    seconds = time.monotonic() - began
    print(
        f"3 replicas replaced under {len(load.answered)} requests in {seconds:.0f} s, failed 0, pause {load.longest_s:.2f} s"
    )
