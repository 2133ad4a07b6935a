"""The same Go client on the gateway's own endpoints: what they give out is a log of tlog-tiles to others, too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.ledger import WITNESSES
from tests.gateway.web.ledger_house import LedgerHouse, ledger_house
from tests.interop.go_client import GoClient

pytestmark = pytest.mark.anyio
KEYS = [one.key for one in WITNESSES.values()]


@pytest.fixture
async def house() -> AsyncIterator[LedgerHouse]:
    async with ledger_house() as opened:
        yield opened


@pytest.mark.parametrize("size", [1, 256, 700])
async def test_go_reads_the_gateways_log(go: GoClient, house: LedgerHouse, size: int) -> None:
    house.ledger.grow(size)
    house.ledger.sign("GA", "JCY", "FY", "SFJ")
    found = await asyncio.to_thread(go, house.url("/ledger/2026"), [house.ledger.signer.key], KEYS, quorum=4)
    assert (found["origin"], found["size"]) == (house.ledger.origin, size)
    assert len(found["witnesses"]) == 4


async def test_go_believes_the_proof_of_a_receipt(go: GoClient, house: LedgerHouse, tmp_path: Path) -> None:
    house.ledger.grow(300)
    entry_id = house.access("person-1")
    house.ledger.grow(5)
    house.ledger.sign("GA", "JCY", "FY", "JY")
    reply = await house.get(f"/ledger/receipts/{entry_id}/proof")
    assert reply.status == 200
    file = tmp_path / "receipt.tlog-proof"
    file.write_bytes(await reply.read())
    url, keys = house.url("/ledger/2026"), [house.ledger.signer.key]
    alone = await asyncio.to_thread(go, url, keys, KEYS, quorum=4)
    found = await asyncio.to_thread(go, url, keys, KEYS, quorum=4, proofs=[file])
    assert found["inclusion"] == alone["inclusion"] + 1
