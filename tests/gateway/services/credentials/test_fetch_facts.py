"""What is no answer about the person is never one: limits, an outage of our own, a schema that changed meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from credentials.type_files import load_types
from gateway.caller import Caller, CallerKind
from gateway.errors import EvidenceUnavailable
from gateway.policy.claim import recordable
from gateway.services import public_errors
from gateway.services.credentials.fact_document import document, places
from gateway.services.credentials.fetch_facts import GatewayFacts
from gateway.services.credentials.ports import Acting, FactsState
from gateway.services.execute import GraphQLAnswer, GraphQLRequest
from gateway.services.snapshots import Snapshots
from schema.builtin import builtin_nouns
from tests.fakes.federated import Recorder

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)
TYPES = load_types()
NOUNS = {noun.name: noun for noun in builtin_nouns()}
JO = Acting("cc-jo-zumiao", "JUSTICE_OFFICE", "440604", None)
WHOLE: Mapping[str, Any] = {
    "state": "FRESH", "reason": None, "withheld": [], "review": [], "quality": [],
    "sources": [{"source": "LGB", "state": "FRESH", "asOf": "2026-11-25T18:00:00+00:00", "reason": None, "retryAt": None}],
    "records": [{
        "admin": "440604001", "address": "福宁路36号", "status": "CURRENT", "startOn": "2026-10-28", "leftOn": None,
        "asOf": "2026-11-25T18:00:00+00:00", "quality": [],
    }],
}  # fmt: skip


@dataclass
class Road:
    """Answers as it was told to."""

    answer: GraphQLAnswer
    asked: list[tuple[Caller, GraphQLRequest]] = field(default_factory=list)

    async def __call__(self, caller: Caller, request: GraphQLRequest) -> GraphQLAnswer:
        self.asked.append((caller, request))
        return self.answer

    def subscribe(self, caller: Caller, request: GraphQLRequest) -> AsyncIterator[GraphQLAnswer]:
        raise AssertionError("nobody subscribes")


@dataclass
class Register:
    person: tuple[str, str] | None = ("440606199003070017", "张三")
    held: Collection[str] = ("SUPERVISED",)

    async def known(self, subject_id: str) -> tuple[str, str] | None:
        return self.person

    async def states(self, subject_id: str, org_id: str) -> Collection[str]:
        return self.held


@dataclass(frozen=True)
class OneDispute:
    noun: str
    field: str

    async def of(self, subject_id: str) -> Collection[OneDispute]:
        return (self,)


class NoDispute:
    async def of(self, subject_id: str) -> Collection[OneDispute]:
        return ()


class Clock:
    def now(self) -> datetime:
        return NOW


def answered(part: Mapping[str, Any] = WHOLE, rules: tuple[str, ...] = ("purpose:CREDENTIAL_ISSUE",)) -> GraphQLAnswer:
    extensions = {"receipt": {"id": "r-1"}, "policy": {"rules": list(rules)}}
    return GraphQLAnswer(True, {"person": {"residence": part}}, extensions=extensions)


def facts_of(
    road: Road, register: Register | None = None, recorder: Recorder | None = None, **more: Any
) -> GatewayFacts:
    schema = SimpleNamespace(nouns=more.pop("nouns", NOUNS))
    snapshots = cast(Snapshots, SimpleNamespace(current=SimpleNamespace(snapshot=SimpleNamespace(schema=schema))))
    known = register or Register()
    return GatewayFacts(
        road, snapshots, TYPES, known, known, recorder or Recorder(), Clock(), **{"disputes": NoDispute(), **more}
    )


async def test_it_asks_as_the_issuing_system_for_this_type_alone() -> None:
    road = Road(answered())
    found = await facts_of(road)("s", "residence", JO, purpose="CREDENTIAL_RECHECK", reference="batch-1")
    assert (found.state, found.receipt_id) == (FactsState.READY, "r-1")
    ((caller, request),) = road.asked
    assert (caller.kind, caller.user_id, caller.client_id, caller.org_id) == (
        CallerKind.SYSTEM, "credential-recheck", "yimen", JO.org_id,
    )  # fmt: skip
    assert caller.purposes == {"CREDENTIAL_RECHECK"}
    assert caller.details[0].datatypes == {
        f"residence.{name}" for name in ("admin", "address", "status", "startOn", "leftOn")
    }
    assert request.query is not None
    assert "440606199003070017" not in request.query, "one document for everybody"
    assert request.variables["reference"] == "batch-1"
    assert recordable(str(request.variables["reference"]))


@pytest.mark.parametrize(
    ("answer", "state", "reason"),
    [
        (GraphQLAnswer(False, errors=public_errors.of_refusal("POLICY_UNAVAILABLE")), "UNAVAILABLE", "POLICY_UNAVAILABLE"),
        (GraphQLAnswer(False, errors=public_errors.of_refusal("CLIENT_SUSPENDED")), "UNAVAILABLE", "CLIENT_SUSPENDED"),
        (GraphQLAnswer(False, errors=public_errors.of_refusal("GRAPHQL_VALIDATION_FAILED")), "UNAVAILABLE", "GRAPHQL_VALIDATION_FAILED"),
        (GraphQLAnswer(False, errors=public_errors.of_refusal("PURPOSE_NOT_YOURS")), "REFUSED", "NO_GROUND"),
        (GraphQLAnswer(False), "UNAVAILABLE", "INTERNAL"),
        (GraphQLAnswer(True, {"person": None}, ({"message": "INTERNAL", "extensions": {"code": "INTERNAL"}},)), "UNAVAILABLE", "INTERNAL"),
        (answered({**WHOLE, "state": "WITHHELD", "records": [], "sources": []}, ("no-ground",)), "REFUSED", "NO_GROUND"),
        (answered({**WHOLE, "state": "WITHHELD", "records": [], "sources": []}, ("default-deny",)), "UNAVAILABLE", "POLICY_UNAVAILABLE"),
        (answered({**WHOLE, "withheld": ["address"]}), "REFUSED", "NO_GROUND"),
        (answered({**WHOLE, "quality": [{"field": "admin", "flag": "CONFLICT"}]}), "DOUBTED", "lives-here"),
        (answered({**WHOLE, "review": [{"source": "LGB"}], "records": []}), "DOUBTED", "lives-here"),
        (answered({**WHOLE, "records": []}), "NOT_MET", "lives-here"),
    ],
)  # fmt: skip
async def test_what_an_answer_says_of_the_person(answer: GraphQLAnswer, state: str, reason: str) -> None:
    found = await facts_of(Road(answer))("s", "residence", JO, purpose="CREDENTIAL_ISSUE", reference="o")
    assert (found.state, found.reason, dict(found.claims)) == (state, reason, {})


async def test_a_spent_budget_says_when_to_come_back() -> None:
    refused = ({"message": "RATE_LIMITED", "extensions": {"code": "RATE_LIMITED", "retryAfter": 7}},)
    found = await facts_of(Road(GraphQLAnswer(False, errors=refused)))(
        "s", "residence", JO, purpose="CREDENTIAL_ISSUE", reference="o"
    )
    assert (found.state, found.retry_at) == (FactsState.UNAVAILABLE, NOW + timedelta(seconds=7))


@pytest.mark.parametrize(
    ("register", "type_id"),
    [
        (Register(person=None), "residence"),
        (Register(held=()), "residence"),
        (Register(held=("DISCHARGED",)), "conduct-plan"),
        (Register(), "discharge"),
        (Register(), "nothing"),
    ],
)
async def test_who_can_hold_no_such_credential_is_asked_about_nowhere(register: Register, type_id: str) -> None:
    road, recorder = Road(answered()), Recorder()
    found = await facts_of(road, register, recorder)("s", type_id, JO, purpose="CREDENTIAL_ISSUE", reference="o")
    assert (found.state, found.reason, found.receipt_id) == (FactsState.REFUSED, "NO_GROUND", "r1")
    assert road.asked == []
    assert [(one.rule_ids, one.subjects) for one in recorder.events] == [(("no-ground",), ("s",))]


async def test_without_a_record_there_is_no_refusal_either() -> None:
    with pytest.raises(EvidenceUnavailable):
        await facts_of(Road(answered()), Register(person=None), Recorder(broken=True))(
            "s", "residence", JO, purpose="CREDENTIAL_ISSUE", reference="o"
        )


async def test_a_dispute_about_what_is_not_there_is_a_doubt_too() -> None:
    silent = answered({**WHOLE, "state": "NOT_FOUND", "records": []})
    found = await facts_of(Road(silent), disputes=OneDispute("residence", "status"))(
        "s", "residence", JO, purpose="CREDENTIAL_ISSUE", reference="o"
    )
    assert found.state is FactsState.DOUBTED
    other = await facts_of(Road(answered()), disputes=OneDispute("business", "status"))(
        "s", "residence", JO, purpose="CREDENTIAL_ISSUE", reference="o"
    )
    assert other.state is FactsState.READY


async def test_readers_marks_are_seconds_old_and_decide_nothing() -> None:
    record = {**WHOLE["records"][0], "quality": [{"field": "status", "flag": "DISPUTED"}]}
    marked = answered({**WHOLE, "records": [record], "quality": record["quality"]})
    gone = await facts_of(Road(marked))("s", "residence", JO, purpose="CREDENTIAL_RECHECK", reference="o")
    assert gone.state is FactsState.READY, "it was taken back a moment ago"
    unseen = facts_of(Road(answered()), disputes=OneDispute("residence", "status"))
    found = await unseen("s", "residence", JO, purpose="CREDENTIAL_RECHECK", reference="o")
    assert found.state is FactsState.DOUBTED, "it was said a moment ago"


async def test_what_no_source_is_connected_for_is_not_known() -> None:
    road = Road(answered())
    found = await facts_of(road)("s", "conduct-plan", JO, purpose="CREDENTIAL_ISSUE", reference="o")
    assert (found.state, found.reason) == (FactsState.UNAVAILABLE, "NO_SOURCE")
    assert road.asked == []


def test_a_document_names_the_fields_of_the_type_and_no_others() -> None:
    for ctype in TYPES.values():
        text = document(ctype, places(ctype, NOUNS))
        assert "$idNo" in text
        for word in ("chargeText", "wageBase", "landlordMasked", "conflicts", "unitName"):
            assert word not in text
