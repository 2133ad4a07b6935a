"""Trusted documents are planned and compiled when a set of sources is loaded, at start and at each reload."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.egress_http import HttpEgress
from gateway.federation.cold import ColdWork
from gateway.services.load_sources import SourceLoads
from gateway.services.snapshots import Snapshots
from schema.limits import Limits
from tests.fakes.federated import NOW, policy_of

TEXT = "query Codes { purposes { code } }"


@pytest.mark.anyio
async def test_they_are_warm_before_anybody_asks_and_again_after_a_reload(tmp_path: Path) -> None:
    cold = ColdWork(1)
    loads = SourceLoads(
        tmp_path,
        HttpEgress(),
        {},
        tmp_path,
        lambda: NOW,
        Limits(),
        False,
        lambda _: policy_of(),
        trusted=(TEXT,),
        cold=cold,
    )
    running = Snapshots(loads, await loads.load(), loads.version())
    first = running.current.plans
    assert first.prepare(TEXT, None, {}).form is not None
    assert await running.reload(asked=True)
    plans = running.current.plans
    assert plans is not first
    assert plans.prepare(TEXT, "Codes", {}).form is not None
    assert plans.counts["COLD"] == first.counts["COLD"] == 0
