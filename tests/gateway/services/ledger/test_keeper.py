"""The keeper goes on, whatever happens, and in one order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.services.ledger.ports import LedgerHalted
from gateway.store.errors import StoreUnavailable
from ledger.checkpoint import parse_checkpoint
from ledger.errors import Inconsistent
from ledger.note import verify_note
from ledger.policy import NONE
from tests.fakes.waiting import until
from tests.fakes.witnesses import hanging, status
from tests.gateway.services.ledger.kept import Kept, kept

pytestmark = pytest.mark.anyio


async def test_entries_become_a_signed_checkpoint_and_without_witnesses_it_is_published() -> None:
    async with kept([]) as house, house.running():
        house.ledger.append()
        house.ledger.append()
        await until(lambda: 2 in house.ledger.active.checkpoints)
        checkpoint = house.ledger.active.checkpoints[2]
        await until(lambda: house.ledger.active.checkpoints[2].published_at)
        assert checkpoint.sealed_at is None
        said = parse_checkpoint(checkpoint.note.text)
        assert (said.size, said.root) == (2, (await house.ledger.tree()).root)
        verify_note(checkpoint.note, await house.ledger.keys(checkpoint.shard))
        assert not house.status.witnessed


async def test_an_empty_log_signs_nothing() -> None:
    async with kept([]) as house:
        house.made()
        assert house.keeper is not None
        await house.keeper.start()
        await house.keeper.turn()
        assert house.ledger.active.checkpoints == {}


async def test_sequenced_then_signed_then_witnessed_then_published() -> None:
    async with kept() as house, house.running():
        house.ledger.append()
        await until(lambda: house.ledger.active.checkpoints.get(1) and house.ledger.active.checkpoints[1].published_at)
        calls = [call for call in house.ledger.calls if call != "sequence"]
        assert calls[:3] == ["keep_checkpoint", "keep_cosignatures", "publish"]
        assert house.ledger.active.checkpoints[1].sealed_at is not None


@pytest.mark.parametrize("trouble", [StoreUnavailable("away"), ValueError("a bug"), OSError("disk full")])
async def test_whatever_goes_wrong_is_counted_and_tried_again(trouble: Exception) -> None:
    async with kept([]) as house, house.running():
        house.ledger.trouble = trouble
        house.ledger.append()
        await until(lambda: 1 in house.ledger.active.checkpoints)
        assert house.status.errors == {type(trouble).__name__: 1}


async def test_what_was_accepted_is_signed_before_the_process_ends() -> None:
    async with kept([]) as house:
        async with house.running(checkpoint_s=30.0):
            house.ledger.append()
            await until(lambda: house.ledger.active.checkpoints)
            house.ledger.append()
        assert 2 in house.ledger.active.checkpoints
        assert house.ledger.calls[-1] == "step_down"


async def test_another_leads_until_it_does_not() -> None:
    async with kept([]) as house:
        house.ledger.leads = False
        async with house.running():
            house.ledger.append()
            assert not house.status.leading
            house.ledger.leads = True
            await until(lambda: 1 in house.ledger.active.checkpoints)
            assert house.status.leading


async def test_a_crash_between_sequencing_and_signing_is_made_good_by_the_next_leader() -> None:
    async with kept([]) as house:
        house.ledger.append()
        await house.ledger.sequence(10)
        async with house.running():
            await until(lambda: 1 in house.ledger.active.checkpoints)


async def test_a_crash_before_publishing_is_made_good_by_the_next_leader() -> None:
    async with kept() as house:
        async with house.running():
            house.ledger.append()
            await until(lambda: house.status.sealed_size == 1)
        checkpoints = house.ledger.active.checkpoints
        checkpoints[1] = replace(checkpoints[1], published_at=None, sealed_at=None, cosignatures={})
        async with house.running():
            await until(lambda: checkpoints[1].published_at and checkpoints[1].sealed_at)


async def test_a_dead_witness_delays_neither_index_nor_signature() -> None:
    async with kept(["GA"], 1) as house:
        house.ask_s = 5.0
        async with house.running():
            house.witnesses["GA"].behave = hanging
            for size in range(1, 6):
                house.ledger.append()
                await until(lambda size=size: size in house.ledger.active.checkpoints, 1.0)  # type: ignore[misc]


async def test_a_halted_log_is_left_alone_and_taken_up_again_when_the_operator_begins_anew() -> None:
    async with kept([]) as house, house.running():
        house.ledger.trouble = LedgerHalted("SIGNED_TWICE")
        house.ledger.append()
        await until(lambda: house.status.halted == "SIGNED_TWICE")
        await until(lambda: house.status.halted is None)  # the fake's row says nothing of it: somebody put it right
        await until(lambda: 1 in house.ledger.active.checkpoints)


async def test_damage_at_the_end_of_the_log_halts_before_anything_is_written() -> None:
    async def damaged() -> None:
        raise Inconsistent("entry 3 is not what was signed", index=3)

    async with kept([]) as house:
        house.tail = damaged
        house.ledger.append()
        async with house.running():
            assert house.status.halted == "STORE_DAMAGED"
            assert house.ledger.active.shard.halted == "STORE_DAMAGED"
            assert house.ledger.active.entries == []
        assert [one.kind for one in house.ledger.kept_exhibits] == ["STORE_DAMAGED"]


async def test_a_leadership_that_was_lost_and_won_again_looks_before_it_writes() -> None:
    looks = 0

    async def look() -> None:
        nonlocal looks
        looks += 1
        if looks > 1:
            raise Inconsistent("entry 3 is not what was signed", index=3)

    async with kept([]) as house:
        house.tail = look
        async with house.running():
            house.ledger.append()
            await until(lambda: 1 in house.ledger.active.checkpoints)
            house.ledger.term += 1  # say, the database failed over to a standby between two turns
            house.ledger.append()
            await until(lambda: house.status.halted == "STORE_DAMAGED")
            assert len(house.ledger.active.entries) == 1
            assert not house.status.leading


async def test_another_year_begins_with_the_last_sealed_checkpoint() -> None:
    async with kept() as house, house.running():
        year = house.ledger.active.shard.shard
        house.ledger.append()
        await until(lambda: house.status.sealed_size == 1)
        for one in house.witnesses.values():
            one.trust()  # they hear of the next log when it is there
        house.clock.ahead = timedelta(days=366)
        house.ledger.news.set()
        await until(lambda: house.ledger.active.shard.shard != year)
        assert house.ledger.active.entries[0][1] == b"after 2"  # the second said which key comes next
        assert int(house.ledger.active.shard.shard) == int(year) + 1
        await until(lambda: house.status.shard == house.ledger.active.shard.shard)
        assert house.status.sealed_size == 0  # the new log's, though the old one's was larger
        house.trust()
        house.ledger.append()
        await until(lambda: house.status.sealed_size == 2)


def at(house: Kept, instant: str) -> None:
    """Set the clock, by civil time."""
    house.clock.ahead = datetime.fromisoformat(f"{instant}+08:00") - datetime.now(UTC)


async def turned(house: Kept) -> list[str]:
    """What one turn of the keeper does to the log, but for reading and signing."""
    assert house.keeper is not None
    house.ledger.calls.clear()
    await house.keeper.turn()
    return [call for call in house.ledger.calls if call in ("announce", "turn_year")]


async def test_the_next_years_key_is_announced_a_month_before_once_and_the_year_turns_at_civil_midnight() -> None:
    async with kept([]) as house:
        house.ledger.logs.clear()
        at(house, "2026-11-30T23:59:50")
        house.made(announce_days=31)
        assert house.keeper is not None
        await house.keeper.start()
        assert await turned(house) == []
        at(house, "2026-12-01T00:00:01")
        assert await turned(house) == ["announce"]
        assert (house.ledger.announced, house.status.next_year) == (["2027"], "2027")
        at(house, "2026-12-31T23:59:50")
        assert await turned(house) == []
        assert house.ledger.active.shard.shard == "2026"
        at(house, "2027-01-01T00:00:01")
        assert await turned(house) == ["turn_year"]
        assert house.ledger.active.shard.shard == "2027"
        assert await turned(house) == []
        assert house.status.next_year is None


async def test_who_was_down_over_new_year_announces_in_the_old_log_before_it_closes() -> None:
    async with kept([]) as house:
        house.ledger.logs.clear()
        at(house, "2026-11-20T12:00:00")
        house.made(announce_days=31)
        assert house.keeper is not None
        await house.keeper.start()
        house.ledger.append()
        at(house, "2027-01-03T08:00:00")
        house.made(announce_days=31)
        await house.keeper.start()
        assert await turned(house) == ["announce", "turn_year"]
        assert [entry for _, entry in house.ledger.logs["2026"].entries] == [b"entry 1", b"next 2027"]
        assert max(house.ledger.logs["2026"].checkpoints) == 2
        assert house.ledger.active.shard.shard == "2027"


async def test_who_starts_again_in_december_says_it_again_but_writes_nothing() -> None:
    async with kept([]) as house:
        house.ledger.logs.clear()
        at(house, "2026-12-10T12:00:00")
        for _ in range(2):
            house.made(announce_days=31)
            assert house.keeper is not None
            await house.keeper.start()
            await house.keeper.turn()
            assert house.status.next_year == "2027"
        assert house.ledger.announced == ["2027"]
        assert len(house.ledger.active.entries) == 1


async def test_the_old_year_goes_on_while_its_end_is_not_sealed() -> None:
    async with kept(["GA"], 1) as house, house.running():
        year = house.ledger.active.shard.shard
        house.witnesses["GA"].behave = hanging
        house.clock.ahead = timedelta(days=366)
        house.ledger.append()
        await until(lambda: house.ledger.active.checkpoints)
        assert house.ledger.active.shard.shard == year


async def test_after_an_hour_without_witnesses_the_year_closes_unsealed_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("gateway.services.ledger.keeper._YEAR_PATIENCE", 3)
    monkeypatch.setattr("gateway.services.ledger.keeper._YEAR_RETRY_S", 0.01)
    async with kept(["GA"], 1) as house, house.running():
        year = house.ledger.active.shard.shard
        house.witnesses["GA"].behave = status(500)
        house.ledger.append()
        await until(lambda: house.ledger.active.checkpoints)
        house.clock.ahead = timedelta(days=366)
        await until(lambda: house.ledger.active.shard.shard != year)
        assert "ledger_year_closed_unsealed" in capsys.readouterr().out
        assert all(one.sealed_at is None for one in house.ledger.logs[year].checkpoints.values())


async def test_a_policy_without_a_quorum_turns_the_year_at_once() -> None:
    async with kept(["GA"], 1) as house:
        assert house.policy is not None
        house.policy = replace(house.policy, quorum=NONE)
        async with house.running():
            year = house.ledger.active.shard.shard
            house.ledger.append()
            await until(lambda: house.ledger.active.checkpoints)
            house.clock.ahead = timedelta(days=366)
            await until(lambda: house.ledger.active.shard.shard != year)


async def test_a_clock_that_goes_back_turns_nothing() -> None:
    async with kept([]) as house, house.running():
        year = house.ledger.active.shard.shard
        house.clock.ahead = timedelta(days=-400)
        house.ledger.append()
        await until(lambda: 1 in house.ledger.active.checkpoints)
        assert house.ledger.active.shard.shard == year
