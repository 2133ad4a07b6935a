"""A subject's own mask: nothing more is fetched, shown or hinted at than policy grants for that very person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from gateway.policy.decision import EXISTS, Effect, Mask, Question
from gateway.services.execute import GraphQLRequest
from gateway.services.run_query import RunQuery
from tests.fakes.federated import OFFICER, OTHER, PERSON, Everyone, Recorder, opened, road
from tests.fakes.memory_source import MemorySource

pytestmark = pytest.mark.anyio
HEAD = '@purpose(code: "CC_RECEPTION", caseNo: "1")'
NOBODY = ("440604199303030065", "刘芳")
Narrow = Callable[[Mask], Mask]


def without(noun: str, **effects: Effect) -> Narrow:
    """A mask like the operation's, less these effects."""
    return lambda mask: replace(
        mask, effects={**mask.effects, noun: {**mask.effects.get(noun, {}), **effects}}, rule_ids=("narrower",)
    )


class Guarding:
    """The standing policy, with another mask for some people."""

    def __init__(self, inner: Any, others: dict[str, Narrow]) -> None:
        self._inner, self._others = inner, others
        self.asked: list[Sequence[str]] = []

    async def decide(self, question: Question) -> Mask:
        found: Mask = await self._inner.decide(question)
        return found

    async def decide_subjects(self, question: Question, mask: Mask, subjects: Sequence[str]) -> Sequence[Mask]:
        self.asked.append(tuple(subjects))
        return [self._others.get(subject, lambda one: one)(mask) for subject in subjects]


async def town(**others: Narrow) -> tuple[RunQuery, MemorySource, MemorySource, Guarding]:
    """Two people with a home and a case each; `others` narrows by ID number (without its first letter, "n")."""
    people = [
        {"id": str(index), "sfz": id_no, "xm": name, "ajbh": f"case-{index}", "dz": f"home {index}", "qh": "440604"}
        for index, (id_no, name) in enumerate((PERSON, OTHER))
    ]
    lgb, homes = opened("LGB", "residence", {"address": "dz", "admin": "qh"}, people)
    gdsj, cases = opened(
        "GDSJ", "correctionCase", {"caseNo": "ajbh", "chargeText": "dz", "executionAdmin": "qh"}, people
    )
    spec = replace(gdsj.manifest.answers[0], by=("caseNo",))
    manifest = replace(gdsj.manifest, answers=(*gdsj.manifest.answers, spec))
    from adapters.mapping import Mapped
    from tests.fakes.federated import NOW

    gdsj = replace(gdsj, manifest=manifest, source=Mapped(manifest, cases, now=lambda: NOW))
    run = road([lgb, gdsj], Recorder())
    subjects = {number: (await Everyone().intern([number[1:]]))[0] for number in others}
    policy = Guarding(run._snapshots.current.policy, {subjects[number]: narrow for number, narrow in others.items()})
    run._snapshots.current.policy = policy  # type: ignore[assignment]
    return run, homes, cases, policy


async def ask(run: RunQuery, body: str) -> Any:
    answer = await run(OFFICER, GraphQLRequest(f"query {HEAD} {{ {body} }}"))
    assert not answer.errors, answer.errors
    return answer.data


def of(*keys: tuple[str, str]) -> str:
    return "of: [" + ", ".join(f'{{idNo: "{id_no}", name: "{name}"}}' for id_no, name in keys) + "]"


async def test_a_field_withheld_for_one_person_is_not_fetched_for_that_person() -> None:
    run, homes, _, policy = await town(**{"n" + OTHER[0]: without("residence", address=Effect.WITHHOLD)})
    data = await ask(run, f"people({of(PERSON, OTHER)}) {{ residence {{ withheld records {{ address admin }} }} }}")
    first, second = (person["residence"] for person in data["people"])
    assert first["records"][0]["address"] == "home 0"
    assert second["records"][0] == {"address": None, "admin": "440604"}
    assert list(second["withheld"]) == ["address"]
    assert {(lookup.keys[0][0], "dz" in lookup.fields) for lookup in homes.asked} == {
        (PERSON[0], True),
        (OTHER[0], False),
    }
    assert len(policy.asked) == 1, "one question for the whole level"


async def test_one_who_must_look_unknown_is_asked_for_and_answered_like_nobody() -> None:
    run, homes, _, _ = await town(**{"n" + OTHER[0]: without("residence", **{EXISTS: Effect.AS_IF_ABSENT})})
    body = "{{ residence {{ state reason withheld sources {{ source state }} records {{ address }} review {{ source }} }} }}"
    sealed = await ask(run, f"people({of(OTHER)}) " + body.format())
    asked = [(lookup.fields, lookup.by) for lookup in homes.asked]
    homes.asked.clear()
    nobody = await ask(run, f"people({of(NOBODY)}) " + body.format())
    assert sealed == nobody
    assert sealed["people"][0]["residence"]["state"] == "NOT_FOUND"
    assert [(lookup.fields, lookup.by) for lookup in homes.asked] == asked


CASE = 'case(caseNo: "{}") {{ state withheld records {{ caseNo chargeText person {{ residence {{ state }} }} }} }}'


async def test_whose_case_it_is_decides_what_of_it_is_shown() -> None:
    run, *_ = await town(**{"n" + OTHER[0]: without("correctionCase", chargeText=Effect.WITHHOLD)})
    assert (await ask(run, CASE.format("case-0")))["case"]["records"][0]["chargeText"] == "home 0"
    other = (await ask(run, CASE.format("case-1")))["case"]["records"][0]
    assert (other["caseNo"], other["chargeText"]) == ("case-1", None)


async def test_the_case_of_one_who_must_look_unknown_does_not_exist() -> None:
    run, *_ = await town(**{"n" + OTHER[0]: without("correctionCase", **{EXISTS: Effect.AS_IF_ABSENT})})
    assert await ask(run, CASE.format("case-1")) == await ask(run, CASE.format("no-such-case"))


async def test_a_case_withheld_as_a_whole_says_so() -> None:
    run, *_ = await town(**{"n" + OTHER[0]: without("correctionCase", **{EXISTS: Effect.WITHHOLD})})
    found = (await ask(run, CASE.format("case-1")))["case"]
    assert (found["state"], found["records"]) == ("WITHHELD", [])


async def test_a_masked_value_is_masked_for_that_person_only() -> None:
    run, *_ = await town(**{"n" + OTHER[0]: without("correctionCase", chargeText=Effect.MASK)})
    assert (await ask(run, CASE.format("case-0")))["case"]["records"][0]["chargeText"] == "home 0"
    assert (await ask(run, CASE.format("case-1")))["case"]["records"][0]["chargeText"] not in ("home 1", None)
