"""The province's front database, asked through its own manifest."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from adapters.clock import utc_now
from adapters.errors import Reason, SourceUnavailable
from adapters.registry import OpenSource
from adapters.source import Absent, Answer, Failed, Found, Key, Lookup, Page, Quality
from demo.department import SHANGHAI, Faults, Options
from demo.departments.gdsj_tables import create
from demo.people import register
from demo.serving import Running, serving
from tests.demo.opened import opened
from tests.fakes.postgres import new_database

pytestmark = pytest.mark.anyio

ZHANG = ("440606199003070017", "张三")
PERSON = ("idNo", "name")
CASE = frozenset(
    {"caseNo", "type", "startOn", "endOn", "chargeText", "level", "state", "addPenalties", "minorAtOffence"}
)
COUNT = 60


@pytest.fixture
async def department(tmp_path: Path) -> AsyncIterator[Running]:
    async with serving("GDSJ", Options(latency=0, count=COUNT, directory=tmp_path / "gdsj")) as running:
        yield running


@pytest.fixture
async def province(department: Running, tmp_path: Path) -> AsyncIterator[OpenSource]:
    async with opened("gdsj", {"GDSJ_DIR": str(tmp_path / "gdsj")}, tmp_path) as source:
        yield source


async def ask(source: OpenSource, lookup: Lookup) -> Sequence[Answer]:
    try:
        return await source.source.fetch(lookup, timeout_s=2)
    except SourceUnavailable as error:
        return [Failed(error.reason, error.retry_at, error.detail)] * len(lookup.keys)


async def cases(source: OpenSource, *keys: Key, fields: frozenset[str] = CASE) -> Sequence[Answer]:
    return await ask(source, Lookup("correctionCase", PERSON, keys, fields))


async def test_a_case_comes_in_canonical_words(province: OpenSource) -> None:
    (answer,) = await cases(province, ZHANG)
    assert isinstance(answer, Found)
    (row,) = answer.rows
    assert row.values == {
        "caseNo": "(2026)粤0604刑初123号",
        "type": "PROBATION",
        "startOn": date(2026, 10, 8),
        "endOn": date(2028, 10, 7),
        "chargeText": "盗窃罪",
        "level": "ORDINARY",
        "state": "SUPERVISED",
        "addPenalties": ("罚金",),
        "minorAtOffence": False,
    }
    assert row.record_id == "4406042026100017"
    assert row.links["caseNo"] == "(2026)粤0604刑初123号"


async def test_every_case_is_mapped_whatever_words_the_row_uses(province: OpenSource) -> None:
    people = [person for person in register(1, COUNT).people if any("GDSJ" in c.held_by for c in person.cases)]
    for start in range(0, len(people), 50):
        some = people[start : start + 50]
        fields = frozenset({"type", "state", "level", "crimeCategory", "originalPenalty", "decidingOrgan"})
        answers = await cases(province, *((person.id_no, person.name) for person in some), fields=fields)
        for person, answer in zip(some, answers, strict=True):
            assert isinstance(answer, Found), person.key
            assert [flag for row in answer.rows for _, flag in row.quality if flag is Quality.CODE_UNMAPPED] == []
            said = {row.record_id: row.values for row in answer.rows}
            for case in person.cases:
                if "GDSJ" in case.held_by:
                    assert said[case.dxbh]["type"] == case.case_type
                    assert said[case.dxbh]["state"] == case.state
                    assert said[case.dxbh]["level"] == case.level  # NULL there is unknown here
                    assert said[case.dxbh]["crimeCategory"] == case.crime_category


async def test_an_id_of_fifteen_digits_is_found_by_its_eighteen(province: OpenSource, tmp_path: Path) -> None:
    with create_engine(f"sqlite:///{tmp_path}/gdsj/gdsj.db").connect() as connection:
        stored = connection.execute(text("SELECT sfzhm FROM v_jzry WHERE xm = '赵强'")).scalars().all()
    assert stored == ["440604650101001"]
    (answer,) = await cases(province, ("440604196501010010", "赵强"))
    assert isinstance(answer, Found)


async def test_a_case_number_finds_all_who_stand_in_it(province: OpenSource) -> None:
    lookup = Lookup(
        "correctionCase", ("caseNo",), (("(2026)粤0604刑初123号",), ("(1999)无此案号",)), frozenset({"caseNo"})
    )
    answer, none = await ask(province, lookup)
    assert isinstance(answer, Found)
    assert {row.links["name"] for row in answer.rows} == {"张三", "吴大勇"}
    assert isinstance(none, Absent)


async def test_a_district_is_walked_page_by_page(province: OpenSource) -> None:
    seen: list[str] = []
    after = None
    while True:
        page = Page(7, after)
        (answer,) = await ask(
            province, Lookup("correctionCase", ("executionAdmin",), (("440604",),), frozenset({"caseNo"}), page)
        )
        if isinstance(answer, Absent):
            break
        assert isinstance(answer, Found)
        seen += [row.record_id for row in answer.rows]
        after = answer.rows[-1].record_id
    expected = sorted(
        case.dxbh
        for person in register(1, COUNT).people
        for case in person.cases
        if case.execution_admin == "440604" and "GDSJ" in case.held_by
    )
    assert seen == expected


async def test_monitoring_orders_have_their_own_view(province: OpenSource) -> None:
    someone = next(p for p in register(1, COUNT).people if p.monitoring_orders)
    fields = frozenset({"orderNo", "legalGround", "from", "to"})
    (answer,) = await ask(province, Lookup("monitoringOrder", PERSON, ((someone.id_no, someone.name),), fields))
    assert isinstance(answer, Found)
    assert {row.record_id: row.values for row in answer.rows} == {
        order.order_no: {
            "orderNo": order.order_no,
            "legalGround": order.legal_ground,
            "from": order.from_on,
            "to": order.to_on,
        }
        for order in someone.monitoring_orders
    }


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Faults(down=True), Reason.DOWN),
        (Faults(closed=True), Reason.DOWN),
        (Faults(too_many=True), Reason.DOWN),
        (Faults(half_page=True), Reason.GARBAGE),
        (Faults(slow=60.0), Reason.TIMEOUT),
    ],
    ids=lambda value: str(value) if isinstance(value, Reason) else value.active()[0],
)
async def test_a_fault_is_named_never_an_absence_and_goes_away(
    province: OpenSource, department: Running, fault: Faults, reason: Reason
) -> None:
    department.department.set_faults(fault)
    answers = await cases(province, ("430121198502200015", "陈明"))
    assert [answer.reason for answer in answers if isinstance(answer, Failed)] == [reason]
    department.department.set_faults(Faults())
    (answer,) = await cases(province, ZHANG)
    assert isinstance(answer, Found)


async def test_all_faults_at_once_can_be_cleared(province: OpenSource, department: Running) -> None:
    department.department.set_faults(Faults(down=True, half_page=True, garbage=True, stale=3.0, slow=1.0))
    department.department.set_faults(Faults(too_many=True, half_page=True))
    department.department.set_faults(Faults())
    (answer,) = await cases(province, ZHANG)
    assert isinstance(answer, Found)
    assert answer.rows[0].quality == ()


async def test_wrong_column_values_are_doubted_not_believed(province: OpenSource, department: Running) -> None:
    department.department.set_faults(Faults(garbage=True))
    (answer,) = await cases(province, ZHANG, fields=CASE | {"typeRaw"})
    assert isinstance(answer, Found)
    (row,) = answer.rows
    assert row.values["type"] == "UNMAPPED"
    assert row.values["typeRaw"] == "???"
    assert row.values["startOn"] is None
    assert ("startOn", Quality.DATE_BAD) in row.quality


async def test_the_night_of_the_copy_dates_every_row(province: OpenSource, department: Running) -> None:
    department.department.set_faults(Faults(stale=10.0))
    (answer,) = await cases(province, ZHANG)
    assert isinstance(answer, Found)
    as_of = answer.rows[0].as_of
    assert as_of is not None
    assert (as_of.astimezone(SHANGHAI).hour, as_of.astimezone(SHANGHAI).minute) == (2, 0)
    assert 10 <= (utc_now() - as_of).days <= 11


async def test_the_same_views_answer_from_postgresql(tmp_path: Path) -> None:
    url = new_database("gdsj")
    engine = create_engine(url)
    with engine.begin() as connection:
        create(connection, register(1, COUNT), utc_now().astimezone(SHANGHAI))
    engine.dispose()
    environ = {"GDSJ_URL": url.render_as_string(hide_password=False)}
    async with opened("gdsj", {"GDSJ_DIR": ""}, tmp_path, environ, endpoint="env:GDSJ_URL") as source:
        (answer,) = await cases(source, ZHANG)
    assert isinstance(answer, Found), answer
    assert answer.rows[0].values["startOn"] == date(2026, 10, 8)
    assert answer.rows[0].as_of is not None
