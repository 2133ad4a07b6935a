"""What logging in keeps: each single use is one statement, also between two replicas; counts that nobody gets around."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from gateway.services.login_ports import Bucket, Enrolment, OpenSession, Passkey
from gateway.store import Store
from gateway.store.login_accounts import StoredAccounts
from gateway.store.login_attempts import StoredAttempts
from gateway.store.login_sessions import StoredSessions, StoredSteps
from gateway.store.tables import change_event
from gateway.store.tables.login import login_step, login_totp
from tests.gateway.store.conftest import HandClock, OpenStore

pytestmark = pytest.mark.anyio
U, COOKIE = "u" * 32, "c" * 43


def accounts_of(store: Store, clock: HandClock) -> StoredAccounts:
    return StoredAccounts(store.database, store.keys, clock)


async def enrolled(store: Store, clock: HandClock, **factor: object) -> StoredAccounts:
    accounts = accounts_of(store, clock)
    async with store.database.write() as connection:
        await accounts.put(connection, Enrolment(U, "o1", "hash", **factor), demo=False)  # type: ignore[arg-type]
    return accounts


async def test_a_time_step_is_spent_once_by_two_replicas_and_never_again(
    store: Store, open_replica: OpenStore, clock: HandClock
) -> None:
    here = await enrolled(store, clock, totp_secret="ABC", totp_step=10)
    there = accounts_of(await open_replica(), clock)
    spent = await asyncio.gather(*(one.spend_totp(U, 11) for one in (here, there) * 8))
    assert spent.count(True) == 1
    assert not await here.spend_totp(U, 11)
    assert not await here.spend_totp(U, 10)  # one step late, and before the last one
    assert await there.spend_totp(U, 12)
    assert not await here.spend_totp("nobody", 99)


async def test_the_secret_is_ciphertext_and_comes_back(store: Store, clock: HandClock) -> None:
    accounts = await enrolled(store, clock, totp_secret="JBSWY3DP", totp_step=0)
    assert await accounts.totp_secret(U) == "JBSWY3DP"
    assert await accounts.totp_secret("x") is None
    async with store.database.read() as connection:
        assert b"JBSW" not in bytes(await connection.scalar(sa.select(login_totp.c.secret_ct)) or b"JBSW")


async def test_a_passkeys_count_only_grows(store: Store, clock: HandClock) -> None:
    accounts = await enrolled(store, clock, passkey=Passkey(b"id", b"key", 5))
    assert [await accounts.use_passkey(b"id", count) for count in (5, 4, 0, 6, 6, 7)] == [
        False,
        False,
        False,
        True,
        False,
        True,
    ]
    accounts = await enrolled(store, clock, passkey=Passkey(b"id", b"key", 0))
    assert [await accounts.use_passkey(b"id", count) for count in (0, 0, 1, 0)] == [True, True, True, False]
    assert not await accounts.use_passkey(b"other", 9)


async def test_an_invitation_is_redeemed_once_and_ends_what_was(
    store: Store, open_replica: OpenStore, clock: HandClock
) -> None:
    here = await enrolled(store, clock, passkey=Passkey(b"old", b"key", 5))
    there = accounts_of(await open_replica(), clock)
    sessions = StoredSessions(store.database, clock, demo=True)
    late = clock.now() + timedelta(hours=9)
    await sessions.open(COOKIE, OpenSession("s" * 32, U, 2, ("pwd",), clock.now()), "o1", late, late)
    await here.invite(U, "o1", "token", late)
    assert (await here.invited("token"), await here.invited("Token")) == (U, None)
    new = Enrolment(U, "o1", "new hash", totp_secret="ABC", totp_step=7)
    assert not await here.redeem("token", Enrolment("other", "o1", "x"))
    done = await asyncio.gather(*(one.redeem("token", new) for one in (here, there) * 4))
    assert done.count(True) == 1
    account = await here.account(U)
    assert account is not None
    assert (account.password_hash, account.demo) == ("new hash", False)
    assert await here.passkeys(U) == []
    assert not await here.spend_totp(U, 7)  # it was spent by proving it
    assert await sessions.find(COOKIE, 60) is None
    await here.invite(U, "o1", "second", late)
    await here.invite(U, "o1", "third", late)
    assert await here.invited("second") is None
    clock.forward(9 * 3600)
    assert await here.invited("third") is None
    assert not await here.redeem("third", new)
    async with store.database.read() as connection:
        kinds = list(await connection.scalars(sa.select(change_event.c.kind).order_by(change_event.c.id)))
    assert kinds == ["LOGGED_IN", "OFFICER_INVITED", "LOGIN_SET", "OFFICER_INVITED", "OFFICER_INVITED"]


async def test_a_session_ends_when_idle_at_its_end_and_with_its_officer(store: Store, clock: HandClock) -> None:
    sessions = StoredSessions(store.database, clock, demo=True)
    now = clock.now()

    async def opened(cookie: str) -> None:
        session = OpenSession(cookie[:32], U, 2, ("pwd", "otp"), clock.now())
        idle = clock.now() + timedelta(seconds=600)
        await sessions.open(cookie, session, "o1", idle, clock.now() + timedelta(seconds=1500))

    await opened(COOKIE)
    found = await sessions.find(COOKIE, 600)
    assert found is not None
    assert (found.user_id, found.level, found.amr, found.auth_time) == (U, 2, ("pwd", "otp"), now)
    assert await sessions.find("d" * 43, 600) is None
    for _ in range(2):
        clock.forward(590)
        assert await sessions.find(COOKIE, 600) is not None
    clock.forward(320)  # 1500 s altogether, though never idle
    assert await sessions.find(COOKIE, 600) is None
    await opened("e" * 43)
    clock.forward(600)
    assert await sessions.find("e" * 43, 600) is None
    await opened("f" * 43)
    await opened("g" * 43)
    await sessions.close("f" * 43)
    assert await sessions.find("f" * 43, 600) is None
    assert await sessions.find("g" * 43, 600) is not None
    await sessions.close_all(U)
    assert await sessions.find("g" * 43, 600) is None


async def test_a_demo_accounts_session_is_dead_outside_the_demo(store: Store, clock: HandClock) -> None:
    accounts = accounts_of(store, clock)
    async with store.database.write() as connection:
        await accounts.put(connection, Enrolment(U, "o1", "hash"), demo=True)
    demo, real = (StoredSessions(store.database, clock, demo=demo) for demo in (True, False))
    late = clock.now() + timedelta(hours=1)
    await demo.open(COOKIE, OpenSession("s", U, 1, (), clock.now()), "o1", late, late)
    assert await demo.find(COOKIE, 600) is not None
    assert await real.find(COOKIE, 600) is None


async def test_a_step_is_taken_once_for_one_purpose_and_in_time(
    store: Store, open_replica: OpenStore, clock: HandClock
) -> None:
    here = StoredSteps(store.database, store.keys, clock)
    other = await open_replica()
    there = StoredSteps(other.database, other.keys, clock)
    late = clock.now() + timedelta(seconds=300)
    await here.begin(COOKIE, "FACTOR", {"user_id": U, "nonce": "n-0"}, late)
    assert await here.look(COOKIE, "ENROL") is None
    assert await here.take(COOKIE, "ENROL") is None
    assert await there.look(COOKIE, "FACTOR") == {"user_id": U, "nonce": "n-0"}
    async with store.database.read() as connection:
        assert b"n-0" not in bytes(await connection.scalar(sa.select(login_step.c.data_ct)) or b"n-0")
    taken = await asyncio.gather(*(one.take(COOKIE, "FACTOR") for one in (here, there) * 4))
    assert [one for one in taken if one] == [{"user_id": U, "nonce": "n-0"}]
    await here.begin(COOKIE, "FACTOR", {}, late)
    clock.forward(300)
    assert await here.look(COOKIE, "FACTOR") is None
    assert await here.take(COOKIE, "FACTOR") is None


async def test_tries_sent_side_by_side_are_counted_one_by_one(
    store: Store, open_replica: OpenStore, clock: HandClock
) -> None:
    other = await open_replica()
    here, there = (StoredAttempts(one.database, one.keys, clock) for one in (store, other))
    bucket = Bucket("login/a/net", 3, 300)
    tries = await asyncio.gather(*(one.begin([bucket]) for one in (here, there) * 10))
    looked_at = sorted(one.failures[0] for one in tries if not one.wait_s)
    assert looked_at == [1, 2, 3, 4]  # the fourth sets the first wait
    assert {one.wait_s for one in tries if one.wait_s} == {1}


async def test_the_wait_doubles_up_to_its_most_and_an_hours_quiet_ends_it(store: Store, clock: HandClock) -> None:
    attempts = StoredAttempts(store.database, store.keys, clock)
    bucket = Bucket("k", 2, 8)
    waits = []
    for _ in range(9):
        assert (await attempts.begin([bucket])).wait_s == 0
        wait = (await attempts.begin([Bucket("elsewhere", 9, 9), bucket])).wait_s
        waits.append(wait)
        if not wait:
            continue
        clock.forward(wait)
    assert waits == [0, 1, 2, 4, 8, 8, 8, 8, 8]
    clock.forward(3601)
    assert await attempts.begin([bucket]) == await attempts.begin([Bucket("new", 2, 8)])


async def test_all_buckets_are_counted_or_none(store: Store, clock: HandClock) -> None:
    attempts = StoredAttempts(store.database, store.keys, clock)
    full, fresh = Bucket("full", 0, 60), Bucket("fresh", 5, 60)
    await attempts.begin([full])
    await attempts.begin([full])
    assert (await attempts.begin([fresh, full])).wait_s > 0
    assert (await attempts.begin([fresh])).failures == (1,)


async def test_success_forgets_its_own_and_forgives_the_shared(store: Store, clock: HandClock) -> None:
    attempts = StoredAttempts(store.database, store.keys, clock)
    own, shared = Bucket("own", 9, 60), Bucket("shared", 9, 60)
    for _ in range(3):
        await attempts.begin([own, shared])
    await attempts.succeeded([own], [shared])
    assert (await attempts.begin([own, shared])).failures == (1, 3)


async def test_failures_are_on_record_now_and_then_with_no_login_in_it(store: Store, clock: HandClock) -> None:
    attempts = StoredAttempts(store.database, store.keys, clock)
    for failures in range(1, 30):
        await attempts.failed(None if failures == 5 else U, "o1", "PASSWORD", failures)
    async with store.database.read() as connection:
        rows = (await connection.execute(sa.select(change_event).order_by(change_event.c.id))).all()
    assert [(row.kind, row.object_id) for row in rows] == [
        ("LOGIN_FAILED", U), ("LOGIN_FAILED", "unknown"), ("LOGIN_FAILED", U),
    ]  # fmt: skip


async def test_a_providers_account_is_found_by_issuer_and_subject_together(store: Store, clock: HandClock) -> None:
    accounts = accounts_of(store, clock)
    await accounts.link_external(U, "o1", "https://idp.example", "440606199003070017", "operator")
    assert await accounts.external_user("https://idp.example", "440606199003070017") == U
    assert await accounts.external_user("https://evil.example", "440606199003070017") is None
    assert await accounts.external_user("https://idp.example4", "40606199003070017") is None
