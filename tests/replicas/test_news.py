"""What one process changes the others know at once, though they would look by themselves in an hour only."""

from __future__ import annotations

import asyncio
import re
import time

import pytest

from gateway.policy.ruleset import shipped
from tests.flows.faults_ledger.scene import until
from tests.gateway.bootstrap.conftest import Serving
from tests.gateway.bootstrap.test_serving import get
from tests.replicas.replicas import Replicas

pytestmark = pytest.mark.anyio
MORE = '@id("no-notes") @title_zh("题") @title_en("t") @basis_zh("据") @basis_en("b") forbid (principal, action, resource == Item::"residence.address");'
AT_ONCE_S = 10.0


async def version(serving: Serving) -> str:
    (found,) = re.findall(r'yimen_snapshot_info\{version="(\w+)"\} 1\.0', (await get(serving, "/metrics"))[1])
    return str(found)


async def test_rules_that_two_people_approved_are_in_force_everywhere_at_once(replicas: Replicas) -> None:
    await replicas.start_all(2, reload_poll_s=3600)
    (before,) = set(await asyncio.gather(*map(version, replicas.running)))
    store = await replicas.store()  # the operator's command, say
    try:
        proposed = await store.policies.propose({**shipped(), "99.cedar": MORE}, by="officer-a", org="agency-1")
        await store.policies.approve(proposed, by="officer-b", org="agency-1")
    finally:
        await store.close()
    began = time.monotonic()

    async def known() -> set[str] | None:
        found = set(await asyncio.gather(*map(version, replicas.running)))
        return found if len(found) == 1 and before not in found else None

    await until(known, AT_ONCE_S)
    print(
        f"an approved set of rules is in force at both after {time.monotonic() - began:.2f} s; they look once an hour"
    )
