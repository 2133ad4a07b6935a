"""A view, in SQLite and in PostgreSQL: what is asked, what is never done, what each failure is called."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, create_engine, text
from stdnum.iso7064 import mod_11_2

from adapters.errors import Reason, SourceUnavailable
from adapters.manifest import AnswerSpec, Limits
from adapters.source import Absent, Answer, Failed, Found, Key, Lookup, Page
from adapters.sql import SqlKind, SqlSource
from tests.contract.departments import LI_MEI, ZHANG, ZHAO, manifest_for, opening_for
from tests.fakes.postgres import new_database

pytestmark = pytest.mark.anyio
REQUEST = {"view": "v_p", "key_columns": {"idNo": "sfzh", "name": "xm"}, "match_on": ["idNo"], "order_by": "djbh"}
FIELDS = frozenset({"djbh", "jzdz"})
ROWS = [
    ("R1", "440606199003070017", "张三", "一", 7, "440604"),
    ("R2", "440606199003070017", "张三", "二", None, "440604"),
    ("R3", "44060419910518002x", "李梅", "三", 9, "440604"),
    ("R4", "440604650101001", "赵强", None, 1, "440605"),
]
DDL = "CREATE TABLE p (djbh VARCHAR(9) PRIMARY KEY, sfzh CHAR(20), xm TEXT, jzdz TEXT, nr INTEGER, xzqh TEXT)"


@pytest.fixture(params=["sqlite", "sqlite+aiosqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    """A database with ROWS behind the view v_p, as its owner may open it."""
    if request.param == "postgresql":
        made = new_database("views")
    else:
        made = URL.create(request.param, database=str(tmp_path / "a#b?c%20.db"))
    change(made, DDL, *(_inserted(row) for row in ROWS), "CREATE VIEW v_p AS SELECT * FROM p")
    return made


def _inserted(row: Sequence[object]) -> str:
    return "INSERT INTO p VALUES (" + ", ".join("NULL" if v is None else repr(v) for v in row) + ")"


def change(url: URL, *statements: str) -> None:
    engine = create_engine(url.set(drivername=url.drivername.replace("+aiosqlite", "")))
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


class Asking:
    """A source over one request, and a short way to ask it."""

    def __init__(self, url: URL, tmp_path: Path, request: Mapping[str, Any], limits: Limits) -> None:
        manifest = manifest_for("sql", endpoint=url.render_as_string(hide_password=False), request=request)
        spec = manifest.answers[0]
        more = AnswerSpec("person", ("nr",), {"view": "v_p", "key_columns": {"nr": "nr"}}, (), record_id="djbh")
        area = AnswerSpec("person", ("xzqh",), {"view": "v_p", "key_columns": {"xzqh": "xzqh"}, "order_by": "djbh"}, ())
        manifest = replace(manifest, answers=(spec, more, area), limits=limits)
        self.source: SqlSource = SqlKind().open(opening_for(manifest, base_dir=tmp_path))

    async def __call__(
        self,
        *keys: Key,
        fields: frozenset[str] = FIELDS,
        by: tuple[str, ...] = ("idNo", "name"),
        page: Page | None = None,
        timeout_s: float = 5.0,
    ) -> Sequence[Answer]:
        noun = "residence" if by == ("idNo", "name") else "person"
        try:
            return await self.source.fetch(Lookup(noun, by, keys, fields, page), timeout_s=timeout_s)
        except SourceUnavailable as error:
            return [Failed(error.reason, error.retry_at, error.detail)] * len(keys)


@pytest.fixture
async def ask(url: URL, tmp_path: Path) -> AsyncIterator[Asking]:
    asking = Asking(url, tmp_path, REQUEST, Limits())
    yield asking
    await asking.source.close()


def values(answer: Answer) -> list[dict[str, Any]]:
    assert isinstance(answer, Found), answer
    return [dict(row.values) for row in answer.rows]


def reason(answers: Sequence[Answer]) -> Reason:
    (answer,) = answers
    assert isinstance(answer, Failed), answer
    return answer.reason


async def test_rows_come_raw_in_order_and_with_no_column_more(ask: Asking) -> None:
    zhang, nobody, mei = await ask(ZHANG, ("1", "x"), LI_MEI)
    assert values(zhang) == [{"djbh": "R1", "jzdz": "一"}, {"djbh": "R2", "jzdz": "二"}]
    assert isinstance(nobody, Absent)
    assert values(mei) == [{"djbh": "R3", "jzdz": "三"}]


async def test_old_and_lower_case_ids_are_found_by_the_normal_form(ask: Asking, url: URL, tmp_path: Path) -> None:
    zhao, mei = await ask(ZHAO, LI_MEI)
    assert values(zhao) == [{"djbh": "R4", "jzdz": None}]
    assert values(mei)[0]["djbh"] == "R3"
    modern = Asking(url, tmp_path, {**REQUEST, "id_forms": ["18"]}, Limits())
    (zhao,) = await modern(ZHAO)
    assert isinstance(zhao, Absent)
    await modern.source.close()


async def test_a_birth_in_this_century_is_not_found_by_fifteen_digits(ask: Asking, url: URL) -> None:
    change(url, _inserted(("R9", "440604090912003", "王老明", "", 1, "")))
    young, old = await ask(
        ("440604200909120036", "王小明"),
        ("44060419090912003" + mod_11_2.calc_check_digit("44060419090912003"), "王老明"),
    )
    assert isinstance(young, Absent)
    assert isinstance(old, Found)


async def test_two_match_columns_match_together(url: URL, tmp_path: Path) -> None:
    ask = Asking(url, tmp_path, {**REQUEST, "match_on": ["idNo", "name"]}, Limits())
    zhang, crossed, mei = await ask(ZHANG, (ZHANG[0], "李梅"), LI_MEI)
    assert len(values(zhang)) == 2
    assert isinstance(crossed, Absent)
    assert len(values(mei)) == 1
    await ask.source.close()


async def test_a_column_of_numbers_is_compared_with_numbers(ask: Asking) -> None:
    answers = await ask(("7",), ("07",), ("seven",), ("9" * 30,), ("-7",), by=("nr",))
    assert values(answers[0]) == [{"djbh": "R1", "jzdz": "一"}]
    assert all(isinstance(answer, Absent) for answer in answers[1:])


async def test_pages_follow_the_key_and_end(ask: Asking) -> None:
    seen = []
    after = None
    while isinstance((got := await ask(("440604",), by=("xzqh",), page=Page(2, after)))[0], Found):
        seen += [row["djbh"] for row in values(got[0])]
        after = seen[-1]
    assert seen == ["R1", "R2", "R3"]
    for bad in ("x\x00", "\ud800", "x" * 10_000):
        assert reason(await ask(("440604",), by=("xzqh",), page=Page(2, bad))) is Reason.KEY_MISSING


INJECTIONS = [
    "' OR '1'='1",
    "'; DROP TABLE p; --",
    "%",
    "_",
    '" OR ""="',
    "\\",
    "440606199003070017' --",
    ":x",
    "%(x)s",
    "?",
]


@pytest.mark.parametrize("hostile", INJECTIONS)
async def test_a_key_is_a_value_and_never_sql(ask: Asking, hostile: str, url: URL) -> None:
    answers = await ask((hostile, "张三"), ZHANG)
    assert isinstance(answers[0], Absent)
    assert len(values(answers[1])) == 2
    (by_area,) = await ask((hostile,), by=("xzqh",), page=Page(5, hostile))
    assert isinstance(by_area, Absent)
    (after,) = await ask(("440604",), by=("xzqh",), page=Page(5, "' OR 1=1 --"))
    assert isinstance(after, Found | Absent)
    with create_engine(url.set(drivername=url.drivername.replace("+aiosqlite", ""))).connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM p")).scalar() == 4


@pytest.mark.parametrize(
    "change_", [{"view": "v_p; DROP TABLE p"}, {"view": "nowhere"}, {"key_columns": {"idNo": "sfzh\" OR 1=1 --"}},
                {"key_columns": {"idNo": "1"}}, {"order_by": "djbh; DROP TABLE p"}],
    ids=["view", "missing view", "column", "literal", "order"],
)  # fmt: skip
async def test_an_identifier_the_view_does_not_have_is_refused(
    url: URL, tmp_path: Path, change_: dict[str, Any]
) -> None:
    ask = Asking(url, tmp_path, {**REQUEST, "match_on": ["idNo"], **change_}, Limits())
    assert reason(await ask(ZHANG)) is Reason.GARBAGE
    await ask.source.close()


async def test_a_field_the_view_does_not_have_is_said(ask: Asking) -> None:
    (answer,) = await ask(ZHANG, fields=frozenset({"djbh", '"xm"'}))
    assert isinstance(answer, Failed)
    assert answer.detail == 'view v_p has no column "xm"'


async def test_a_view_that_changed_is_looked_at_again(ask: Asking, url: URL) -> None:
    assert len(values((await ask(ZHANG))[0])) == 2
    change(url, "DROP VIEW v_p", "CREATE VIEW v_p AS SELECT djbh, sfzh, xm FROM p")
    assert reason(await ask(ZHANG)) is Reason.GARBAGE
    change(url, "DROP VIEW v_p", "CREATE VIEW v_p AS SELECT * FROM p")
    assert len(values((await ask(ZHANG))[0])) == 2


async def test_nothing_can_be_written_through_it(ask: Asking, url: URL) -> None:
    await ask(ZHANG)

    def write(connection: Any) -> None:
        connection.execute(text("UPDATE p SET jzdz = 'changed'"))

    with pytest.raises(Exception, match=r"(?i)read.?only"):
        await ask.source._database.run(write, timeout_s=2)
    assert values((await ask(ZHANG))[0])[0]["jzdz"] == "一"


async def test_many_rows_are_cut_and_the_cut_is_said(url: URL, tmp_path: Path) -> None:
    change(url, *(_inserted((f"X{n:03d}", "440604199303030065", "刘芳", "x", 0, "")) for n in range(12)))
    ask = Asking(url, tmp_path, {**REQUEST, "max_rows": 3}, Limits())
    (one,) = await ask(("440604199303030065", "刘芳"))
    assert isinstance(one, Found)
    assert (len(one.rows), one.incomplete) == (3, Reason.INCOMPLETE)
    first, second = await ask(("440604199303030065", "刘芳"), ("440604650101001", "?"))
    assert isinstance(first, Found)
    assert first.incomplete is Reason.INCOMPLETE
    assert isinstance(second, Failed | Found), "behind the cut nobody knows, so it is no absence"
    await ask.source.close()


async def test_too_many_bytes_are_too_large(url: URL, tmp_path: Path) -> None:
    change(url, _inserted(("BIG", "440604199303030065", "刘芳", "x" * 2_000_000, 0, "")))
    ask = Asking(url, tmp_path, REQUEST, Limits(max_response_bytes=100_000))
    assert reason(await ask(("440604199303030065", "刘芳"))) is Reason.TOO_LARGE
    assert len(values((await ask(ZHANG))[0])) == 2
    await ask.source.close()


async def test_bytes_are_none_of_our_values(ask: Asking, url: URL) -> None:
    blob = "'\\x00ff'::bytea" if url.get_backend_name() == "postgresql" else "x'00ff'"
    change(url, "DROP VIEW v_p", f"CREATE VIEW v_p AS SELECT djbh, sfzh, xm, {blob} AS jzdz, nr, xzqh FROM p")
    (answer,) = await ask(ZHANG)
    assert isinstance(answer, Failed)
    assert answer.reason is Reason.GARBAGE
    assert answer.detail.startswith("column jzdz holds")


async def test_a_slow_view_ends_at_the_timeout_and_leaves_others_alone(url: URL, tmp_path: Path) -> None:
    ask = Asking(url, tmp_path, REQUEST, Limits(concurrency=2))
    assert len(values((await ask(ZHANG))[0])) == 2
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT p.* FROM p, n WHERE n.i < 0"
    change(url, "DROP VIEW v_p", f"CREATE VIEW v_p AS {endless}")
    began = time.monotonic()
    got = await asyncio.gather(*(ask(ZHANG, timeout_s=0.3) for _ in range(4)))
    assert [reason(one) for one in got] == [Reason.TIMEOUT] * 4
    assert time.monotonic() - began < 2
    change(url, "DROP VIEW v_p", "CREATE VIEW v_p AS SELECT * FROM p")
    await asyncio.sleep(0.1)
    assert len(values((await ask(ZHANG))[0])) == 2
    await ask.source.close()


async def test_no_error_holds_a_key_a_password_or_sql(url: URL, tmp_path: Path) -> None:
    wrong = url.set(
        database=str(tmp_path / "nothing-here.db") if url.get_backend_name() == "sqlite" else "nothing_here"
    )
    ask = Asking(wrong, tmp_path, REQUEST, Limits())
    (answer,) = await ask(ZHANG)
    assert isinstance(answer, Failed)
    assert answer.reason is Reason.DOWN
    assert not any(part in repr(answer) for part in (*ZHANG, "SELECT", "nothing"))
    await ask.source.close()


async def test_postgresql_that_ended_our_connection_answers_the_next_question(tmp_path: Path) -> None:
    url = new_database("ended")
    change(url, DDL, _inserted(ROWS[0]), "CREATE VIEW v_p AS SELECT * FROM p")
    ask = Asking(url, tmp_path, REQUEST, Limits(concurrency=1))
    assert len(values((await ask(ZHANG))[0])) == 1
    change(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'ended' AND pid <> pg_backend_pid()",
    )
    assert reason(await ask(ZHANG)) is Reason.DOWN
    assert len(values((await ask(ZHANG))[0])) == 1
    await ask.source.close()


async def test_postgresql_refuses_a_stranger(tmp_path: Path) -> None:
    url = new_database("guarded")
    change(url, DDL, "CREATE VIEW v_p AS SELECT * FROM p", "DROP ROLE IF EXISTS outsider", "CREATE ROLE outsider LOGIN")
    ask = Asking(url.set(username="outsider"), tmp_path, REQUEST, Limits())
    assert reason(await ask(ZHANG)) is Reason.REFUSED
    await ask.source.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "front.db"
    change(URL.create("sqlite", database=str(path)), DDL, _inserted(ROWS[0]), "CREATE VIEW v_p AS SELECT * FROM p")
    return path


async def test_a_locked_file_is_down_and_not_waited_for(file: Path, tmp_path: Path) -> None:
    ask = Asking(URL.create("sqlite", database="front.db"), tmp_path, REQUEST, Limits())
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    began = time.monotonic()
    assert reason(await ask(ZHANG)) is Reason.DOWN
    assert time.monotonic() - began < 3
    holder.close()
    assert len(values((await ask(ZHANG))[0])) == 1
    await ask.source.close()


async def test_a_file_replaced_at_night_is_read_anew(file: Path, tmp_path: Path) -> None:
    ask = Asking(URL.create("sqlite", database=str(file)), tmp_path, REQUEST, Limits())
    assert len(values((await ask(ZHANG))[0])) == 1
    new = tmp_path / "new.db"
    change(URL.create("sqlite", database=str(new)), DDL, *map(_inserted, ROWS), "CREATE VIEW v_p AS SELECT * FROM p")
    new.replace(file)
    assert len(values((await ask(ZHANG))[0])) == 2
    await ask.source.close()


@pytest.mark.parametrize("content", [b"", b"not a database" * 100, b"SQLite format 3\x00" + b"\xff" * 4000])
async def test_a_file_that_is_no_database_is_garbage(file: Path, tmp_path: Path, content: bytes) -> None:
    file.write_bytes(content)
    ask = Asking(URL.create("sqlite", database=str(file)), tmp_path, REQUEST, Limits())
    assert reason(await ask(ZHANG)) is Reason.GARBAGE
    await ask.source.close()


async def test_text_that_is_no_utf8_is_garbage(file: Path, tmp_path: Path) -> None:
    change(URL.create("sqlite", database=str(file)), "UPDATE p SET jzdz = CAST(x'c4e3ba' AS TEXT)")
    ask = Asking(URL.create("sqlite", database=str(file)), tmp_path, REQUEST, Limits())
    assert reason(await ask(ZHANG)) is Reason.GARBAGE
    await ask.source.close()


async def test_a_cancelled_question_frees_its_thread(file: Path, tmp_path: Path) -> None:
    ask = Asking(URL.create("sqlite", database=str(file)), tmp_path, REQUEST, Limits(concurrency=1))
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT p.* FROM p, n WHERE n.i < 0"
    change(URL.create("sqlite", database=str(file)), "DROP VIEW v_p", f"CREATE VIEW v_p AS {endless}")
    call = asyncio.create_task(ask(ZHANG, timeout_s=60))
    await asyncio.sleep(0.2)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    change(URL.create("sqlite", database=str(file)), "DROP VIEW v_p", "CREATE VIEW v_p AS SELECT * FROM p")
    assert len(values((await ask(ZHANG, timeout_s=2))[0])) == 1
    await ask.source.close()


@pytest.mark.parametrize("url_", ["sqlite://", "nonsense://x/y", "not a url", "postgresql+nodriver://x/y"])
def test_a_url_nothing_can_be_done_with_is_said_without_repeating_it(tmp_path: Path, url_: str) -> None:
    manifest = manifest_for("sql", endpoint=url_, request=REQUEST)
    with pytest.raises(SourceUnavailable) as raised:
        SqlKind().open(opening_for(manifest, base_dir=tmp_path))
    assert url_ not in str(raised.value)


def test_a_manifest_hears_of_all_its_faults_at_once() -> None:
    request = {
        "key_columns": {"idno": "a", "name": 1},
        "match_on": ["idNo"],
        "order_by": "other",
        "id_forms": ["15"],
        "max_rows": 0,
        "sql": "SELECT 1",
    }
    manifest = manifest_for("sql", endpoint="postgresql://u:p@127.0.0.1/d", request=request, options={"x": 1})
    assert [place for place, _ in SqlKind().check(manifest)] == [
        "source.endpoint",
        "source.options.x",
        "answers.0.request.sql",
        "answers.0.request.view",
        "answers.0.request.key_columns.idno",
        "answers.0.request.key_columns.name",
        "answers.0.request.match_on",
        "answers.0.request.order_by",
        "answers.0.request.id_forms",
        "answers.0.request.max_rows",
    ]
