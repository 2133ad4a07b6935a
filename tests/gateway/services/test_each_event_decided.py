"""Each event of a subscription is decided anew and recorded before it leaves.

The product's own subscription speaks of sources; here one speaks of a person, as a later one may.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from graphql import GraphQLField

from gateway.caller import Caller, Decision
from gateway.errors import EvidenceUnavailable, RequestRefused
from gateway.federation.catalog import Snapshot, offers_of
from gateway.federation.plan import Plans
from gateway.policy.cedar import CedarPolicy
from gateway.policy.decision import Mask, Purpose, Question
from gateway.policy.facts import CaseLink, SubjectFacts
from gateway.policy.purposes import read_register
from gateway.policy.ruleset import read_rules
from gateway.services.execute import GraphQLAnswer, GraphQLRequest
from gateway.services.run_query import RunQuery
from gateway.services.snapshots import Held, Snapshots
from schema.build import build_schema
from schema.limits import Limits
from tests.fakes.federated import OFFICER, PERSON, Everyone, FixedClock, NoLoads, NoMetrics, Recorder, opened

pytestmark = pytest.mark.anyio
WATCH = """subscription($idNo: String!, $name: String!) @purpose(code: "CC_RECEPTION", caseNo: "(2026)粤0604刑初123号") {
  person(idNo: $idNo, name: $name) { residence { state records { address } } } }"""
HOME = {"id": "1", "sfz": PERSON[0], "xm": PERSON[1], "dz": "佛山市禅城区祖庙路1号"}


@dataclass
class Links:
    """Facts that change: whose case it is, and how often that was asked."""

    link: CaseLink = CaseLink.ASSIGNED
    asked: int = 0

    async def of(self, caller: Caller, purpose: Purpose, subjects: Sequence[str]) -> Sequence[SubjectFacts]:
        self.asked += 1
        mine = SubjectFacts(self.link, "SUPERVISING", claimed_case=self.link is not CaseLink.NONE, unsealed=True)
        return [mine] * len(subjects)


@dataclass
class Rules:
    """The shipped policy, until it says no to the whole operation."""

    inner: CedarPolicy
    denied: str | None = None

    async def decide(self, question: Question) -> Mask:
        mask = await self.inner.decide(question)
        return mask if self.denied is None else replace(mask, effects={}, denied=self.denied)

    async def decide_subjects(self, question: Question, mask: Mask, subjects: Sequence[str]) -> Sequence[Mask]:
        return await self.inner.decide_subjects(question, mask, subjects)


@dataclass
class Budget:
    spent: int = 0
    over: bool = False

    async def admit(self, caller: Caller, cost: int) -> None:
        self.spent += 1
        if self.over:
            raise RequestRefused("RATE_LIMITED")

    async def note(self, caller: Caller, subjects: Sequence[str], shown: Sequence[str], *, denied: bool) -> None: ...


@dataclass
class Stream:
    """A subscription that is told when something happens."""

    links: Links = field(default_factory=Links)
    evidence: Recorder = field(default_factory=Recorder)
    budget: Budget = field(default_factory=Budget)

    def __post_init__(self) -> None:
        built, register = build_schema(), read_register()
        source, _ = opened("LGB", "residence", {"address": "dz"}, [HOME])
        self.rules = Rules(CedarPolicy(register, read_rules(register), self.links, FixedClock()))
        self.happened: asyncio.Queue[Any] = asyncio.Queue()
        query, subscription = built.graphql.query_type, built.graphql.subscription_type
        assert query is not None and subscription is not None  # noqa: PT018
        one = query.fields["person"]
        resolve = one.resolve
        assert resolve is not None

        async def happens(_root: Any, _info: Any, **_arguments: Any) -> AsyncIterator[Any]:
            while True:
                yield await self.happened.get()

        subscription.fields["person"] = GraphQLField(one.type, one.args, resolve, happens)
        snapshot = Snapshot("v1" * 16, built, offers_of([source]), (source,), register)
        held = Held(snapshot, Plans(built, Limits(), introspection=False), self.rules)
        self.execute = RunQuery(
            Snapshots(NoLoads(), held, "same"), evidence=self.evidence, subjects=Everyone(), clock=FixedClock(),
            metrics=NoMetrics(), deadline_s=2.0, batch_persons=100, trusted_documents={}, limits=self.budget,  # type: ignore[arg-type]
        )  # fmt: skip
        request = GraphQLRequest(WATCH, None, {"idNo": PERSON[0], "name": PERSON[1]})
        self.answers = self.execute.subscribe(OFFICER, request)

    async def next(self) -> GraphQLAnswer:
        self.happened.put_nowait({})
        async with asyncio.timeout(5):
            return await anext(self.answers)

    async def ended(self) -> bool:
        self.happened.put_nowait({})
        async with asyncio.timeout(5):
            return await anext(self.answers, None) is None


def state(answer: GraphQLAnswer) -> str:
    assert answer.data is not None, answer.errors
    return str(answer.data["person"]["residence"]["state"])


async def test_each_event_is_recorded_with_a_receipt_of_its_own() -> None:
    stream = Stream()
    first, second = await stream.next(), await stream.next()
    assert state(first) == state(second) == "FRESH"
    assert [one.extensions["receipt"]["id"] for one in (first, second)] == ["r1", "r2"]
    assert [event.decision for event in stream.evidence.events] == [Decision.ALLOW, Decision.ALLOW]
    assert stream.links.asked == 2  # so a consent would have been spent twice
    assert first.extensions["receipt"] == {
        "id": "r1", "recordedAt": first.extensions["receipt"]["recordedAt"], "leafHash": "", "level": "DURABLE",
        "proof": "/ledger/receipts/r1",
    }  # fmt: skip


async def test_a_case_link_that_ended_between_two_events_refuses_the_second() -> None:
    stream = Stream()
    assert state(await stream.next()) == "FRESH"
    stream.links.link = CaseLink.NONE
    refused = await stream.next()
    assert refused.data is not None
    assert state(refused) == "WITHHELD"
    assert HOME["dz"] not in str(refused.data)
    assert [event.decision for event in stream.evidence.events] == [Decision.ALLOW, Decision.DENY]


async def test_a_rule_that_changed_between_two_events_ends_the_stream_and_is_recorded() -> None:
    stream = Stream()
    assert state(await stream.next()) == "FRESH"
    stream.rules.denied = "PURPOSE_NOT_YOURS"
    refused = await stream.next()
    assert not refused.executed
    assert refused.errors[0]["extensions"]["code"] == "PURPOSE_NOT_YOURS"
    assert refused.extensions["receipt"]["id"] == "r2"
    assert stream.evidence.events[-1].decision is Decision.DENY
    assert await stream.ended()


async def test_a_budget_that_is_spent_ends_the_stream() -> None:
    stream = Stream()
    await stream.next()
    stream.budget.over = True
    refused = await stream.next()
    assert refused.errors[0]["extensions"]["code"] == "RATE_LIMITED"
    assert await stream.ended()


async def test_an_event_that_cannot_be_recorded_does_not_leave() -> None:
    stream = Stream()
    await stream.next()
    stream.evidence.broken = True
    with pytest.raises(EvidenceUnavailable):
        await stream.next()
