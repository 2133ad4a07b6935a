"""A partner on the one road, over a real store: honest questions pass, a scrape is over before it begins to pay."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from adapters.identity import normalise_id
from gateway.bootstrap.limits import client_limits
from gateway.caller import Caller, CallerKind, SharingDetail
from gateway.policy.decision import Mask, Question
from gateway.services.execute import GraphQLAnswer, GraphQLRequest
from gateway.services.run_query import RunQuery
from gateway.services.snapshots import Held, Snapshots
from gateway.settings import Settings
from gateway.store import Store, open_store
from gateway.store.suspensions import StoredSuspensions
from gateway.store.tables import alert
from tests.fakes.federated import NOW, NoLoads, NoMetrics, Recorder, opened, road
from tests.gateway.services.test_run_query import FIELDS
from tests.gateway.store.conftest import HandClock

pytestmark = pytest.mark.anyio

BANK = Caller(
    "bank-1",
    "MABANK",
    "BANK",
    frozenset(),
    "t1",
    NOW + timedelta(days=30),
    frozenset({"LOAN_SERVICE"}),
    CallerKind.PARTNER,
    "bank-1",
    level=2,
    details=(SharingDetail("LOAN_SERVICE", datatypes=frozenset({"conductStatement.period"}), consent_id="c1"),),
)
QUERY = """query Q($idNo: String!) @purpose(code: "LOAN_SERVICE", reference: "f-1") {
  person(idNo: $idNo, name: "张三") { pid } }"""


def person(number: int) -> str:
    """The number-th invented person: a valid ID number."""
    body = f"440606199003{1 + number // 1000:02}{number % 1000:03}"
    return next(body + end for end in "0123456789X" if (found := normalise_id(body + end)) and found.checksum_ok)


class Agreed:
    """Implements `Policy`: pids of these subjects may be seen, nobody else's; what the rules say is tested elsewhere."""

    def __init__(self) -> None:
        self.subjects: set[str] = set()
        self._yes = Mask({}, ("person-consent",), (), "v", consent_id="c1")
        self._no = Mask({}, ("no-consent",), (), "v", denied="NO_CONSENT")

    async def decide(self, question: Question) -> Mask:
        return self._yes

    async def decide_subjects(self, question: Question, mask: Mask, subjects: Sequence[str]) -> Sequence[Mask]:
        return [self._yes if one in self.subjects else self._no for one in subjects]


class Bank:
    """The road with a store's subjects and limits."""

    def __init__(self, store: Store, settings: Settings, clock: HandClock) -> None:
        self.store, self.clock, self.agreed = store, clock, Agreed()
        source, _ = opened("LGB", "residence", FIELDS, [])
        plain = road([source], Recorder())
        held = plain._snapshots.current
        self.execute = RunQuery(
            Snapshots(NoLoads(), Held(held.snapshot, held.plans, self.agreed), "same"),
            evidence=store.evidence,
            subjects=store.subjects,
            clock=clock,
            metrics=NoMetrics(),
            deadline_s=2.0,
            batch_persons=100,
            trusted_documents={},
            limits=client_limits(store, settings, clock),
        )

    async def ask(self, id_no: str) -> GraphQLAnswer:
        self.clock.forward(0.1)  # ten a second
        return await self.execute(BANK, GraphQLRequest(QUERY, None, {"idNo": id_no}))

    async def agree(self, id_no: str) -> None:
        self.agreed.subjects |= set(await self.store.subjects.recognise([id_no]))


@pytest.fixture
async def bank(tmp_path: Path) -> AsyncIterator[Bank]:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/y.db", master_key=bytes(range(32)), demo=True)
    clock = HandClock(NOW)
    store = await open_store(settings, clock)
    yield Bank(store, settings, clock)
    await store.close()


async def test_ten_a_second_about_people_who_agreed_and_nothing_happens(bank: Bank) -> None:
    people = [person(number) for number in range(40)]
    for one in people:
        await bank.agree(one)
    for turn in range(200):
        answer = await bank.ask(people[turn % 40])
        assert not answer.errors
    assert await StoredSuspensions(bank.store.database, bank.clock).all() == []


async def test_asking_about_whoever_there_may_be_ends_within_seconds_with_an_evidence_pack(bank: Bank) -> None:
    told = 0
    for number in range(100):
        if number % 5 == 0:
            await bank.agree(person(number))
        answer = await bank.ask(person(number))
        if answer.errors:
            break
        told += 1
    assert answer.errors[0]["extensions"] == {"code": "CLIENT_SUSPENDED"}
    assert told <= 40
    (suspension,) = await StoredSuspensions(bank.store.database, bank.clock).all("bank-1")
    assert suspension.pack["events"]["count"] == told
    assert len(suspension.pack["events"]["ids"]) == told
    assert all(person(number) not in str(suspension.pack) for number in range(told))
    async with bank.store.database.read() as connection:
        (raised,) = (await connection.execute(sa.select(alert))).all()
    assert (raised.type, raised.severity, raised.about_id, raised.org_id) == (
        "A12_PARTNER_SCRAPE",
        "S1",
        "bank-1",
        "MABANK",
    )
    other = replace(BANK, client_id="bank-2")
    assert not (await bank.execute(other, GraphQLRequest(QUERY, None, {"idNo": person(0)}))).errors
