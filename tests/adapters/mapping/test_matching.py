"""The matching rules of domain-brief 4b, on its test people (4c)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.errors import Reason
from adapters.manifest import AnswerSpec, CatalogueEntry, FieldMapping, ShareClass, SourceManifest, Subject, Text
from adapters.mapping import Mapped
from adapters.source import Absent, Answer, Found, Lookup, Match, Quality, Row
from tests.fakes.memory_source import MemorySource

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 10, 1, 4, tzinfo=UTC)
ZHANG, OTHER_ZHANG = "440606199003070017", "440606199003070033"
FIELDS = frozenset({"regNo", "idNo", "name"})
Flags = set[tuple[str, Quality]]


def manifest(subject: Subject | None, by: tuple[str, ...] = ("idNo", "name")) -> SourceManifest:
    text = Text("x", "x")
    fields = (
        FieldMapping("regNo", "djbh"),
        FieldMapping("idNo", "sfzh", clean="id"),
        FieldMapping("name", "xm", clean="name"),
    )
    answer = AnswerSpec("residence", by, {}, fields, record_id="djbh", subject=subject)
    return SourceManifest("LGB", text, "memory", "", CatalogueEntry(text, text, "DAILY", ShareClass.U), (answer,))


class Returns:
    """A department that answers every key with these rows, as sloppy ones do."""

    def __init__(self, *rows: dict[str, Any], incomplete: Reason | None = None) -> None:
        self.rows, self.incomplete = rows, incomplete

    async def fetch(self, lookup: Lookup, *, timeout_s: float) -> list[Answer]:
        rows = tuple(Row(row) for row in self.rows)
        return [Found(rows, fetched_at=NOW, incomplete=self.incomplete)] * len(lookup.keys)

    async def close(self) -> None: ...


async def answer(
    *rows: dict[str, Any],
    key: tuple[str | None, ...] = (ZHANG, "张三"),
    subject: Subject | None = Subject("sfzh", "xm", "csrq"),  # noqa: B008
    by: tuple[str, ...] = ("idNo", "name"),
    fields: frozenset[str] = FIELDS,
) -> Answer:
    mapped = Mapped(manifest(subject, by), Returns(*rows), now=lambda: NOW)
    (found,) = await mapped.fetch(Lookup("residence", by, (key,), fields), timeout_s=1)
    return found


async def one(*rows: dict[str, Any], **options: Any) -> Row:
    found = await answer(*rows, **options)
    assert isinstance(found, Found), found
    (row,) = found.rows
    return row


def record(sfzh: Any, xm: Any, csrq: Any = "", djbh: str = "R1") -> dict[str, Any]:
    return {"djbh": djbh, "sfzh": sfzh, "xm": xm, "csrq": csrq}


async def test_same_id_and_name() -> None:
    row = await one(record(ZHANG, "张三"))
    assert (row.match, row.quality, row.values["regNo"]) == (Match.AUTO, (), "R1")


@pytest.mark.parametrize(
    ("key", "sfzh", "xm", "flags"),
    [
        (("440604196501010010", "赵强"), "440604650101001", "赵强", {("idNo", Quality.ID_15)}),
        (("440604650101001", "赵强"), "440604196501010010", "赵强", set()),
        (("44060419910518002X", "李梅"), "44060419910518002x", "李梅", set()),
        (("４４０６０４１９９１０５１８００２ｘ", "李梅"), "44060419910518002X", "李梅", set()),
        (("653121199206010012", "买买提·艾力"), "653121199206010012", "买买提•艾力", {("name", Quality.NAME_VARIANT)}),
        (("653121199206010012", "买买提·艾力"), "653121199206010012", "買買提.艾力", {("name", Quality.NAME_VARIANT)}),
        (("430121198502200015", "陈明"), "430121198502200015", "陳明", {("name", Quality.NAME_VARIANT)}),
        (("430121198502200015", "陈明"), 430121198502200015, "陈明", set()),
        (("440605198808150048", "李䶮"), "440605198808150048", "李䶮", set()),
        (("440604199002300017", "某人"), "440604199002300017", "某人", {("idNo", Quality.DATE_BAD)}),
        (("440606199003070018", "张三"), "440606199003070018", "张三", {("idNo", Quality.ID_CHECKSUM_BAD)}),
        (("H1234567(8)", "陈明"), "h1234567(8)", "陈明", set()),
        ((ZHANG, None), ZHANG, "张三", set()),
    ],
)
async def test_surely_the_person(key: tuple[str, str], sfzh: Any, xm: str, flags: Flags) -> None:
    row = await one(record(sfzh, xm), key=key)
    assert row.match is Match.AUTO
    assert set(row.quality) == flags
    assert row.values["regNo"] == "R1"


@pytest.mark.parametrize(
    ("key", "sfzh", "xm", "csrq", "hint"),
    [
        ((ZHANG, "张三"), ZHANG, "李四", "", "李*"),
        ((ZHANG, "张三"), ZHANG, "", "", ""),
        (("440605198808150048", "李䶮"), "440605198808150048", "李?", "", "李*"),
        (("440605198808150048", "李䶮"), "440605198808150048", "李\ue863", "", "李*"),
        (("440605198808150048", "李?"), "440605198808150048", "李?", "", "李*"),
        ((ZHANG, "张三"), "", "张三", "1990-03-07", "张*"),
        ((ZHANG, "张三"), None, "張三", "", "張*"),
        ((ZHANG, "张三"), "无", "张三", "0000-00-00", "张*"),
        ((ZHANG, "张三"), "440606********0017", "张三", "", "张*"),
        ((ZHANG, "张三"), "440606199003070071", "张三", "", "张*"),  # digits swapped: nobody's number, his name
        ((None, "张三"), ZHANG, "张三", "19900307", "张*"),
        (("440605198808150048", "李䶮"), "", "李?", "", "李*"),
        ((ZHANG, None), "", "张三", "1990-03-07", "张*"),
    ],
)
async def test_perhaps_the_person(key: tuple[str, str], sfzh: Any, xm: str, csrq: str, hint: str) -> None:
    row = await one(record(sfzh, xm, csrq), key=key)
    assert row.match is Match.REVIEW
    assert (row.values, row.record_id, row.links) == ({}, "", {})
    assert row.review_hint == hint
    assert all(name == "" for name, _ in row.quality)


@pytest.mark.parametrize(
    ("sfzh", "xm", "csrq"),
    [
        (OTHER_ZHANG, "张三", "1990-03-07"),  # the other man: same name, same birth date
        (OTHER_ZHANG, "李四", ""),
        ("440606199003070071", "李四", ""),
        ("", "张三", "1991-01-01"),
        ("", "李四", "1990-03-07"),
        ("", "李四", ""),
    ],
)
async def test_someone_else_is_dropped(sfzh: str, xm: str, csrq: str) -> None:
    assert isinstance(await answer(record(sfzh, xm, csrq)), Absent)


async def test_co_defendants_and_homonyms_never_leave() -> None:
    row = await one(
        record(OTHER_ZHANG, "张三", djbh="R1"), record(ZHANG, "张三", djbh="R2"), record("", "王五", djbh="R3")
    )
    assert row.values == {"regNo": "R2", "idNo": ZHANG, "name": "张三"}


async def test_a_row_about_nobody_is_not_silently_gone() -> None:
    found = await answer({"djbh": "R1"}, {"djbh": "R2", "sfzh": "", "xm": " "}, record(ZHANG, "张三", djbh="R3"))
    assert isinstance(found, Found)
    assert found.incomplete is Reason.GARBAGE
    assert [row.record_id for row in found.rows] == ["R3"]
    assert await answer({"djbh": "R1"}) == Found((), NOW, NOW, Reason.GARBAGE)


async def test_a_nameless_source_matches_by_id_alone() -> None:
    row = await one(
        {"djbh": "R1", "sfzh": "440604650101001"}, key=("440604196501010010", "赵强"), subject=Subject("sfzh")
    )
    assert row.match is Match.AUTO
    assert ("idNo", Quality.ID_15) in row.quality


async def test_a_source_without_ids_never_matches_alone() -> None:
    row = await one({"djbh": "R1", "xm": "张三"}, subject=Subject("", "xm"))
    assert row.match is Match.REVIEW


async def test_things_match_by_their_key() -> None:
    row = await one(record("", "李四"), subject=None)
    assert (row.match, row.values["name"]) == (Match.AUTO, "李四")


async def test_a_key_that_is_no_person_matches_by_itself() -> None:
    row = await one(record("", "李四"), key=("(2026)粤0604刑初123号",), by=("caseNo",))
    assert row.match is Match.AUTO


async def test_a_doubt_names_no_field_that_was_not_asked() -> None:
    row = await one(record("440604650101001", "趙強"), key=("440604196501010010", "赵强"), fields=frozenset({"regNo"}))
    assert row.values == {"regNo": "R1"}
    assert set(row.quality) == {("", Quality.ID_15), ("", Quality.NAME_VARIANT)}


async def test_what_is_asked_upstream_is_the_normal_form_once() -> None:
    department = MemorySource([record(ZHANG, "张三")], {"idNo": "sfzh"})
    mapped = Mapped(manifest(Subject("sfzh", "xm")), department, now=lambda: NOW)
    keys = ((ZHANG, "张三"), (f" {ZHANG} ", "张三"), ("４４０６０６１９９００３０７００１７", "张三"), (None, " "))
    *same, nobody = await mapped.fetch(Lookup("residence", ("idNo", "name"), keys, FIELDS), timeout_s=1)
    assert [lookup.keys for lookup in department.asked] == [((ZHANG, "张三"),)]
    assert all(isinstance(found, Found) for found in same)
    assert getattr(nobody, "reason", None) is Reason.KEY_MISSING
