"""What was asked at the reception desk is in a log that an implementation which is not ours reads and believes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from demo.queries import RECEPTION
from ledger.policy import parse_policy
from tests.flows.house import House
from tests.flows.questions import key_of
from tests.flows.sealed_house import five
from tests.flows.test_ledger_seals import ASKED, WHOM
from tests.interop.conftest import go as go
from tests.interop.go_client import GoClient, Refused

pytestmark = pytest.mark.anyio


async def _get(opened: House, path: str) -> bytes:
    async with opened.session.get(f"{opened.url}{path}") as reply:
        assert reply.status == 200, (path, reply.status)
        return await reply.read()


async def _included(opened: House, entry_id: str) -> dict[str, Any]:
    """The receipt once its entry is under a checkpoint."""
    async with asyncio.timeout(10):
        while True:
            state: dict[str, Any] = json.loads(await _get(opened, f"/ledger/receipts/{entry_id}"))
            if state["level"] != "DURABLE":
                return state
            await asyncio.sleep(0.05)


async def test_receipts_lead_into_a_log_that_others_can_read(go: GoClient, gateway: House, tmp_path: Path) -> None:
    proofs, states = [], []
    for _ in range(3):
        answer = await gateway.ask(RECEPTION, key_of("zhang-san-017"))
        receipt = answer["extensions"]["receipt"]
        states.append(await _included(gateway, receipt["id"]))
        proofs.append(tmp_path / f"{receipt['id']}.tlog-proof")
        proofs[-1].write_bytes(await _get(gateway, f"{receipt['proof']}/proof"))
    shard = states[0]["shard"]
    kept = tmp_path / "kept"
    kept.write_bytes(await _get(gateway, f"/ledger/{shard}/checkpoint"))
    last = (await gateway.ask(RECEPTION, key_of("zhang-san-017")))["extensions"]["receipt"]
    states.append(await _included(gateway, last["id"]))
    policy = parse_policy((await _get(gateway, "/ledger/policy?format=text")).decode())
    keys = [one.key for one in policy.logs]
    found = await asyncio.to_thread(go, f"{gateway.url}/ledger/{shard}", keys, proofs=proofs, old=[kept])
    assert found["size"] > max(one["index"] for one in states)
    assert found["inclusion"] >= found["size"] + len(proofs)


async def test_what_five_agencies_cosigned_is_believed_by_others_too(go: GoClient, tmp_path: Path) -> None:
    """Cosignatures of type 0x04, from a gateway with witnesses: four of five, and not of a witness it does not know."""
    async with five(tmp_path) as witnesses, witnesses.house() as opened:
        receipt = (await opened.ask(ASKED, WHOM))["extensions"]["receipt"]
        async with asyncio.timeout(10):
            while (state := json.loads(await _get(opened, f"/ledger/receipts/{receipt['id']}")))["level"] != "SEALED":
                await asyncio.sleep(0.05)
        proof = tmp_path / "receipt.tlog-proof"
        proof.write_bytes(await _get(opened, state["proof"]))
        keys = list(await opened.gateway.store.ledger.keys(state["shard"]))
        agencies = [one.key for one in parse_policy(witnesses.policy).witnesses.values()]
        url = f"{opened.url}/ledger/{state['shard']}"
        found = await asyncio.to_thread(go, url, keys, agencies, quorum=4, proofs=[proof])
        assert len(found["witnesses"]) >= 4
        with pytest.raises(Refused):
            await asyncio.to_thread(go, url, keys, agencies[:3], quorum=4, proofs=[proof])
