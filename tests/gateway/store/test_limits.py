"""Rates, budgets and suspensions of clients, held across replicas, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from gateway.caller import Alert, Caller, CallerKind
from gateway.consent.ports import Asked
from gateway.errors import RequestRefused
from gateway.services.client_limits import LONG_S, SHORT_S, AbuseRules, Allowance, Counts
from gateway.services.partner_limits import PartnerLimits
from gateway.store import Store
from gateway.store.limits import StoredMeters
from gateway.store.suspensions import StoredSuspensions
from gateway.store.tables import change_event
from gateway.store.tables.limits import client_subject, client_window
from tests.gateway.services.identity_examples import Revocations
from tests.gateway.store.conftest import START, HandClock, OpenStore
from tests.gateway.store.consenting import ID_NO, YES, terms

pytestmark = pytest.mark.anyio

BANK = Caller(
    "bank-1", "FS-BANK", "BANK", frozenset(), "t", START + timedelta(days=2), kind=CallerKind.PARTNER, client_id="bank-1"
)  # fmt: skip


USUAL = Allowance()


class Clients:
    """Implements `DisableClient`; notes who was disabled."""

    def __init__(self) -> None:
        self.disabled: list[str] = []
        self.fails = False

    async def disable(self, client_id: str, *, actor_org: str, actor_user: str) -> bool:
        if self.fails:
            raise ConnectionError
        self.disabled.append(client_id)
        return True


class Alarm:
    """Implements `gateway.caller.Alerts`."""

    def __init__(self) -> None:
        self.raised: list[Alert] = []

    async def raise_alert(self, alert: Alert) -> str:
        self.raised.append(alert)
        return "a1"


class Desk:
    """The service over a real store, with what follows a suspension noted."""

    def __init__(
        self, store: Store, clock: HandClock, allowance: Allowance = USUAL, rules: AbuseRules | None = None
    ) -> None:
        self.meters = StoredMeters(store.database, store.keys, clock, allowance)
        self.clients, self.revoker, self.alarm = Clients(), Revocations(), Alarm()
        self.limits = PartnerLimits(
            self.meters, self.clients, self.revoker, self.alarm, store.consents, allowance=allowance, rules=rules
        )

    async def ask(self, caller: Caller, asked: Sequence[str], found: Sequence[str], cost: int = 10) -> str:
        """OK, or the code of the refusal."""
        try:
            await self.limits.admit(caller, cost)
        except RequestRefused as refused:
            return refused.code
        await self.limits.note(caller, asked, found, denied=False)
        return "OK"


async def test_a_partner_set_up_wrongly_is_refused_and_not_taken_for_a_scraper(store: Store, clock: HandClock) -> None:
    """It asks about people who agreed to it, for a field too many; of those who agreed to another client it is a miss."""
    desk = Desk(store, clock)
    everybody = [f"s{number:02}" for number in range(60)]
    for subject in everybody:
        said = terms(client_id=BANK.client_id, org_id=BANK.org_id, starts_at=clock.now(), reference=subject)
        _, consent_id = await store.consents.ask(said, Asked(ID_NO, "张三"), clock.now() + timedelta(days=7))
        await store.consents.settle(consent_id, subject)
        (consent,) = await store.consents.all_of(subject)
        await store.consents.answer(consent, YES)
    for subject in everybody:
        assert await desk.ask(BANK, [subject], []) == "OK"
    assert (await desk.meters.counts(BANK.client_id))[0].misses == 0
    other = replace(BANK, client_id="bank-2")
    answers = [await desk.ask(other, [subject], []) for subject in everybody]
    assert answers.index("CLIENT_SUSPENDED") == 30


async def test_the_rate_holds_and_says_when_to_come_back(store: Store, clock: HandClock) -> None:
    desk = Desk(store, clock, Allowance(requests_per_minute=60, burst_s=5))
    for _ in range(5):
        await desk.limits.admit(BANK, 1)
    with pytest.raises(RequestRefused) as caught:
        await desk.limits.admit(BANK, 1)
    assert (caught.value.code, caught.value.facts) == ("RATE_LIMITED", {"retry_after": 1})
    clock.forward(0.5)
    with pytest.raises(RequestRefused):
        await desk.limits.admit(BANK, 1)
    clock.forward(0.5)
    await desk.limits.admit(BANK, 1)


async def test_a_clock_that_ran_ahead_and_came_back_stops_nobody(store: Store, clock: HandClock) -> None:
    desk = Desk(store, clock)
    clock.forward(600)
    await desk.limits.admit(BANK, 1)
    clock.forward(-600)
    await desk.limits.admit(BANK, 1)
    answers = [await desk.ask(BANK, [], []) for _ in range(1000)]
    assert "RATE_LIMITED" in answers, "and the rate holds as ever"


async def test_a_refused_request_spends_nothing(store: Store, clock: HandClock) -> None:
    """Who keeps knocking is let in when it is time, not later."""
    desk = Desk(store, clock, Allowance(requests_per_minute=60, burst_s=1))
    await desk.limits.admit(BANK, 1)
    for _ in range(30):
        with pytest.raises(RequestRefused):
            await desk.limits.admit(BANK, 1)
    clock.forward(1)
    await desk.limits.admit(BANK, 1)


async def test_the_budget_holds_whatever_the_rate(store: Store, clock: HandClock) -> None:
    desk = Desk(store, clock, Allowance(requests_per_minute=100_000, cost_per_minute=600))
    await desk.limits.admit(BANK, 400)
    with pytest.raises(RequestRefused) as caught:
        await desk.limits.admit(BANK, 300)
    assert (caught.value.code, caught.value.facts) == ("BUDGET_SPENT", {"retry_after": 10})
    clock.forward(10)
    await desk.limits.admit(BANK, 300)


async def test_a_question_above_the_whole_budget_is_never_admitted(store: Store, clock: HandClock) -> None:
    desk = Desk(store, clock, Allowance(cost_per_minute=100))
    for _ in range(2):
        with pytest.raises(RequestRefused) as caught:
            await desk.limits.admit(BANK, 101)
        assert caught.value.code == "BUDGET_SPENT"
    await desk.limits.admit(BANK, 100)


async def test_replicas_share_one_rate(open_replica: OpenStore, clock: HandClock) -> None:
    """60 at once over two replicas and many connections: exactly the burst comes through."""
    desks = [Desk(await open_replica(), clock, Allowance(requests_per_minute=120, burst_s=5)) for _ in range(2)]

    async def one(number: int) -> bool:
        try:
            await desks[number % 2].limits.admit(BANK, 1)
        except RequestRefused:
            return False
        return True

    admitted = await asyncio.gather(*(one(number) for number in range(60)))
    assert sum(admitted) == 10


async def test_clients_do_not_share_anything_and_officers_are_not_metered(store: Store, clock: HandClock) -> None:
    desk = Desk(store, clock, Allowance(requests_per_minute=60, burst_s=1))
    await desk.limits.admit(BANK, 1)
    await desk.limits.admit(replace(BANK, client_id="bank-2"), 1)
    officer = replace(BANK, kind=CallerKind.OFFICER, client_id="bank-1")
    for _ in range(20):
        await desk.limits.admit(officer, 10**9)
    await desk.limits.note(officer, ["s"] * 100, [], denied=False)
    async with store.database.read() as connection:
        rows = await connection.scalar(sa.select(sa.func.count()).select_from(client_subject))
    assert rows == 0


async def test_a_clients_own_figures_count_with_the_next_request(store: Store, clock: HandClock) -> None:
    desk = Desk(store, clock, Allowance(requests_per_minute=60, burst_s=1))
    suspensions = StoredSuspensions(store.database, clock)
    await desk.limits.admit(BANK, 1)
    await suspensions.set_figures("bank-1", {"requests_per_minute": 600}, actor_org="O", actor_user="u")
    for _ in range(9):
        clock.forward(0.1)
        await desk.limits.admit(BANK, 1)
    await suspensions.set_figures("bank-1", {"requests_per_minute": None}, actor_org="O", actor_user="u")
    assert [await desk.ask(BANK, [], []) for _ in range(2)] == ["OK", "RATE_LIMITED"]  # and what was spent is forgotten
    async with store.database.read() as connection:
        kinds = list(await connection.scalars(sa.select(change_event.c.kind)))
    assert kinds == ["CLIENT_LIMITS_CHANGED"] * 2


async def test_a_client_with_a_budget_of_its_own_may_ask_more_at_once(store: Store, clock: HandClock) -> None:
    desk = Desk(store, clock, Allowance(cost_per_minute=100))
    suspensions = StoredSuspensions(store.database, clock)
    await suspensions.set_figures("bank-1", {"cost_per_minute": 500}, actor_org="O", actor_user="u")
    await desk.limits.admit(BANK, 400)
    with pytest.raises(RequestRefused):
        await desk.limits.admit(BANK, 200)


async def test_an_honest_partner_at_ten_a_second_notices_nothing(store: Store, clock: HandClock) -> None:
    """Half a minute of ten requests a second about 100 people who agreed, of whom one in fifty has taken it back."""
    desk = Desk(store, clock)
    for turn in range(300):
        clock.forward(0.1)
        person = turn * 7 % 100
        found = [] if person % 50 == 0 else [f"s{person}"]
        assert await desk.ask(BANK, [f"s{person}"], found, cost=60) == "OK"
    assert desk.alarm.raised == []
    short, _ = await desk.meters.counts("bank-1")
    assert (short.hits + short.misses, short.limited) == (100, 0)


async def test_a_partner_that_asks_about_anybody_is_suspended_within_a_minute_and_stays_so(
    open_replica: OpenStore, clock: HandClock
) -> None:
    first, second = await open_replica(), await open_replica()
    desk, other = Desk(first, clock), Desk(second, clock)
    said = []
    for number in range(600):
        clock.forward(0.1)
        said.append(
            await (desk if number % 2 else other).ask(BANK, [f"s{number}"], [f"s{number}"] if number % 3 == 0 else [])
        )
        if said[-1] != "OK":
            break
    assert said[-1] == "CLIENT_SUSPENDED"
    assert len(said) < 60  # at ten a second: within six seconds
    raised = [*desk.alarm.raised, *other.alarm.raised]
    assert [(one.type, one.severity, one.about, one.about_id) for one in raised] == [
        ("A12_PARTNER_SCRAPE", "S1", "PARTNER", "bank-1")
    ]
    assert [*desk.clients.disabled, *other.clients.disabled] == ["bank-1"]
    assert [*desk.revoker.clients, *other.revoker.clients] == ["bank-1"]
    (suspension,) = await StoredSuspensions(first.database, clock).all()
    assert suspension.rule == "LOW_HIT_RATE"
    assert suspension.pack["counts"][0]["misses"] >= 20
    clock.forward(86_400)
    assert await desk.ask(BANK, [], []) == "CLIENT_SUSPENDED"
    assert await other.ask(replace(BANK, client_id="bank-2"), [], []) == "OK"


async def test_asking_again_about_those_who_agreed_does_not_hide_those_who_did_not(
    store: Store, clock: HandClock
) -> None:
    desk = Desk(store, clock)
    said = ""
    for number in range(400):
        clock.forward(0.1)
        stranger = number % 8 == 0  # seven questions of eight are about the same ten friends
        person = f"x{number}" if stranger else f"friend{number % 10}"
        said = await desk.ask(BANK, [person], [] if stranger else [person])
        if said != "OK":
            break
    assert said == "CLIENT_SUSPENDED"


async def test_a_slow_scrape_is_found_by_the_day(store: Store, clock: HandClock) -> None:
    """One person every five minutes is never many in ten minutes."""
    desk = Desk(store, clock)
    said, asked = "OK", 0
    while said == "OK" and asked < 400:
        clock.forward(300)
        asked += 1
        said = await desk.ask(BANK, [f"s{asked}"], [f"s{asked}"] if asked % 2 else [])
    assert said == "CLIENT_SUSPENDED"
    assert asked <= 120


async def test_who_keeps_hammering_after_being_told_is_suspended(store: Store, clock: HandClock) -> None:
    desk = Desk(store, clock, Allowance(requests_per_minute=60, burst_s=1), AbuseRules(limited=50))
    said = [await desk.ask(BANK, [], []) for _ in range(90)]
    assert "RATE_LIMITED" in said
    assert said[-1] == "CLIENT_SUSPENDED"
    (suspension,) = await StoredSuspensions(store.database, clock).all()
    assert suspension.rule == "HAMMERING"


async def test_many_subjects_for_one_key(store: Store, clock: HandClock) -> None:
    desk = Desk(store, clock, Allowance(subjects_per_day=50))
    for number in range(6):
        people = [f"s{number}-{place}" for place in range(10)]
        await desk.ask(BANK, people, people)
    (suspension,) = await StoredSuspensions(store.database, clock).all()
    assert suspension.rule == "MANY_SUBJECTS"


async def test_a_system_has_a_rate_and_is_never_suspended_by_itself(store: Store, clock: HandClock) -> None:
    desk = Desk(store, clock, Allowance(requests_per_minute=600, burst_s=1), AbuseRules(limited=10))
    system = replace(BANK, kind=CallerKind.SYSTEM)
    said = [await desk.ask(system, [f"s{number}"], []) for number in range(100)]
    assert set(said) == {"OK", "RATE_LIMITED"}


async def test_a_suspension_that_was_only_begun_is_carried_out_by_the_next_look(store: Store, clock: HandClock) -> None:
    desk = Desk(store, clock)
    desk.clients.fails = True
    with pytest.raises(ConnectionError):
        await desk.ask(BANK, [f"s{number}" for number in range(40)], [])
    assert desk.alarm.raised == []
    desk.clients.fails = False
    assert await desk.ask(BANK, [], []) == "CLIENT_SUSPENDED"
    assert (desk.clients.disabled, len(desk.alarm.raised)) == (["bank-1"], 1)
    assert await desk.ask(BANK, [], []) == "CLIENT_SUSPENDED"
    assert len(desk.alarm.raised) == 1


async def test_a_lifted_suspension_begins_anew(store: Store, clock: HandClock) -> None:
    desk = Desk(store, clock)
    suspensions = StoredSuspensions(store.database, clock)
    await desk.ask(BANK, [f"s{number}" for number in range(40)], [])
    assert await suspensions.lift("bank-1", actor_org="OPERATOR", actor_user="operator")
    assert not await suspensions.lift("bank-1", actor_org="OPERATOR", actor_user="operator")
    clock.forward(5)
    assert await desk.ask(BANK, ["s1"], ["s1"]) == "OK"
    assert await desk.ask(BANK, ["s2"], []) == "OK"
    (suspension,) = await suspensions.all("bank-1")
    assert suspension.lifted_by == "operator"


async def test_two_replicas_suspend_once(open_replica: OpenStore, clock: HandClock) -> None:
    stores = [await open_replica() for _ in range(2)]
    meters = [Desk(store, clock).meters for store in stores]
    made = await asyncio.gather(*(meters[n % 2].suspend("bank-1", "FS-BANK", "ENUMERATION", {}) for n in range(8)))
    assert sum(one is not None for one in made) == 1


async def test_no_subject_stands_in_the_counters_and_old_ones_are_swept(store: Store, clock: HandClock) -> None:
    desk = Desk(store, clock)
    (subject_id,) = await store.subjects.intern(["440606199003070017"])
    await desk.ask(BANK, [subject_id], [subject_id])
    clock.forward(SHORT_S * 4)
    await desk.ask(BANK, [subject_id], [subject_id])
    async with store.database.read() as connection:
        rows = (await connection.execute(sa.select(client_subject))).all()
    assert len({bytes(row.tag) for row in rows}) == len(rows) == 3  # a tag links neither spans nor windows
    assert all(subject_id.encode() not in bytes(row.tag) and row.tag.hex() not in subject_id for row in rows)
    await StoredSuspensions(store.database, clock).sweep()
    async with store.database.read() as connection:
        left = (await connection.execute(sa.select(client_window.c.span_s, client_window.c.requests))).all()
    assert sorted(tuple(row) for row in left) == [(SHORT_S, 1), (LONG_S, 2)]


HONEST = st.builds(
    lambda span, hits, share: Counts(span, requests=hits, hits=hits, misses=int(hits * share)),
    st.sampled_from([SHORT_S, LONG_S]),
    st.integers(0, 9_000),
    st.floats(0, 0.05),
)


@given(HONEST)
def test_no_honest_counts_break_a_rule(counts: Counts) -> None:
    assert AbuseRules().broken([counts], Allowance()) is None


@given(st.integers(0, 2000), st.integers(0, 2000), st.integers(0, 500), st.sampled_from([SHORT_S, LONG_S]))
def test_more_misses_never_look_better(hits: int, misses: int, more: int, span: int) -> None:
    rules, allowance = AbuseRules(), Allowance()
    fewer: Any = rules.broken([Counts(span, hits=hits, misses=misses)], allowance)
    if fewer is not None:
        assert rules.broken([Counts(span, hits=hits, misses=misses + more)], allowance) is not None
