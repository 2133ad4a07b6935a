"""One commit a query: who is let in by it is recorded, who is turned away is not, and nobody pays for anybody else."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
import sqlalchemy as sa

from gateway.caller import AccessEvent, Admission, Receipt
from gateway.errors import EvidenceUnavailable, NotAdmitted
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.recording.outbox import seeds_of
from gateway.store.tables import access_event, access_event_pending, access_event_subject
from gateway.store.tables.ledger import ledger_outbox
from tests.gateway.store.conftest import HandClock, OpenStore
from tests.gateway.store.events import event

pytestmark = pytest.mark.anyio


def admission(clock: HandClock, proof: str | None, **changes: object) -> Admission:
    made = Admission(
        proof, clock.now() + timedelta(minutes=2), "token-1", "grant-1", "client-1", "user-1", granted_at=clock.now()
    )
    return replace(made, **changes)  # type: ignore[arg-type]


async def recorded(store: Store) -> set[str]:
    """Ids of the events, which stand everywhere or nowhere."""
    async with store.database.read() as connection:
        events, about, waiting = [
            set(await connection.scalars(sa.select(column)))
            for column in (access_event.c.id, access_event_subject.c.event_id, ledger_outbox.c.id)
        ]
    assert events == about
    assert events <= waiting  # beside changes, which are about nobody
    return events


async def said(store: Store, asked: Admission, *events: AccessEvent) -> str:
    try:
        await store.evidence.record_all(events or (event(),), admission=asked)
    except NotAdmitted as error:
        return error.answer
    return "OK"


async def test_a_proof_is_spent_with_the_record_and_only_once(store: Store, clock: HandClock) -> None:
    assert await said(store, admission(clock, "p")) == "OK"
    kept = await recorded(store)
    assert len(kept) == 1
    assert await said(store, admission(clock, "p"), event(), event()) == "REPLAYED"
    assert await store.door.admit(admission(clock, "p")) == "REPLAYED"  # the very same set
    assert await store.door.admit(admission(clock, "q")) == "OK"
    assert await said(store, admission(clock, "q")) == "REPLAYED"
    assert await said(store, admission(clock, None)) == "OK"  # of a token bound to a certificate
    assert len(await recorded(store)) == len(kept) + 1


async def test_a_dead_token_has_nothing_recorded_and_its_proof_is_spent(store: Store, clock: HandClock) -> None:
    clock.forward(1)
    await store.revocations.revoke_token("token-1")
    assert await said(store, admission(clock, "p")) == "REVOKED"
    assert await said(store, admission(clock, "p")) == "REVOKED"  # which weighs more than that it was shown before
    assert await said(store, admission(clock, "p", token_id="token-2")) == "REPLAYED"
    assert await said(store, admission(clock, "q", token_id="token-2")) == "OK"
    assert len(await recorded(store)) == 1


async def test_batch_mates_are_not_touched(store: Store, clock: HandClock) -> None:
    await store.revocations.revoke_grant("grant-dead")
    assert await said(store, admission(clock, "spent")) == "OK"
    before = await recorded(store)
    asked = [
        admission(clock, "a"), admission(clock, "spent"), admission(clock, "b", grant_id="grant-dead"),
        admission(clock, "twice"), admission(clock, "twice"), admission(clock, "c"), None,
    ]  # fmt: skip
    answers = await asyncio.gather(
        *(
            store.evidence.record_all((event([f"p{n}"]), event([f"p{n}"])), admission=one)
            for n, one in enumerate(asked)
        ),
        return_exceptions=True,
    )
    words = [one.answer if isinstance(one, NotAdmitted) else type(one).__name__ for one in answers]
    assert words == ["Receipt", "REPLAYED", "REVOKED", "Receipt", "REPLAYED", "Receipt", "Receipt"]
    new = await recorded(store) - before
    assert {one.id for one in answers if isinstance(one, Receipt)} <= new
    assert len(new) == 2 * 4
    async with store.database.read() as connection:
        about = set(await connection.scalars(sa.select(access_event_subject.c.subject_id)))
    assert {f"p{n}" for n in range(7)} & about == {"p0", "p3", "p5", "p6"}


async def test_of_one_proof_in_two_replicas_exactly_one_is_answered(open_replica: OpenStore, clock: HandClock) -> None:
    replicas = [await open_replica(), await open_replica()]
    for number in range(3):
        asked = [said(replicas[n % 2], admission(clock, f"p{number}")) for n in range(16)]
        assert sorted(await asyncio.gather(*asked)) == ["OK"] + ["REPLAYED"] * 15
    assert len(await recorded(replicas[0])) == 3


async def test_what_fails_spends_nothing(store: Store, clock: HandClock) -> None:
    bad = event(policy_version=None)  # not null in the table
    answers = await asyncio.gather(
        store.evidence.record_all((event(),), admission=admission(clock, "a")),
        store.evidence.record_all((bad,), admission=admission(clock, "b")),
        store.evidence.record_all((event(),), admission=admission(clock, "c")),
        return_exceptions=True,
    )
    assert [type(one) for one in answers] == [Receipt, EvidenceUnavailable, Receipt]
    assert await said(store, admission(clock, "b")) == "OK"


async def test_a_connection_lost_before_the_commit_is_no_replay(
    settings: Settings, store: Store, clock: HandClock
) -> None:
    if settings.sqlite:
        pytest.skip("SQLite has no server")
    assert await said(store, admission(clock, "a")) == "OK"
    with psycopg.connect(settings.database_url.replace("+psycopg", ""), autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'yimen'")
    assert await said(store, admission(clock, "b")) == "OK"


async def test_written_again_it_is_the_same_request(settings: Settings, store: Store, clock: HandClock) -> None:
    """The first time it was carried out, and nobody heard so: the second finds its own event, which no other has."""
    if settings.sqlite:
        pytest.skip("SQLite has no server")
    from gateway.store.evidence import Asked

    row = store.evidence._row(event(), store.evidence._new_id(1), 1)
    asked = [Asked(admission(clock, "a"), 0, 1)]
    write = store.evidence._journal.write
    assert [await write([row], asked) for _ in range(2)] == [["OK"], ["OK"]]
    other = store.evidence._row(event(), store.evidence._new_id(1), 1)
    assert await write([other], asked) == ["REPLAYED"]
    assert await recorded(store) == {row.waiting.id}


async def test_whoever_reads_finds_everybody(store: Store) -> None:
    """On SQLite they wait in one row until then; also for one who reads within a transaction."""
    many = [f"s{n:02}" for n in range(20)]
    for look in (store.database.read, store.database.write):
        receipt = await store.evidence.record(event(many))
        async with look() as connection:
            whose = sa.select(access_event_subject).where(access_event_subject.c.event_id == receipt.id)
            found = (await connection.execute(whose)).all()
            seeds = await connection.scalar(sa.select(access_event.c.seed_ct).where(access_event.c.id == receipt.id))
            assert await connection.scalar(sa.select(sa.func.count()).select_from(access_event_pending)) == 0
        assert sorted(one.subject_id for one in found) == many
        assert all(one.seed_ct is None for one in found)
        each = seeds_of(seeds, [(one.subject_id, None) for one in found])
        assert {(whose, len(seed_ct)) for whose, seed_ct in each} == {(whose, len(seeds) // 20) for whose in many}
        assert len(set(each)) == 20
        assert await store.openings.open(receipt.id) is not None


@pytest.mark.parametrize("many", [0, 1, 4, 5, 40])
async def test_each_consent_the_token_rests_on_is_looked_for(store: Store, clock: HandClock, many: int) -> None:
    consents = tuple(f"consent-{n}" for n in range(many))
    assert await said(store, admission(clock, "a", consent_ids=consents)) == "OK"
    await store.revocations.revoke_consent(f"consent-{many - 1}")
    expected = "REVOKED" if many else "OK"
    assert await said(store, admission(clock, "b", consent_ids=consents)) == expected
    assert await said(store, admission(clock, "c", consent_ids=("other",))) == "OK"
