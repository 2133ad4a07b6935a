"""New documents cost their sender's time; what is planned is asked without a limit; trusted documents are planned before."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from gateway.errors import RequestRefused
from gateway.federation.cold import ColdWork
from gateway.federation.plan import Plans, RequestErrors
from gateway.services.execute import GraphQLRequest
from schema.build import build_schema
from schema.limits import Limits
from tests.fakes.federated import OFFICER, Recorder, road


class Clock:
    """Time stands still, and every look at the work done finds a millisecond more: planning takes one, compiling too."""

    def __init__(self) -> None:
        self.now = self.work = 0.0

    def __call__(self) -> float:
        return self.now

    def worked(self) -> float:
        self.work += 0.001
        return self.work


def text(number: int) -> str:
    return f"{{ a{number}: purposes {{ code }} }}"


def limited(clock: Clock, ms_per_s: float = 1.0, most: int = 1000) -> Plans:
    return Plans(build_schema(), Limits(), introspection=False, most=most, cold=ColdWork(ms_per_s, clock, clock.worked))


def plan_until_refused(plans: Plans, client: str, start: int = 0) -> tuple[int, RequestRefused]:
    for number in range(200):
        try:
            plans.prepare(text(start + number), None, {}, client)
        except RequestRefused as refused:
            return number, refused
    raise AssertionError("never refused")


def test_ever_new_documents_are_refused_and_known_ones_are_not() -> None:
    clock = Clock()
    plans = limited(clock)
    made, refused = plan_until_refused(plans, "a")
    assert made == 5  # ten seconds' worth of one millisecond a second; a document takes two: plan and form
    assert refused.code == "PLANNING_LIMITED"
    assert int(refused.facts["retry_after"]) >= 1
    assert plans.counts["REFUSED"] == 1
    for _ in range(50):
        plans.prepare(text(0), None, {}, "a")
    assert plans.counts["WARM"] >= 50


def test_one_client_leaves_the_others_theirs_and_all_together_have_a_limit() -> None:
    clock = Clock()
    plans = limited(clock)
    made = [plan_until_refused(plans, client, 1000 * number)[0] for number, client in enumerate("abcdefgh")]
    assert made[1] == made[0]
    assert sum(made) < 5 * made[0] + 8  # four clients' worth


def test_after_the_time_told_there_is_room_again() -> None:
    clock = Clock()
    plans = limited(clock)
    _, refused = plan_until_refused(plans, "a")
    clock.now += float(refused.facts["retry_after"]) + 1
    plans.prepare(text(777), None, {}, "a")


@pytest.mark.parametrize("bad", ["{ nobody }", "{ purposes {", "{ a: purposes { code } a: catalogue { code } }"])
def test_what_is_no_question_costs_its_sender_too(bad: str) -> None:
    plans = limited(Clock())
    codes = [code_of(plans, bad) for _ in range(20)]
    assert codes[0] in ("GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED")
    assert codes[-1] == "PLANNING_LIMITED"


def code_of(plans: Plans, asked: str) -> str:
    try:
        plans.prepare(asked, None, {}, "a")
    except (RequestErrors, RequestRefused) as error:
        return error.code
    return "OK"


def test_trusted_documents_are_warm_and_stay() -> None:
    plans = limited(Clock(), most=2)
    plan_until_refused(plans, "a", 1000)
    trusted = (
        "query A { purposes { code } } query B { catalogue { code } }",
        "query ($p: Boolean!) { catalogue { code title @skip(if: $p) { zh } } }",
    )
    plans.warm([*trusted, "{ nobody }", "no graphql {"])
    assert {code_of(plans, text(number)) for number in range(10)} == {"PLANNING_LIMITED"}
    for name in ("A", "B"):
        assert plans.prepare(trusted[0], name, {}, "a").form is not None
    forms = [plans.prepare(trusted[1], None, {"p": short}, "a").form for short in (True, False)]
    assert [form and len(form.nodes) for form in forms] == [2, 3]
    assert plans.counts["WARM"] == 4
    assert len(plans._plans) <= 2


@pytest.mark.anyio
async def test_whoever_is_refused_is_told_when_to_come_back() -> None:
    run = road([], Recorder())
    held: Any = run._snapshots.current
    held.plans = limited(Clock())
    plan_until_refused(held.plans, OFFICER.user_id)
    answer = await run(OFFICER, GraphQLRequest("{ catalogue { code } }"))
    assert not answer.executed
    assert answer.errors[0]["extensions"]["code"] == "PLANNING_LIMITED"
    assert answer.errors[0]["extensions"]["retryAfter"] >= 1


@pytest.mark.anyio
async def test_what_runs_on_graphql_core_is_counted() -> None:
    run = road([], Recorder(), introspection=True)
    counts = run._snapshots.current.plans.counts
    await run(OFFICER, GraphQLRequest("{ catalogue { code } }"))
    assert counts["FALLBACK"] == 0
    await run(OFFICER, GraphQLRequest("{ __schema { queryType { name } } catalogue { code } }"))
    assert counts["FALLBACK"] == 1


@pytest.mark.parametrize("padding", [0, 60_000])
def test_one_clients_documents_do_not_push_out_everybody_elses(padding: int) -> None:
    """They would have to plan theirs again, on their own accounts and on the one they share with whoever did it."""
    plans = Plans(build_schema(), Limits(), introspection=False, most=40)
    for number in range(20):
        plans.prepare(text(number), None, {}, f"officer {number % 7}")
    for number in range(100, 160):
        plans.prepare(text(number) + "," * padding, None, {}, "flood")
    cold = plans.counts["COLD"]
    for number in range(20):
        plans.prepare(text(number), None, {}, f"officer {number % 7}")
    assert plans.counts["COLD"] == cold
    for number in range(20, 70):  # and it is not kept from those who come later
        plans.prepare(text(number), None, {}, f"officer {number}")
    assert set(plans._shares) == set(plans._sent_by.values())
    assert len(plans._plans) == len(plans._sent_by) == sum(one[0] for one in plans._shares.values()) <= 40
    assert plans._characters == sum(one[1] for one in plans._shares.values()) <= 300_000


def test_what_others_left_to_collect_is_nobodys_planning() -> None:
    """In a process of a gigabyte one collection takes longer than a client's whole account."""
    collected: list[str] = []

    def noted(phase: str, _info: dict[str, Any]) -> None:
        collected.append(phase)

    cold = ColdWork(1.0)
    gc.callbacks.append(noted)
    try:
        with cold.spending("a"):
            kept: list[list[int]] = [[] for _ in range(200_000)]
            within = list(collected)
        kept += [[] for _ in range(200_000)]
    finally:
        gc.callbacks.remove(noted)
    assert within == []
    assert collected != []  # and afterwards it is collected again


def test_collecting_goes_on_after_a_document_that_could_not_be_planned() -> None:
    with pytest.raises(ValueError, match="bad"), ColdWork(1.0).spending("a"):
        raise ValueError("bad")
    assert gc.isenabled()
