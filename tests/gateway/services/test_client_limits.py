"""Where in the one road limits stand: before anything is decided or fetched, and after the record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from gateway.caller import Caller, CallerKind, Decision
from gateway.errors import RequestRefused
from gateway.services.execute import GraphQLAnswer, GraphQLRequest
from gateway.web.encoding import encode
from gateway.web.graphql import reply_to
from tests.fakes.federated import OFFICER, PERSON, Recorder, opened, road
from tests.gateway.services.test_run_query import FIELDS, HOME, ONE

pytestmark = pytest.mark.anyio
SYSTEM = replace(OFFICER, kind=CallerKind.SYSTEM)


class Noted:
    """Implements `ClientLimits`: admits until told otherwise."""

    def __init__(self, recorder: Recorder) -> None:
        self.refusal: RequestRefused | None = None
        self.costs: list[int] = []
        self.notes: list[tuple[int, int, bool]] = []
        self._recorder = recorder

    async def admit(self, caller: Caller, cost: int) -> None:
        self.costs.append(cost)
        if self.refusal is not None:
            raise self.refusal

    async def note(self, caller: Caller, asked: Sequence[str], found: Sequence[str], *, denied: bool) -> None:
        assert self._recorder.events, "only what is recorded is counted"
        self.notes.append((len(asked), len(found), denied))


class House:
    def __init__(self) -> None:
        self.source, self.department = opened("LGB", "residence", FIELDS, [HOME])
        self.evidence = Recorder()
        self.limits = Noted(self.evidence)
        self.execute = road([self.source], self.evidence, limits=self.limits)

    async def ask(self, query: str = ONE, caller: Caller = OFFICER) -> GraphQLAnswer:
        variables = {"idNo": PERSON[0], "name": PERSON[1]}
        return await self.execute(caller, GraphQLRequest(query, None, variables))


async def test_every_question_is_weighed_by_the_cost_of_its_plan_and_counted_when_recorded() -> None:
    house = House()
    await house.ask(caller=SYSTEM)
    more = ONE.replace("residence {", "a: residence { state } residence {")
    await house.ask(more, SYSTEM)
    await house.ask(more, SYSTEM)
    first, second, again = house.limits.costs
    assert 0 < first < second == again
    assert house.limits.notes == [(1, 1, False)] * 3


async def test_an_officers_question_is_weighed_and_whom_it_was_about_is_counted_by_nobody() -> None:
    house = House()
    answer = await house.ask()
    assert "receipt" in answer.extensions
    assert house.limits.costs[0] > 0
    assert house.limits.notes == []


async def test_what_is_over_the_limit_is_recorded_and_nobody_is_asked() -> None:
    house = House()
    house.limits.refusal = RequestRefused("RATE_LIMITED", retry_after=3)
    answer = await house.ask()
    assert answer.errors[0]["extensions"] == {"code": "RATE_LIMITED", "retryAfter": 3}
    assert house.department.asked == []
    (event,) = house.evidence.events
    assert (event.decision, event.rule_ids, event.subjects) == (Decision.DENY, ("client-limits",), [])
    assert house.limits.notes == []
    assert "receipt" in answer.extensions


@pytest.mark.parametrize("wanted", ["application/json", "application/graphql-response+json"])
async def test_the_door_says_429_and_when_to_come_back_whatever_type_was_wanted(wanted: str) -> None:
    house = House()
    house.limits.refusal = RequestRefused("BUDGET_SPENT", retry_after=17)
    reply = reply_to(await house.ask(), wanted, "1d")
    assert reply.status == 429
    assert (b"retry-after", b"17") in reply.headers
    assert "额度".encode() in reply.body


async def test_a_suspended_client_is_told_so_without_a_time() -> None:
    house = House()
    house.limits.refusal = RequestRefused("CLIENT_SUSPENDED")
    answer = await house.ask()
    assert answer.errors[0]["extensions"] == {"code": "CLIENT_SUSPENDED"}
    assert reply_to(answer, "application/graphql-response+json", "1d").status == 403
    assert "暂停" in encode(answer, "1d").decode()


async def test_a_question_about_nobody_is_weighed_too() -> None:
    house = House()
    house.limits.refusal = RequestRefused("RATE_LIMITED", retry_after=1)
    answer = await house.ask("{ purposes { code } }")
    assert answer.errors[0]["extensions"]["code"] == "RATE_LIMITED"


async def test_a_refusal_of_the_whole_is_counted_as_one() -> None:
    house = House()
    await house.ask(ONE.replace("CC_RECEPTION", "PROC_SUPERVISION"))
    assert house.limits.notes == [(0, 0, True)]
