"""A batch read as a whole says exactly what its records say one by one."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.manifest import AnswerSpec, FieldMapping, Subject
from adapters.mapping import Mapped
from adapters.source import Absent, Answer, Found, Key, Lookup, raw_row
from adapters.whole_source import Whole
from tests.adapters.mapping.test_matching import NOW, manifest

PEOPLE: tuple[tuple[str, str], ...] = (
    ("440606199003070017", "张三"),
    ("430121198502200015", "陈明"),
    ("440604196501010010", "赵强"),
)
SPEC = AnswerSpec(
    noun="residence",
    by=("idNo", "name"),
    request={},
    fields=(
        FieldMapping("regNo", "djbh"),
        FieldMapping("address", "dz", clean="address"),
        FieldMapping("residenceType", "jzsy", type="code", codes={"01": "WORK"}),
        FieldMapping("startOn", "djrq", type="date"),
        FieldMapping("landlord", "fdxm", masked=True),
        FieldMapping("unitUscc", "xydm", clean="uscc"),
        FieldMapping("keeper", "gly", clean="name"),
        FieldMapping("rooms", "js", type="int"),
    ),
    record_id="djbh",
    subject=Subject("sfzh", "xm"),
    links={"caseNo": "ajbh", "idNo": "sfzh"},
)
CLEAN: dict[str, Any] = {
    "djbh": "R1", "dz": "祖庙路1号", "jzsy": "01", "djrq": "2026-03-01", "fdxm": "房东", "xydm": "91440600MA4UQ9B47J",
    "gly": "李雷", "js": 3, "ajbh": "C1",
}  # fmt: skip
DIRT: tuple[Any, ...] = (
    None,
    "",
    " ",
    "a\u0000b",
    "\ufffd",
    "  祖庙路 １号 ",
    "77",
    7,
    7.5,
    True,
    [],
    {},
    "2026-13-40",
    "x" * 300,
)
FIELDS = frozenset({mapping.name for mapping in SPEC.fields} | {"residenceTypeRaw", "landlordRaw", "addressRaw"})


class Department:
    """A kind that holds all records of a batch; `whole` says whether it lets them be read so."""

    def __init__(self, records: Sequence[dict[str, Any]]) -> None:
        self._records = records
        self.read_as_a_whole = False

    async def fetch(self, lookup: Lookup, *, timeout_s: float) -> Sequence[Answer]:
        mine = [[record for record in self._records if record.get("sfzh") == key[0]] for key in lookup.keys]
        return [Found(tuple(map(raw_row, rows)), None, NOW) if rows else Absent(fetched_at=NOW) for rows in mine]

    async def close(self) -> None: ...


class WholeDepartment(Department):
    async def fetch_whole(self, lookup: Lookup, whole: Whole, *, timeout_s: float) -> tuple[Sequence[Answer], bool]:
        assert whole.id_no == "sfzh"
        answers = whole(self._records, NOW)
        if answers is not None:
            self.read_as_a_whole = True
            return answers, True
        return await self.fetch(lookup, timeout_s=timeout_s), False


async def answers_of(department: Department, keys: Sequence[Key], spec: AnswerSpec) -> Sequence[Answer]:
    source = Mapped(replace(manifest(None), answers=(spec,)), department, now=lambda: NOW)
    return await source.fetch(Lookup("residence", ("idNo", "name"), tuple(keys), FIELDS), timeout_s=1)


def record(person: int, **changed: Any) -> dict[str, Any]:
    number, name = PEOPLE[person]
    return {**CLEAN, "sfzh": number, "xm": name, **changed}


def both_ways(
    records: Sequence[dict[str, Any]], keys: Sequence[Key] = PEOPLE, spec: AnswerSpec = SPEC
) -> tuple[Sequence[Answer], bool]:
    """What is answered, the same both ways, and whether it was read as a whole."""
    whole = WholeDepartment(records)
    found = anyio.run(answers_of, whole, keys, spec)
    assert found == anyio.run(answers_of, Department(records), keys, spec)
    return found, whole.read_as_a_whole


def test_clean_records_are_read_as_a_whole() -> None:
    answers, whole = both_ways([record(2, djbh="R7"), record(0)])
    assert whole
    assert [type(answer) for answer in answers] == [Found, Absent, Found]
    assert [row.record_id for answer in answers if isinstance(answer, Found) for row in answer.rows] == ["R1", "R7"]


@pytest.mark.parametrize(
    "records",
    [
        [record(0), record(0, djbh="R2")],
        [record(0, xm="张叁")],
        [record(0, xm=None)],
        [record(0, jzsy="77")],
        [record(0, dz="无")],
        [record(0, gly=None), {**record(1), "dz": "\ufffd路"}],
    ],
    ids=["two of one person", "another name", "no name", "unknown code", "no address", "broken text"],
)
def test_what_takes_thought_is_read_one_by_one(records: list[dict[str, Any]]) -> None:
    assert not both_ways(records)[1]


def test_what_is_missing_is_none_and_needs_no_thought() -> None:
    bare = {"sfzh": PEOPLE[1][0], "xm": PEOPLE[1][1], "djbh": "R3"}
    answers, whole = both_ways([record(0, dz=None, jzsy=None), bare])
    assert whole
    assert isinstance(answers[1], Found)
    assert set(answers[1].rows[0].values.values()) == {"R3", None}


@pytest.mark.parametrize(
    "key", [("440606199003070017", "張三"), ("44060619900307001X", "张三"), ("440606900307001", "张三"), (None, "张三")]
)
def test_keys_that_need_a_thought_are_asked_the_long_way(key: Key) -> None:
    assert not both_ways([record(0), record(1)], keys=(key, PEOPLE[1]))[1]


def test_others_records_are_left_to_the_kind() -> None:
    assert not both_ways([record(0), record(1)], keys=PEOPLE[:1])[1]


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_comes_both_ways_say_the_same(data: st.DataObject) -> None:
    records = []
    for person in data.draw(st.lists(st.integers(0, 2), max_size=4)):
        names = data.draw(st.lists(st.sampled_from([*CLEAN, "xm"]), max_size=2, unique=True))
        records.append(record(person, **{name: data.draw(st.sampled_from(DIRT)) for name in names}))
    lag = data.draw(st.sampled_from([0, 3]))
    dated = data.draw(st.sampled_from(["", "djrq"]))
    both_ways(records, spec=replace(SPEC, lag_days=lag, as_of=dated))


def test_keys_are_looked_at_once_for_all_who_are_asked_together_and_stay_with_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[str] = []

    def looks(numbers: Sequence[str]) -> bool:
        looked.extend(numbers)
        return True

    monkeypatch.setattr("adapters.mapping.are_sure_ids", looks)

    async def level() -> None:
        asked = [PEOPLE[:2] for _ in range(3)]
        held = list(map(sys.getrefcount, asked))
        for number in range(3):
            await answers_of(WholeDepartment([record(0)]), asked[number], SPEC)
        await asyncio.sleep(0)
        assert list(map(sys.getrefcount, asked)) == held, "numbers and names outlive their question"

    anyio.run(level)
    assert looked == [number for number, _ in PEOPLE[:2]]
