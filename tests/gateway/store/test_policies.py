"""Two people behind every change of the rules, and every version that decided kept whole: on both databases."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from gateway.errors import RequestRefused
from gateway.services.rules_in_force import RulesInForce
from gateway.store import Store
from gateway.store.tables import change_event
from tests.gateway.store.accounts import put_accounts
from tests.gateway.store.conftest import HandClock, OpenStore
from tests.gateway.store.events import event

pytestmark = pytest.mark.anyio
TEXTS = {"10-person.cedar": "forbid (principal, action, resource);"}


async def proposal(store: Store, **texts: str) -> str:
    return await store.policies.propose({**TEXTS, **texts}, by="owner", org="agency")


async def test_until_somebody_approves_the_shipped_rules_are_in_force(store: Store) -> None:
    assert await store.policies.in_force() is None
    await proposal(store)
    assert await store.policies.in_force() is None


async def test_what_another_officer_approves_comes_into_force_and_the_last_one_counts(
    store: Store, clock: HandClock
) -> None:
    first, second = await proposal(store), await proposal(store, more="x")
    digest = await store.policies.approve(second, by="approver", org="agency")
    approved = await store.policies.in_force()
    assert approved is not None
    assert (approved.version, approved.texts["more"]) == (digest, "x")
    clock.forward(-3600)  # a clock that goes back changes nothing: approvals are counted
    await store.policies.approve(first, by="approver", org="agency")
    approved = await store.policies.in_force()
    assert approved is not None
    assert approved.texts == TEXTS


@pytest.mark.parametrize("by", ["owner"])
async def test_nobody_approves_their_own(store: Store, by: str) -> None:
    mine = await proposal(store)
    with pytest.raises(RequestRefused):
        await store.policies.approve(mine, by=by, org="other")
    assert await store.policies.in_force() is None


async def test_a_proposal_is_approved_once_and_an_unknown_one_never(store: Store) -> None:
    one = await proposal(store)
    await store.policies.approve(one, by="approver", org="agency")
    for unknown in (one, "no-such"):
        with pytest.raises(RequestRefused):
            await store.policies.approve(unknown, by="another", org="agency")


async def test_of_many_who_approve_at_once_one_does(store: Store, open_replica: OpenStore) -> None:
    other = await open_replica()
    one = await proposal(store)
    tries = [
        place.policies.approve(one, by=f"approver-{number}", org="agency")
        for number, place in enumerate([store, other] * 4)
    ]
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(result, str) for result in done) == 1
    (found,) = await other.policies.proposals()
    assert (found.turn, found.approved_by is not None) == (1, True)


async def test_every_step_is_evidenced(store: Store) -> None:
    one = await proposal(store)
    await store.policies.approve(one, by="approver", org="agency")
    async with store.database.read() as connection:
        rows = (await connection.execute(sa.select(change_event).order_by(change_event.c.id))).all()
    assert [(row.kind, row.actor_user, row.object_id) for row in rows] == [
        ("POLICY_PROPOSED", "owner", one),
        ("POLICY_APPROVED", "approver", one),
    ]


async def test_a_version_is_kept_once_and_found_by_its_beginning(store: Store, open_replica: OpenStore) -> None:
    other = await open_replica()
    version = "ab" * 32
    await asyncio.gather(*(place.policies.keep(version, TEXTS) for place in (store, other, store)))
    assert [known for known, _ in await store.policies.versions()] == [version]
    assert await other.policies.texts(version[:12]) == TEXTS
    await store.policies.keep(version[:12] + "0" * 52, {})
    for unclear in (version[:12], "ab", "a%", "f" * 12):
        assert await store.policies.texts(unclear) is None
    assert await store.policies.texts(version) == TEXTS


async def test_an_approval_reaches_every_replica_at_its_next_look(store: Store, open_replica: OpenStore) -> None:
    other = await open_replica()
    rules = RulesInForce(other.policies)
    await rules.look()
    assert (rules.stamp(), rules.texts()) == ("", None)
    digest = await store.policies.approve(await proposal(store), by="approver", org="agency")
    watching = asyncio.create_task(rules.watch(0.01))
    async with asyncio.timeout(5):
        while rules.stamp() != digest:
            await asyncio.sleep(0.01)
    watching.cancel()
    assert rules.texts() == TEXTS


async def test_an_event_is_found_with_what_it_was_decided_from(store: Store, clock: HandClock) -> None:
    receipt = await store.evidence.record(event(at=clock.now(), inputs='{"kind":"COURT"}'))
    clock.forward(1)
    await store.evidence.record(event(at=clock.now() - timedelta(seconds=1)))
    found = await store.policies.event(receipt.id)
    assert found is not None
    assert (found.inputs, found.event_id) == ({"kind": "COURT"}, receipt.id)
    assert await store.policies.event("no-such") is None
    assert [one.event_id for one in await store.policies.decided(10)] == [receipt.id]


async def test_nobody_approves_their_own_by_a_second_account(store: Store) -> None:
    """Whose an account is, the officer's own ID number says. An officer whose number is not on file counts as one person."""
    me, other = await store.subjects.intern(["440606199003070017", "440604199303030065"])
    await put_accounts(store, {"owner": me, "owner-again": me, "approver": other, "unknown-1": None, "unknown-2": None})
    mine = await proposal(store)
    with pytest.raises(RequestRefused):
        await store.policies.approve(mine, by="owner-again", org="agency")
    assert await store.policies.approve(mine, by="approver", org="agency")
    theirs = await store.policies.propose(TEXTS, by="unknown-1", org="agency")
    assert await store.policies.approve(theirs, by="unknown-2", org="agency")


async def test_two_sets_approved_at_the_same_instant_come_into_force_one_after_the_other(
    open_replica: OpenStore,
) -> None:
    stores = [await open_replica(), await open_replica()]
    made = [await proposal(stores[0]) for _ in range(8)]
    done = await asyncio.gather(
        *(
            stores[number % 2].policies.approve(one, by=f"approver-{number}", org="agency")
            for number, one in enumerate(made)
        ),
        return_exceptions=True,
    )
    assert [one for one in done if not isinstance(one, str)] == []
    assert sorted(one.turn or 0 for one in await stores[1].policies.proposals()) == list(range(1, 9))
