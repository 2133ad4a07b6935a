"""What becomes of each witness's answer: the honest, the slow, the lying, and the one that knows more than we do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from ledger.checkpoint import Checkpoint, parse_checkpoint
from ledger.merkle import leaf_hash, root_of
from ledger.note import ED25519, parse_signature, sign_note, verify_signature
from tests.fakes.waiting import until
from tests.fakes.witnesses import (
    ahead_with_proof,
    at_no_time,
    blind,
    claims_ahead,
    conflict_without_end,
    empty,
    forged,
    garbage,
    hanging,
    hanging_up,
    honest,
    huge_body,
    odd_conflict,
    redirecting,
    signer,
    signs_another_root,
    sizes_of_nonsense,
    slow,
    status,
    taken_along,
    trickling,
    wrong_key,
)
from tests.gateway.services.ledger.kept import FIVE, Kept, kept

pytestmark = pytest.mark.anyio


def lines(house: Kept, size: int) -> set[str]:
    found = house.ledger.active.checkpoints.get(size)
    return set() if found is None else set(found.cosignatures)


def kinds(house: Kept) -> list[str]:
    return [f"{one.kind} {one.about}" for one in house.ledger.kept_exhibits]


async def test_five_cosign_and_every_line_verifies() -> None:
    async with kept() as house, house.running():
        house.ledger.append()
        await until(lambda: lines(house, 1) == set(FIVE))
        checkpoint = house.ledger.active.checkpoints[1]
        assert house.policy is not None
        for name, line in checkpoint.cosignatures.items():
            verify_signature(checkpoint.note.text, parse_signature(line), house.policy.witnesses[name].key)
        assert checkpoint.sealed_at is not None
        for _ in range(3):  # with a proof from the last one on
            house.ledger.append()
        await until(lambda: house.status.sealed_size == 4)
        assert kinds(house) == []


async def test_three_of_five_are_shown_and_seal_nothing_and_the_fourth_seals() -> None:
    async with kept() as house, house.running():
        for name in ("SFJ", "JY"):
            house.witnesses[name].behave = status(500)
        house.ledger.append()
        await until(lambda: lines(house, 1) == {"GA", "JCY", "FY"})
        await until(lambda: house.ledger.active.checkpoints[1].published_at)
        assert house.ledger.active.checkpoints[1].sealed_at is None
        house.witnesses["JY"].behave = honest
        await until(lambda: house.ledger.active.checkpoints[1].sealed_at)  # without another entry
        assert house.status.faults == {"GA": None, "JCY": None, "FY": None, "SFJ": "FAILING", "JY": None}


async def test_a_hanging_witness_keeps_nobody_from_sealing() -> None:
    async with kept() as house:
        house.ask_s = 3.0
        async with house.running():
            house.witnesses["FY"].behave = hanging
            began = asyncio.get_running_loop().time()
            for size in (1, 2, 3):
                house.ledger.append()
                await until(lambda size=size: house.status.sealed_size == size, 1.0)  # type: ignore[misc]
            assert asyncio.get_running_loop().time() - began < 1.5


async def test_a_slow_witness_still_counts() -> None:
    async with kept() as house:
        house.ask_s = 3.0
        async with house.running():
            house.witnesses["FY"].behave = slow(0.4)
            house.witnesses["JY"].behave = hanging
            house.ledger.append()
            await until(lambda: lines(house, 1) == {"GA", "JCY", "SFJ"})  # shown as they are
            await until(lambda: house.ledger.active.checkpoints[1].sealed_at)


async def test_the_answer_that_was_lost_is_made_good_by_its_size() -> None:
    async with kept(["GA"], 1) as house:
        async with house.running():
            house.ledger.append()
            await until(lambda: house.status.sealed_size == 1)
        house.ledger.health.clear()  # we remember nothing; it remembers 1
        house.ledger.append()
        async with house.running():
            await until(lambda: house.status.sealed_size == 2)
        assert kinds(house) == []


async def test_a_witness_that_forgot_is_named_and_goes_on() -> None:
    async with kept(["GA"], 1) as house, house.running():
        for size in (1, 2):
            house.ledger.append()
            await until(lambda size=size: house.status.sealed_size == size)  # type: ignore[misc]
        house.witnesses["GA"].forget()
        house.ledger.append()
        await until(lambda: house.status.sealed_size == 3)
        assert kinds(house) == ["WITNESS_FORGOT GA"]


@pytest.mark.parametrize(("times", "fault"), [(2, None), (1000, "FAILING")])
async def test_a_witness_another_leader_took_along_meanwhile_is_no_liar(times: int, fault: str | None) -> None:
    """A leader that was stopped and goes on asks beside the one that follows it, each with the size it last heard of."""
    async with kept(["GA"], 1) as house:
        async with house.running():
            for size in range(1, 4):
                house.ledger.append()
                await until(lambda size=size: house.status.sealed_size == size)  # type: ignore[misc]
        house.witnesses["GA"].behave = taken_along(times)
        for _ in range(6):
            house.ledger.append()
        async with house.running():
            if fault is None:
                await until(lambda: house.status.sealed_size == 9)
            else:
                await until(lambda: house.status.faults.get("GA") == fault)
        assert kinds(house) == []


BAD: list[tuple[Any, str]] = [
    (garbage, "GARBAGE"), (empty, "GARBAGE"), (forged, "GARBAGE"), (wrong_key, "GARBAGE"), (huge_body, "GARBAGE"),
    (signs_another_root, "GARBAGE"), (status(404), "UNKNOWN_ORIGIN"), (status(403), "NOT_TRUSTED"),
    (status(422), "REFUSED"), (status(400), "REJECTED"), (odd_conflict, "CONFLICT"), (sizes_of_nonsense, "CONFLICT"),
    (claims_ahead(1000), "CLAIMS_AHEAD"), (at_no_time(2**63 - 1), "GARBAGE"), (at_no_time(0), "GARBAGE"),
]  # fmt: skip


@pytest.mark.parametrize(("behave", "fault"), BAD, ids=lambda one: getattr(one, "__name__", str(one)))
async def test_what_is_no_cosignature_is_alarmed_once_and_counted_out(behave: Any, fault: str) -> None:
    async with kept() as house, house.running():
        bad = house.witnesses["JY"]
        bad.behave = behave
        house.ledger.append()
        await until(lambda: kinds(house) == [f"WITNESS_{fault} JY"])
        asked = len(bad.requests)
        house.ledger.append()
        await until(lambda: len(bad.requests) > asked + 1)  # asked again, after a pause
        await until(lambda: house.status.sealed_size == 2)
        assert "JY" not in lines(house, 2)
        assert kinds(house) == [f"WITNESS_{fault} JY"]
        assert house.ledger.health["JY"].fault == fault
        assert house.status.halted is None
        assert "received" in house.ledger.kept_exhibits[0].documents
        bad.behave = honest
        await until(lambda: "JY" in lines(house, 2), 10)
        assert house.ledger.health["JY"].fault is None


@pytest.mark.parametrize("behave", [hanging, trickling, hanging_up, status(503), redirecting, conflict_without_end])
async def test_what_may_pass_is_a_fault_at_once_and_an_alarm_once_it_lasts(behave: Any) -> None:
    async with kept() as house:
        house.ask_s = 0.2
        async with house.running():
            house.ledger.append()
            await until(lambda: lines(house, 1) == set(FIVE))
            house.witnesses["JY"].behave = behave
            house.ledger.append()
            await until(lambda: house.status.faults["JY"])
            await until(lambda: house.status.sealed_size == 2)
            assert "/elsewhere" not in house.witnesses["JY"].paths
            if house.status.faults["JY"] == "CONFLICT":
                return
            assert kinds(house) == []
    async with kept() as house:
        house.ask_s, house.patience_s = 0.2, 0.0
        house.witnesses["JY"].behave = behave
        async with house.running():
            house.ledger.append()
            await until(lambda: len(kinds(house)) == 1)
            assert house.status.halted is None


async def test_alarms_are_not_repeated_by_the_next_process() -> None:
    async with kept() as house:
        house.witnesses["JY"].behave = garbage
        for size in (1, 2):
            house.ledger.append()
            async with house.running():
                await until(lambda size=size: house.status.sealed_size == size)  # type: ignore[misc]
                await until(lambda: house.status.faults.get("JY"))
        assert kinds(house) == ["WITNESS_GARBAGE JY"]


async def test_a_witness_that_wavers_does_not_fill_the_store_with_exhibits() -> None:
    async with kept() as house, house.running():
        for size, behave in enumerate([garbage, honest, garbage, honest, empty, honest], 1):
            house.witnesses["JY"].behave = behave
            house.ledger.append()
            wanted = "GARBAGE" if behave is not honest else None
            await until(lambda size=size: house.status.sealed_size == size)  # type: ignore[misc]
            await until(lambda wanted=wanted: house.status.faults.get("JY") == wanted)  # type: ignore[misc]
        assert kinds(house) == ["WITNESS_GARBAGE JY"]


async def lose(house: Kept, *, edit: Callable[[bytes], bytes] | None = None) -> None:
    """The database as it was before the second entry, then perhaps other entries in its place."""
    log = house.ledger.active
    del log.entries[1:]
    for size in [one for one in log.checkpoints if one > 1]:
        del log.checkpoints[size]
    house.ledger.health.clear()
    if edit is not None:
        log.entries += [(f"other-{n}", edit(b"entry")) for n in range(5)]


async def three_sealed(house: Kept) -> None:
    async with house.running():
        for size in (1, 2, 3):
            house.ledger.append()
            await until(lambda size=size: house.status.sealed_size == size)  # type: ignore[misc]
        await until(lambda: lines(house, 3) == set(FIVE))


async def test_a_database_restored_from_yesterday_halts_before_anything_is_answered() -> None:
    async with kept() as house:
        await three_sealed(house)
        await lose(house)
        house.made()
        assert house.keeper is not None
        await house.keeper.start()
        assert house.status.halted == "WITNESS_AHEAD"
        assert house.ledger.active.shard.halted == "WITNESS_AHEAD"
        shown = house.ledger.kept_exhibits[0].documents["shown"]
        assert shown.split("\n")[1] == "3"
        assert house.ledger.kept_exhibits[0].documents["ours"].split("\n")[1] == "1"


async def test_it_halts_even_where_one_witness_alone_can_be_reached_and_another_leads() -> None:
    async with kept() as house:
        await three_sealed(house)
        await lose(house)
        for name in FIVE[1:]:
            house.witnesses[name].behave = status(404)
        house.ledger.leads = False
        house.made()
        assert house.keeper is not None
        await house.keeper.start()
        assert house.status.halted == "WITNESS_AHEAD"


async def test_a_rewritten_history_halts_though_it_is_longer() -> None:
    async with kept() as house:
        await three_sealed(house)
        await lose(house, edit=lambda entry: entry + b" edited")
        house.made()
        assert house.keeper is not None
        await house.keeper.start()
        assert house.status.halted == "TREE_DIFFERS"


async def test_a_rewritten_history_is_found_while_running_too() -> None:
    async with kept() as house, house.running():
        for size in (1, 2, 3):
            house.ledger.append()
            await until(lambda size=size: house.status.sealed_size == size)  # type: ignore[misc]
        log = house.ledger.active
        log.entries[1] = ("id-2", b"edited")
        house.ledger.append()
        await until(lambda: log.shard.halted == "TREE_DIFFERS")
        await until(lambda: house.status.halted == "TREE_DIFFERS")
        assert house.ledger.kept_exhibits[-1].kind == "TREE_DIFFERS"
        assert house.ledger.kept_exhibits[-1].about in FIVE


async def test_a_signature_of_ours_over_what_we_do_not_hold_halts_while_running() -> None:
    async with kept() as house, house.running():
        house.ledger.append()
        await until(lambda: house.status.sealed_size == 1)
        log = house.ledger.active
        leaves = [*log.leaves, *(leaf_hash(bytes([n])) for n in range(9))]
        note = sign_note(Checkpoint(log.shard.origin, 10, root_of(leaves)).text, [log.signer])
        house.witnesses["GA"].behave = ahead_with_proof(bytes(note))
        house.ledger.append()
        await until(lambda: house.status.halted == "WITNESS_AHEAD")
        assert house.ledger.kept_exhibits[-1].documents["shown"] == bytes(note).decode()


async def test_a_witness_that_shows_what_somebody_else_signed_stops_nobody() -> None:
    async with kept() as house, house.running():
        house.ledger.append()
        await until(lambda: house.status.sealed_size == 1)
        log = house.ledger.active
        other = signer(log.signer.name, ED25519)  # the same name, another key
        note = sign_note(Checkpoint(log.shard.origin, 10, bytes(32)).text, [other])
        house.witnesses["GA"].behave = ahead_with_proof(bytes(note))
        house.ledger.append()
        await until(lambda: kinds(house) == ["WITNESS_CLAIMS_AHEAD GA"])
        await until(lambda: house.status.sealed_size == 2)
        assert house.status.halted is None


async def test_one_that_colludes_counts_as_one() -> None:
    async with kept() as house:
        house.witnesses["GA"].behave = blind
        for name in ("JCY", "FY"):
            house.witnesses[name].behave = status(500)
        async with house.running():
            house.ledger.append()
            await until(lambda: lines(house, 1) == {"GA", "SFJ", "JY"})
            assert house.ledger.active.checkpoints[1].sealed_at is None


async def test_nothing_is_asked_of_witnesses_of_a_halted_log() -> None:
    async with kept() as house:
        await three_sealed(house)
        await lose(house)
        async with house.running():
            asked = [len(one.requests) for one in house.witnesses.values()]
            await asyncio.sleep(0.3)  # several rounds' time
            assert [len(one.requests) for one in house.witnesses.values()] == asked


async def test_witnesses_are_asked_now_and_then_though_nothing_happens() -> None:
    async with kept(["GA"], 1) as house, house.running(heartbeat_s=0.1):
        house.ledger.append()
        await until(lambda: len(house.witnesses["GA"].requests) > 3)
        sizes = {parse_checkpoint(one.split(b"\n\n", 1)[1].decode().split("\n\n")[0] + "\n").size
                 for one in house.witnesses["GA"].requests}  # fmt: skip
        assert sizes == {1}
