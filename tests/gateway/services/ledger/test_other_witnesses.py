"""Any witness that speaks C2SP tlog-witness will do, in whichever dialect: asked, resynced, and named when it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.checkpoint import Checkpoint
from ledger.merkle import leaf_hash, root_of
from ledger.note import sign_note
from tests.fakes.other_witnesses import litewitness, omniwitness, proxied
from tests.fakes.waiting import until
from tests.fakes.witnesses import ahead_with_proof, odd_conflict
from tests.gateway.services.ledger.kept import kept
from tests.gateway.services.ledger.test_witnessing import kinds

pytestmark = pytest.mark.anyio
DIALECTS = [litewitness, omniwitness, proxied]


@pytest.mark.parametrize("behave", DIALECTS)
async def test_it_cosigns_and_is_resynced_by_the_size_it_names(behave: Any) -> None:
    async with kept(["GA"], 1) as house:
        house.witnesses["GA"].behave = behave
        async with house.running():
            for size in (1, 2, 3):
                house.ledger.append()
                await until(lambda size=size: house.status.sealed_size == size)  # type: ignore[misc]
        house.ledger.health.clear()  # what we knew of it is lost: it must tell
        house.ledger.append()
        async with house.running():
            await until(lambda: house.status.sealed_size == 4)
        house.witnesses["GA"].forget()
        house.ledger.append()
        async with house.running():
            await until(lambda: house.status.sealed_size == 5)
        assert kinds(house) == ["WITNESS_FORGOT GA"]


@pytest.mark.parametrize(
    ("behave", "fault"), [(litewitness, "NOT_TRUSTED"), (omniwitness, "UNKNOWN_ORIGIN"), (proxied, "UNKNOWN_ORIGIN")]
)
async def test_one_that_was_not_told_of_our_log_is_named(behave: Any, fault: str) -> None:
    async with kept(["GA"], 1) as house:
        bad = house.witnesses["GA"]
        bad.behave, bad.core.logs = behave, {}
        async with house.running():
            house.ledger.append()
            await until(lambda: kinds(house) == [f"WITNESS_{fault} GA"])
            house.trust()  # as soon as it knows, all is well, without a restart
            await until(lambda: house.status.sealed_size == 1)
            assert house.status.faults == {"GA": None}


async def test_an_older_witness_says_conflict_of_another_root_and_what_it_saw_is_looked_at() -> None:
    """Until 2025 the same size with another root was a 409 of no size's type."""
    async with kept() as house, house.running():
        house.ledger.append()
        await until(lambda: house.status.sealed_size == 1)
        log = house.ledger.active
        leaves = [*log.leaves, *(leaf_hash(bytes([n])) for n in range(9))]
        note = bytes(sign_note(Checkpoint(log.shard.origin, 10, root_of(leaves)).text, [log.signer]))

        async def older(fake: Any, request: Any, body: bytes) -> Any:
            return await (ahead_with_proof(note) if request.method == "GET" else odd_conflict)(fake, request, body)

        house.witnesses["GA"].behave = older
        house.ledger.append()
        await until(lambda: house.status.halted == "WITNESS_AHEAD")
