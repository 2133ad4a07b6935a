from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import Reason, SourceUnavailable
from adapters.manifest import AnswerSpec, FieldMapping, Subject
from adapters.mapping import Mapped
from adapters.matching import Asked
from adapters.row_mapper import RowMapper
from adapters.source import Absent, Answer, Failed, Found, Lookup, Page, Quality, Row
from tests.adapters.mapping.test_matching import NOW, ZHANG, Returns, manifest

pytestmark = pytest.mark.anyio

SPEC = AnswerSpec(
    noun="residence",
    by=("idNo", "name"),
    request={},
    fields=(
        FieldMapping("regNo", "djbh"),
        FieldMapping("address", "jz.dz", clean="address"),
        FieldMapping("residenceType", "jzsy", type="code", codes={"01": "WORK"}),
        FieldMapping("startOn", "djrq", type="date"),
        FieldMapping("landlord", "fdxm", masked=True),
    ),
    record_id="djbh",
    subject=Subject("sfzh", "xm"),
    as_of="gxsj",
    links={"caseNo": "ajbh", "idNo": "sfzh"},
)
KEY = (ZHANG, "张三")
RECORD: dict[str, Any] = {
    "djbh": "R1", "jz": {"dz": "祖庙路１号"}, "jzsy": "77", "djrq": "2026-03", "fdxm": "房东",
    "gxsj": "2026-09-30 08:00:00", "ajbh": "C1", "sfzh": ZHANG, "xm": "张三", "dh": "13800000000",
}  # fmt: skip
ALL = frozenset({"regNo", "address", "residenceType", "residenceTypeRaw", "startOn", "landlord", "landlordRaw"})


def mapped(*rows: dict[str, Any], spec: AnswerSpec = SPEC, incomplete: Reason | None = None) -> Mapped:
    return Mapped(replace(manifest(None), answers=(spec,)), Returns(*rows, incomplete=incomplete), now=lambda: NOW)


async def ask(source: Mapped, fields: frozenset[str] = ALL, page: Page | None = None) -> Answer:
    (answer,) = await source.fetch(Lookup("residence", ("idNo", "name"), (KEY,), fields, page), timeout_s=1)
    return answer


async def rows_of(source: Mapped, fields: frozenset[str] = ALL) -> tuple[Row, ...]:
    answer = await ask(source, fields)
    assert isinstance(answer, Found)
    return answer.rows


async def test_a_record_in_canonical_words() -> None:
    (row,) = await rows_of(mapped(RECORD))
    assert row.values == {
        "regNo": "R1",
        "address": "祖庙路1号",
        "residenceType": "UNMAPPED",
        "residenceTypeRaw": "77",
        "startOn": date(2026, 3, 1),
        "landlord": "房*",
        "landlordRaw": "房*",
    }
    assert set(row.quality) == {("residenceType", Quality.CODE_UNMAPPED), ("startOn", Quality.DATE_GUESSED)}
    assert row.record_id == "R1"
    assert row.as_of == datetime(2026, 9, 30, tzinfo=UTC)
    assert row.links == {"caseNo": "C1", "idNo": ZHANG}


class Remembers(Returns):
    asked: Lookup | None = None

    async def fetch(self, lookup: Lookup, *, timeout_s: float) -> list[Answer]:
        self.asked = lookup
        return await super().fetch(lookup, timeout_s=timeout_s)


@given(st.sets(st.sampled_from([*sorted(ALL), "phone", "dh", "sfzh", "", "RawRaw"])))
def test_only_asked_fields_are_asked_for_and_leave(fields: set[str]) -> None:
    source = Remembers(RECORD)
    spec = replace(SPEC, links={})
    one = Mapped(replace(manifest(None), answers=(spec,)), source, now=lambda: NOW)

    async def run() -> None:
        (row,) = await rows_of(one, frozenset(fields))
        assert set(row.values) == fields & ALL
        assert {name for name, _ in row.quality} <= fields | {""}

    anyio.run(run)
    assert source.asked is not None
    raw = {"regNo": "djbh", "address": "jz.dz", "residenceType": "jzsy", "startOn": "djrq", "landlord": "fdxm"}
    wanted = {raw[name.removesuffix("Raw")] for name in fields & ALL}
    assert source.asked.fields == wanted | {"djbh", "sfzh", "xm", "gxsj"}


async def test_rows_stand_by_record_id_unless_paged() -> None:
    rows = [RECORD | {"djbh": name} for name in ("R3", "R1", "R2")]
    assert [row.record_id for row in await rows_of(mapped(*rows))] == ["R1", "R2", "R3"]
    answer = await ask(mapped(*rows), page=Page(3))
    assert isinstance(answer, Found)
    assert [row.record_id for row in answer.rows] == ["R3", "R1", "R2"]


async def test_a_page_keeps_its_length_and_says_where_its_cursor_cannot_tell_rows_apart() -> None:
    twice = await ask(mapped(RECORD, RECORD, RECORD | {"djbh": "R2"}), page=Page(3))
    assert isinstance(twice, Found)
    assert ([row.record_id for row in twice.rows], twice.incomplete) == (["R1", "R1", "R2"], None)
    clash = await ask(mapped(RECORD, RECORD | {"fdxm": "别人"}), frozenset({"landlord"}), page=Page(2))
    assert isinstance(clash, Found)
    assert clash.incomplete is Reason.INCOMPLETE


async def test_the_same_record_twice_is_one_and_flagged() -> None:
    rows = await rows_of(mapped(RECORD, RECORD, RECORD | {"fdxm": "别人"}, RECORD), frozenset({"regNo", "landlord"}))
    assert [row.values["landlord"] for row in rows] == ["房*", "别*"]
    assert [row.quality for row in rows] == [(("", Quality.DUPLICATE),), ()]


async def test_without_record_ids_nothing_is_thrown_away() -> None:
    rows = await rows_of(mapped(RECORD, RECORD, spec=replace(SPEC, record_id="")))
    assert len(rows) == 2


@pytest.mark.parametrize(
    ("raw", "as_of", "flags"),
    [
        ("2026-09-30", datetime(2026, 9, 29, 16, tzinfo=UTC), set()),
        (date(2026, 9, 30), datetime(2026, 9, 29, 16, tzinfo=UTC), set()),
        ("2027-01-01", NOW, set()),  # a clock ahead of ours buys no freshness
        ("", None, set()),
        ("0000-00-00", None, set()),
        ("2026-02-30", None, {("", Quality.DATE_BAD)}),
        (date(1, 1, 1), None, {("", Quality.DATE_BAD)}),
        (datetime.max.replace(tzinfo=UTC), None, {("", Quality.DATE_BAD)}),
    ],
)
async def test_as_of_is_the_records_own_date(raw: Any, as_of: datetime | None, flags: set[Any]) -> None:
    (row,) = await rows_of(mapped(RECORD | {"gxsj": raw}), frozenset({"regNo"}))
    assert row.as_of == as_of
    assert set(row.quality) == flags


async def test_a_lag_dates_what_has_no_date() -> None:
    source = mapped(RECORD, spec=replace(SPEC, as_of="", lag_days=30))
    (row,) = await rows_of(source, frozenset({"regNo"}))
    assert row.as_of == NOW - timedelta(days=30)


async def test_a_changed_format_is_garbage_not_absence() -> None:
    answer = await ask(mapped({"SFZH": ZHANG, "XM": "张三"}, RECORD))
    assert isinstance(answer, Found)
    assert (len(answer.rows), answer.incomplete) == (1, Reason.GARBAGE)


class Explosive(dict[str, Any]):
    def get(self, key: str, default: Any = None) -> Any:
        raise RuntimeError("13800000000")


async def test_a_row_that_cannot_be_read_stays_alone() -> None:
    answer = await ask(mapped(Explosive(RECORD), RECORD))
    assert isinstance(answer, Found)
    assert (len(answer.rows), answer.incomplete) == (1, Reason.GARBAGE)


async def test_what_the_kind_said_about_completeness_stands() -> None:
    answer = await ask(mapped({"x": 1}, incomplete=Reason.INCOMPLETE))
    assert isinstance(answer, Found)
    assert answer.incomplete is Reason.INCOMPLETE


async def test_no_rows_is_absence_and_half_an_answer_is_not() -> None:
    assert isinstance(await ask(mapped()), Absent)
    answer = await ask(mapped(incomplete=Reason.INCOMPLETE))
    assert isinstance(answer, Found)


class Short(Returns):
    async def fetch(self, lookup: Lookup, *, timeout_s: float) -> list[Answer]:
        return [Absent()]


async def test_a_kind_that_loses_an_answer_is_not_believed() -> None:
    source = Mapped(replace(manifest(None), answers=(SPEC,)), Short(), now=lambda: NOW)
    keys = (KEY, (ZHANG, "李四"))
    with pytest.raises(SourceUnavailable) as caught:
        await source.fetch(Lookup("residence", ("idNo", "name"), keys, ALL), timeout_s=1)
    assert caught.value.reason is Reason.GARBAGE


async def test_a_failure_passes_untouched() -> None:
    class Fails(Returns):
        async def fetch(self, lookup: Lookup, *, timeout_s: float) -> list[Answer]:
            return [Failed(Reason.CLOSED, NOW)]

    source = Mapped(replace(manifest(None), answers=(SPEC,)), Fails(), now=lambda: NOW)
    assert await ask(source) == Failed(Reason.CLOSED, NOW)


async def test_a_key_of_the_wrong_shape_is_a_callers_mistake() -> None:
    with pytest.raises(ValueError, match="has 1 parts"):
        await mapped().fetch(Lookup("residence", ("idNo", "name"), ((ZHANG,),), ALL), timeout_s=1)


async def test_many_field_sets_are_bounded() -> None:
    source = mapped(RECORD)
    for number in range(600):
        await ask(source, frozenset({f"f{number}", "regNo"}))
    assert len(source._mappers) <= 256


async def test_one_broken_id_column_costs_little() -> None:
    rows = [RECORD | {"djbh": "same", "fdxm": f"{n}"} for n in range(5000)]
    began = time.monotonic()
    await ask(mapped(*rows))
    assert time.monotonic() - began < 3


def test_a_row_is_mapped_in_microseconds() -> None:
    spec = replace(SPEC, as_of="", links={}, fields=tuple(FieldMapping(f"f{n}", f"r{n}") for n in range(5)))
    mapper = RowMapper(spec, frozenset(f"f{n}" for n in range(5)))
    row = Row({"djbh": "R1", "sfzh": ZHANG, "xm": "张三", **{f"r{n}": f"佛山市禅城区{n}" for n in range(5)}})
    asked = Asked.of(spec.by, KEY)
    best = min(_timed(mapper, row, asked) for _ in range(20))
    assert best < 20e-6, f"{best * 1e6:.1f} us"  # 2.5 us on an idle core of 2025; the bound catches a lost fast path


def _timed(mapper: RowMapper, row: Row, asked: Asked) -> float:
    began = time.perf_counter()
    for _ in range(500):
        mapper(row, asked, NOW, NOW)
    return (time.perf_counter() - began) / 500


_RAW = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates() | st.sampled_from([ZHANG, "张三", "440606900307001"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["dz", "x"]), inner, max_size=2),
)  # fmt: skip


@given(st.lists(st.dictionaries(st.sampled_from(sorted(RECORD)), _RAW), max_size=4))
def test_whatever_rows_come_the_answer_is_an_answer(rows: list[dict[str, Any]]) -> None:
    async def run() -> None:
        answer = await ask(mapped(*rows))
        if isinstance(answer, Found):
            assert answer.rows or answer.incomplete
            for row in answer.rows:
                assert set(row.values) in (set(), set(ALL))
        else:
            assert isinstance(answer, Absent)

    anyio.run(run)
