"""Grants wait for witnesses, for a bounded time; without a quorum for too long there are none."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from gateway.services.ledger.ports import LedgerHalted, LedgerUnwitnessed
from gateway.services.ledger.seals import LedgerSeals
from gateway.store.errors import StoreUnavailable
from tests.fakes.waiting import until
from tests.fakes.witnesses import hanging, honest, status
from tests.gateway.services.ledger.kept import FIVE, Kept, kept

pytestmark = pytest.mark.anyio


class Changes:
    """Of the one object there is, the newest change is `entry`."""

    entry: str | None = None

    async def newest(self, object_id: str) -> str | None:
        return self.entry if object_id == "consent" else None


async def test_a_grant_waits_until_it_is_sealed_and_hurries_the_witnesses() -> None:
    async with kept() as house, house.running(every_s=30.0):
        seals, changes = house.seals(Changes), Changes()
        seals = house.seals(changes)
        house.ledger.append()
        await until(lambda: house.status.sealed_size == 1)  # the next round is due in half a minute
        changes.entry = house.ledger.append()
        assert await seals.sealed("consent", wait=False) is False
        assert await seals.sealed("consent") is True
        assert await seals.sealed("consent", wait=False) is True


async def test_with_three_of_five_the_proof_follows() -> None:
    async with kept() as house, house.running():
        for name in ("SFJ", "JY"):
            house.witnesses[name].behave = status(500)
        changes = Changes()
        seals = house.seals(changes, wait_s=0.3)
        await seals.allow()
        changes.entry = house.ledger.append()
        began = asyncio.get_running_loop().time()
        assert await seals.sealed("consent") is False
        assert 0.3 <= asyncio.get_running_loop().time() - began < 1.0
        house.witnesses["JY"].behave = honest
        await until(lambda: house.status.sealed_size == 1)
        assert await seals.sealed("consent") is True


async def seen_all(house: Kept) -> None:
    house.ledger.append()
    await until(lambda: set(house.ledger.health) == set(FIVE))


async def test_without_a_quorum_for_longer_than_the_window_nothing_is_granted_until_there_is_one() -> None:
    async with kept() as house, house.running(heartbeat_s=0.05):
        seals = house.seals(Changes(), window_s=600)
        await seen_all(house)
        await until(lambda: house.status.sealed_size == 1)
        for name in ("SFJ", "JY"):
            house.witnesses[name].behave = hanging
        house.ledger.append()
        await seals.allow()  # the window is not over
        house.clock.ahead = timedelta(seconds=601)
        with pytest.raises(LedgerUnwitnessed):
            await seals.allow()
        house.witnesses["JY"].behave = honest
        async with asyncio.timeout(10):
            while True:
                try:
                    await seals.allow()
                    break
                except LedgerUnwitnessed:
                    await asyncio.sleep(0.02)
        await until(lambda: house.ledger.health["SFJ"].fault == "UNREACHABLE")


async def test_an_idle_log_with_its_witnesses_in_place_stays_open() -> None:
    async with kept() as house, house.running(heartbeat_s=0.05):
        seals = house.seals(Changes(), window_s=600)
        await seen_all(house)
        await until(lambda: house.status.sealed_size == 1)
        house.clock.ahead = timedelta(days=1)
        await seals.allow()


async def test_a_quiet_log_is_not_unwitnessed_though_its_witnesses_are_away_and_one_entry_later_it_is() -> None:
    async with kept() as house, house.running():
        seals = house.seals(Changes(), window_s=600)
        house.ledger.append()
        await until(lambda: house.status.sealed_size == 1)
        for one in house.witnesses.values():
            one.behave = status(500)
        house.clock.ahead = timedelta(days=1)
        await seals.allow()
        house.ledger.append()
        house.ledger.made["id-2"] += timedelta(days=1)
        await seals.allow()
        house.clock.ahead += timedelta(seconds=601)
        with pytest.raises(LedgerUnwitnessed):
            await seals.allow()


async def test_witnesses_that_cosign_only_what_was_before_are_no_quorum() -> None:
    """Each was heard a moment ago; yet what was made an hour ago is under no seal."""
    async with kept() as house, house.running():
        seals = house.seals(Changes(), window_s=600)
        house.ledger.append()
        await until(lambda: house.status.sealed_size == 1)
        house.ledger.leads = False
        house.ledger.append()
        house.ledger.made["id-2"] -= timedelta(hours=1)
        with pytest.raises(LedgerUnwitnessed):
            await seals.allow()


async def test_who_waits_in_another_process_hurries_the_witnesses_too() -> None:
    async with kept() as house, house.running(every_s=30.0):
        house.ledger.append()
        await until(lambda: house.status.sealed_size == 1)  # the next round is due in half a minute
        entry = house.ledger.append()
        await until(lambda: house.status.size == 2)
        changes = Changes()
        changes.entry = entry

        async def hurry() -> None:
            house.ledger.hurry_until = house.clock.now() + timedelta(seconds=2)

        there = LedgerSeals(house.ledger, changes, house.policy, house.clock, wait_s=2, window_s=600, hurry=hurry)
        assert await there.sealed("consent", wait=False) is False
        assert house.ledger.hurry_until is None
        assert await there.sealed("consent") is True


async def test_a_store_that_cannot_be_told_costs_no_grant() -> None:
    async def hurry() -> None:
        raise StoreUnavailable("away")

    async with kept() as house, house.running():
        changes = Changes()
        changes.entry = house.ledger.append()
        there = LedgerSeals(house.ledger, changes, house.policy, house.clock, wait_s=5, window_s=600, hurry=hurry)
        assert await there.sealed("consent") is True


async def test_witnesses_that_never_came_close_the_door_after_the_window() -> None:
    async with kept() as house:
        for one in house.witnesses.values():
            one.behave = status(404)
        async with house.running():
            seals = house.seals(Changes(), window_s=600)
            await seen_all(house)
            await seals.allow()
            house.clock.ahead = timedelta(seconds=601)
            with pytest.raises(LedgerUnwitnessed):
                await seals.allow()


async def test_without_a_policy_nothing_is_sealed_and_nothing_waits() -> None:
    async with kept([]) as house, house.running():
        changes = Changes()
        seals = house.seals(changes)
        await seals.allow()
        changes.entry = house.ledger.append()
        began = asyncio.get_running_loop().time()
        assert await seals.sealed("consent") is None
        house.clock.ahead = timedelta(days=100)
        await seals.allow()
        assert asyncio.get_running_loop().time() - began < 0.2


async def test_a_halted_log_grants_nothing() -> None:
    async with kept([]) as house:
        from gateway.services.ledger.ports import Exhibit

        await house.ledger.halt("TREE_DIFFERS", Exhibit("2026", "TREE_DIFFERS", "GA", {}))
        with pytest.raises(LedgerHalted):
            await house.seals(Changes()).allow()


async def test_of_an_unknown_object_nothing_is_sealed() -> None:
    async with kept() as house, house.running():
        assert await house.seals(Changes()).sealed("nothing") is False
