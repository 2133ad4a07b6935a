"""Whom an operation met is decided on once, and whoever waits for that never goes without a decision."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from gateway.federation.met import Met
from gateway.policy.decision import Mask, Purpose, Question
from gateway.policy.facts import Named
from tests.fakes.federated import OFFICER

pytestmark = pytest.mark.anyio
OPEN, REFUSED = Mask({}, (), (), "v"), Mask({}, (), (), "v", denied="NO_GROUND")


class Subjects:
    async def recognise(self, id_numbers: Sequence[str], reader: str = "") -> Sequence[str]:
        return list(id_numbers)

    def pid(self, subject: str, org_id: str) -> str:
        return subject


class Rules:
    """Refuses everybody, and not before it is let; the first question may fail."""

    def __init__(self, *, fails: bool = False) -> None:
        self.asked: list[list[str]] = []
        self.go, self._fails = asyncio.Event(), fails

    async def decide_subjects(self, question: Question, mask: Mask, subjects: Sequence[str]) -> Sequence[Mask]:
        self.asked.append(list(subjects))
        first = len(self.asked) == 1
        await self.go.wait()
        if first and self._fails:
            raise OSError
        return [REFUSED] * len(subjects)


def met(rules: Any) -> Met:
    return Met(rules, Question(OFFICER, Purpose("CC_PLAN"), {}), OPEN, Subjects())  # type: ignore[arg-type]


async def test_side_by_side_each_person_is_decided_once_and_others_do_not_wait() -> None:
    rules = Rules()
    one = met(rules)
    roots = [asyncio.create_task(one.meet(names)) for names in (["a"], ["a", "b"], ["a"], ["c"])]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert rules.asked == [["a"], ["b"], ["c"]]
    rules.go.set()
    await asyncio.gather(*roots)
    assert rules.asked == [["a"], ["b"], ["c"]]
    assert all(one.mask_of(name) is REFUSED for name in "abc")


async def test_only_whom_the_question_names_may_be_known_from_before() -> None:
    rules = Rules()
    rules.go.set()
    kinds: list[type] = []
    decide = rules.decide_subjects

    async def noting(question: Question, mask: Mask, subjects: Sequence[str]) -> Sequence[Mask]:
        kinds.append(type(subjects))
        return await decide(question, mask, subjects)

    rules.decide_subjects = noting  # type: ignore[method-assign]  # the rules as they are, listened to
    one = met(rules)
    await one.meet(["a"], named=True)
    await one.meet(["b"])
    await one.know(["c"])
    assert kinds == [Named, list, list]


async def test_where_the_first_fails_the_second_decides_for_itself() -> None:
    rules = Rules(fails=True)
    one = met(rules)
    roots = [asyncio.create_task(one.meet(["a"])) for _ in range(3)]
    await asyncio.sleep(0)
    rules.go.set()
    done = await asyncio.gather(*roots, return_exceptions=True)
    assert [type(found) for found in done] == [OSError, list, list]
    assert rules.asked == [["a"], ["a"]]
    assert one.mask_of("a") is REFUSED
