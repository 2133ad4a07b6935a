"""The door: a proof lets in once, a revoked token never, and nobody's answer is anybody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from gateway.oauth.ports import Admission, Revoker
from gateway.store import Store, StoreUnavailable
from gateway.store.door import Batch, StoredDoor
from gateway.store.revocations import CLOCKS_APART
from gateway.store.tables import change_event
from gateway.store.tables.oauth_keys import revocation
from tests.gateway.store.conftest import HandClock, OpenStore

pytestmark = pytest.mark.anyio


def admission(clock: HandClock, proof: str | None, **changes: object) -> Admission:
    made = Admission(
        proof, clock.now() + timedelta(minutes=2), "token-1", "grant-1", "client-1", "user-1", granted_at=clock.now()
    )
    return replace(made, **changes)  # type: ignore[arg-type]


async def test_a_proof_lets_in_once_and_a_look_spends_nothing(store: Store, clock: HandClock) -> None:
    assert await store.door.admit(admission(clock, None)) == "OK"
    assert await store.door.admit(admission(clock, "p")) == "OK"
    assert await store.door.admit(admission(clock, "p")) == "REPLAYED"
    assert await store.door.admit(admission(clock, "q")) == "OK"
    assert await store.door.admit(admission(clock, None)) == "OK"
    assert not await store.replays.spend("dpop", "p", clock.now())  # the very same set


async def test_of_many_at_once_in_two_replicas_one_comes_in(open_replica: OpenStore, clock: HandClock) -> None:
    replicas = [await open_replica(), await open_replica()]
    for number in range(4):
        asked = [replicas[n % 2].door.admit(admission(clock, f"p{number}")) for n in range(30)]
        assert sorted(await asyncio.gather(*asked)) == ["OK"] + ["REPLAYED"] * 29


async def test_two_replicas_with_overlapping_crowds_neither_lock_nor_mix_up(
    open_replica: OpenStore, clock: HandClock
) -> None:
    replicas = [await open_replica(), await open_replica()]
    keys = [f"k{n:03}" for n in range(80)]
    forth = [replicas[0].door.admit(admission(clock, key)) for key in keys]
    back = [replicas[1].door.admit(admission(clock, key)) for key in reversed(keys)]
    answers = await asyncio.gather(*forth, *back)
    there, here = answers[:80], list(reversed(answers[80:]))
    assert [{a, b} for a, b in zip(there, here, strict=True)] == [{"OK", "REPLAYED"}] * 80


REVOKED = {
    "token": ("revoke_token", "token-1"),
    "grant": ("revoke_grant", "grant-1"),
    "client": ("revoke_client", "client-1"),
    "user": ("revoke_user", "user-1"),
    "consent": ("revoke_consent", "consent-2"),
}


@pytest.mark.parametrize("kind", REVOKED)
async def test_a_revocation_counts_at_once_in_every_replica_and_for_nobody_else(
    kind: str, open_replica: OpenStore, clock: HandClock
) -> None:
    here, there = await open_replica(), await open_replica()
    one = admission(clock, None, consent_ids=("consent-1", "consent-2"))
    other = Admission(None, clock.now(), "token-2", "grant-2", "client-2", "user-2", ("consent-3",), clock.now())
    assert {await door.admit(asked) for door in (here.door, there.door) for asked in (one, other)} == {"OK"}
    clock.forward(1)
    name, object_id = REVOKED[kind]
    await getattr(here.revocations, name)(object_id)
    assert [await door.admit(one) for door in (here.door, there.door)] == ["REVOKED", "REVOKED"]
    assert [await door.admit(other) for door in (here.door, there.door)] == ["OK", "OK"]
    async with there.database.read() as connection:
        query = sa.select(change_event).where(change_event.c.kind == "TOKENS_REVOKED")
        (event,) = (await connection.execute(query)).all()
    assert event.object_id == object_id


@pytest.mark.parametrize(
    ("kind", "again"), [("user", "OK"), ("client", "OK"), ("grant", "REVOKED"), ("token", "REVOKED")]
)
async def test_who_logs_in_anew_is_let_in_and_an_ended_grant_stays_ended(
    kind: str, again: str, store: Store, clock: HandClock
) -> None:
    name, object_id = REVOKED[kind]
    await getattr(store.revocations, name)(object_id)
    assert await store.door.admit(admission(clock, None)) == "REVOKED"  # of the same microsecond
    clock.forward(CLOCKS_APART.total_seconds())
    assert await store.door.admit(admission(clock, None)) == "REVOKED"  # it may be of a replica whose clock is ahead
    clock.forward(0.001)
    assert await store.door.admit(admission(clock, None)) == again
    assert await store.door.admit(admission(clock, None, granted_at=None)) == "REVOKED"


async def test_a_second_revocation_moves_the_first_forward_never_back(store: Store, clock: HandClock) -> None:
    await store.revocations.revoke_user("user-1")
    clock.forward(60)
    await store.revocations.revoke_user("user-1")
    assert await store.door.admit(admission(clock, None)) == "REVOKED"
    later = admission(clock, None)
    clock.forward(-120)
    await store.revocations.revoke_user("user-1")
    assert await store.door.admit(later) == "REVOKED"


async def test_a_revocation_is_kept_for_longer_than_any_token_and_then_goes(store: Store, clock: HandClock) -> None:
    await store.revocations.revoke_grant("grant-1")
    clock.forward(3600 + 60)
    await store.replays.purge()
    assert await store.door.admit(admission(clock, None)) == "REVOKED"
    clock.forward(3 * 3600)
    await store.replays.purge()
    async with store.database.read() as connection:
        assert await connection.scalar(sa.select(sa.func.count()).select_from(revocation)) == 0


async def test_odd_names_are_only_names(store: Store, clock: HandClock) -> None:
    odd = "张'; DROP TABLE revocation; -- \u2028 \" \\ {}"
    await store.revocations.revoke_user(odd)
    assert await store.door.admit(admission(clock, None, user_id=odd)) == "REVOKED"
    assert await store.door.admit(admission(clock, None, user_id=odd + " ")) == "OK"


class Journal:
    """One that may be held up, or fail."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def ask(self, batch: Batch) -> tuple[frozenset[str], frozenset[int]]:
        self.batches.append(batch)
        await self.go.wait()
        if self.error is not None:
            raise self.error
        return frozenset(key for key, _ in batch.proofs), frozenset()

    async def close(self) -> None: ...


async def test_who_waits_shares_the_next_round_trip(store: Store, clock: HandClock) -> None:
    journal = Journal()
    door = StoredDoor(journal, store.replays, timeout_s=5)
    first = asyncio.create_task(door.admit(admission(clock, "a")))
    await asyncio.sleep(0)
    rest = [asyncio.create_task(door.admit(admission(clock, key))) for key in "bcdb"]
    await asyncio.sleep(0)
    journal.go.set()
    assert await asyncio.gather(first, *rest) == ["OK", "OK", "OK", "OK", "REPLAYED"]
    assert [[key for key, _ in batch.proofs] for batch in journal.batches] == [["a"], ["b", "c", "d"]]
    await door.close()
    with pytest.raises(StoreUnavailable):
        await door.admit(admission(clock, "e"))


@pytest.mark.parametrize("error", [StoreUnavailable("down"), ValueError("odd")])
async def test_where_the_store_fails_nobody_comes_in(error: Exception, store: Store, clock: HandClock) -> None:
    journal = Journal()
    journal.error = error
    journal.go.set()
    door = StoredDoor(journal, store.replays, timeout_s=5)
    for answer in await asyncio.gather(*(door.admit(admission(clock, key)) for key in "ab"), return_exceptions=True):
        assert isinstance(answer, StoreUnavailable)
    journal.error = None
    assert await door.admit(admission(clock, "c")) == "OK"  # and the next one is not punished for it
    await door.close()


async def test_a_store_that_does_not_answer_is_given_up(store: Store, clock: HandClock) -> None:
    journal = Journal()
    door = StoredDoor(journal, store.replays, timeout_s=0.05)
    with pytest.raises(StoreUnavailable, match="too long"):
        await door.admit(admission(clock, "a"))
    journal.go.set()
    await door.close()


async def test_who_comes_while_old_rows_are_cleared_away_is_not_left_standing(
    store: Store, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    cleared, clearing = asyncio.Event(), asyncio.Event()

    async def purge() -> int:
        clearing.set()
        await cleared.wait()
        return 0

    monkeypatch.setattr(store.replays, "purge", purge)
    store.replays._purged = float("-inf")
    assert await store.door.admit(admission(clock, "a")) == "OK"
    await clearing.wait()
    async with asyncio.timeout(2):
        assert await store.door.admit(admission(clock, "b")) == "OK"
    cleared.set()


async def test_a_connection_that_broke_is_replaced(store: Store, clock: HandClock) -> None:
    assert await store.door.admit(admission(clock, "a")) == "OK"
    if store.database.is_sqlite:
        return
    held = store.door._journal._held._held  # type: ignore[attr-defined]
    pid = (await held.get_raw_connection()).driver_connection.info.backend_pid
    async with store.database.read() as connection:
        await connection.execute(sa.text(f"SELECT pg_terminate_backend({pid})"))
    answers: Sequence[object] = [None]
    for _ in range(3):
        answers = await asyncio.gather(store.door.admit(admission(clock, "b")), return_exceptions=True)
        if answers == ["OK"]:
            break
        assert isinstance(answers[0], StoreUnavailable)
    assert answers == ["OK"]


async def test_the_port_is_kept(store: Store) -> None:
    revoker: Revoker = store.revocations
    assert revoker is store.revocations
