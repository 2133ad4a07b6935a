"""`yimen serve` as an operator runs it: one process or several, stopped, killed, reloaded."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import psutil
import psycopg
import pytest
from aiohttp import web

from gateway.store import Store
from gateway.supervision.case_facts import CaseEntry, Part, PartyEntry
from tests.fakes.tokens import issuing, officer
from tests.gateway.bootstrap.conftest import Serve, Serving
from tests.gateway.bootstrap.test_reload import FEW

pytestmark = pytest.mark.anyio
CASE = "(2026)粤0604刑初123号"
QUERY = f"""query($idNo: String!, $name: String!) @purpose(code: "CC_RECEPTION", caseNo: "{CASE}") {{
  person(idNo: $idNo, name: $name) {{ residence {{ state best {{ regNo }} }} }} }}"""
PERSON = {"idNo": "440606199003070017", "name": "张三"}


async def get(serving: Serving, path: str = "/readyz") -> tuple[int, str]:
    """By a connection of its own, so that any worker may get it."""
    async with (
        aiohttp.ClientSession(trust_env=False, timeout=aiohttp.ClientTimeout(10)) as session,
        session.get(serving.url + path) as reply,
    ):
        return reply.status, await reply.text()


def gone(processes: list[psutil.Process]) -> bool:
    return not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes)


async def until_gone(processes: list[psutil.Process]) -> None:
    async with asyncio.timeout(15):
        while not gone(processes):
            await asyncio.sleep(0.02)


async def test_two_workers_answer_are_replaced_and_leave_nothing(serve: Serve, postgresql: str) -> None:
    async with serve("--workers", "2", database_url=postgresql, drain_s=2, listening=2) as serving:
        first, second = serving.workers()
        for idle in (first, second):
            idle.suspend()
            assert (await get(serving))[0] == 200, "the other one answers"
            idle.resume()

        page = (await get(serving, "/metrics"))[1]
        assert re.findall(r'yimen_reload_failed\{worker="(\d)"\} 0.0', page) == ["0", "1"]

        first.kill()
        await serving.until("listening", 3)
        assert '"event":"worker_died"' in serving.log
        second.suspend()
        assert (await get(serving))[0] == 200, "what took its place answers"
        second.resume()

        serving.signal(signal.SIGHUP)
        await serving.until("reloaded", 2)

        kin = psutil.Process(serving.process.pid).children(recursive=True)
        serving.signal(signal.SIGTERM)
        assert await serving.end() == 0
        await until_gone(kin)
        assert serving.log.count('"forced":false') == 2
        assert serving.log.count("yimen: http://") == 1
        with pytest.raises(aiohttp.ClientConnectorError):
            await get(serving)
    with psycopg.connect(postgresql.replace("+psycopg", "")) as connection:
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)


async def test_workers_whose_parent_was_killed_end_by_themselves(serve: Serve, postgresql: str) -> None:
    async with serve("--workers", "2", database_url=postgresql, drain_s=1, listening=2) as serving:
        kin = psutil.Process(serving.process.pid).children(recursive=True)
        assert len(kin) >= 2
        serving.signal(signal.SIGKILL)
        await serving.end()
        await until_gone(kin)


async def test_ctrl_c_is_one_signal_to_each_worker(serve: Serve, postgresql: str) -> None:
    async with serve("--workers", "2", database_url=postgresql, listening=2) as serving:
        os.killpg(serving.process.pid, signal.SIGINT)  # as a terminal does
        assert await serving.end() == 0
        assert serving.log.count('"forced":false') == 2
        assert '"forced":true' not in serving.log


async def test_workers_that_cannot_start_say_why_once_each_and_end(serve: Serve, postgresql: str) -> None:
    nowhere = postgresql.replace(postgresql.rsplit("/", 1)[1].split("?")[0], "no_such_database")
    async with serve("--workers", "2", database_url=nowhere, listening=0) as serving:
        assert await serving.end() == 1
        assert 1 <= serving.log.count("STORE_UNAVAILABLE: ") <= 2
        assert "Traceback" not in serving.log


async def test_sqlite_has_one_worker(serve: Serve) -> None:
    async with serve("--workers", "2", listening=0) as serving:
        assert await serving.end() == 1
        assert "workers: more than one worker needs PostgreSQL" in serving.log


async def test_an_address_is_said_only_where_somebody_answers(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "in the way").write_text("", encoding="utf-8")
    async with serve(database_url=f"sqlite:///{tmp_path}/in the way/y.db", listening=0) as serving:
        assert await serving.end() == 1
        assert "http://" not in serving.log
    async with serve() as serving:
        assert serving.log.count("yimen: http://") == 1


@asynccontextmanager
async def department(tmp_path: Path) -> AsyncIterator[tuple[asyncio.Event, asyncio.Event]]:
    """A residence office that answers when the second event is set; the first says that it was asked."""
    asked, answer = asyncio.Event(), asyncio.Event()

    async def records(_: web.Request) -> web.Response:
        asked.set()
        await answer.wait()
        return web.json_response({"list": [{"djbh": "R1", "sfzh": PERSON["idNo"], "xm": PERSON["name"]}]})

    app = web.Application()
    app.router.add_get("/r", records)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    text = FEW.replace(
        'endpoint = "env:LGB_URL"', f'endpoint = "{url}"\nallow_plain_http = true\nlimits = {{ timeout_s = 9.0 }}'
    )
    (tmp_path / "manifests").mkdir(exist_ok=True)
    (tmp_path / "manifests" / "lgb.toml").write_text(text, encoding="utf-8")
    try:
        yield asked, answer
    finally:
        answer.set()
        await runner.cleanup()


async def in_care(store: Store) -> None:
    """The person has a case, and it is the asking organisation's."""
    (subject_id,) = await store.subjects.intern([PERSON["idNo"]])
    since = datetime(2026, 1, 1, tzinfo=UTC)
    await store.cases.declare([CaseEntry(CASE, subject_id), PartyEntry(CASE, "cc-jo-zumiao", Part.SUPERVISING, since)])


async def test_what_was_asked_before_sigterm_is_answered_whole(serve: Serve, tmp_path: Path) -> None:
    async with (
        department(tmp_path) as (asked, answer),
        serve(drain_s=15, limit_operation_deadline_s=10) as serving,
        issuing(serving.settings()) as parts,
        aiohttp.ClientSession(trust_env=False) as session,
    ):
        await in_care(parts.store)
        asker = await officer(parts)
        body, headers = {"query": QUERY, "variables": PERSON}, asker.headers("POST", f"{serving.url}/graphql")
        asking = asyncio.create_task(session.post(f"{serving.url}/graphql", json=body, headers=headers))
        async with asyncio.timeout(10):
            await asked.wait()
        serving.signal(signal.SIGTERM)
        await serving.until("draining")
        status, text = await get(serving)
        assert (status, "draining" in text) == (503, True)
        answer.set()
        async with await asking as reply:
            part = (await reply.json())["data"]["person"]["residence"]
        assert part == {"state": "FRESH", "best": {"regNo": "R1"}}
        assert await serving.end() == 0


async def test_sighup_reloads_at_once_and_a_bad_set_shows(serve: Serve, tmp_path: Path) -> None:
    async with serve() as serving:
        (tmp_path / "manifests" / "bad.toml").write_text("[source]\n", encoding="utf-8")
        assert "yimen_reload_failed 0.0" in (await get(serving, "/metrics"))[1]
        serving.signal(signal.SIGHUP)
        await serving.until("reload_refused")
        assert "yimen_reload_failed 1.0" in (await get(serving, "/metrics"))[1]
        (tmp_path / "manifests" / "bad.toml").unlink()
        serving.signal(signal.SIGHUP)
        await serving.until("reloaded")
        assert "yimen_reload_failed 0.0" in (await get(serving, "/metrics"))[1]
        serving.signal(signal.SIGINT)
        assert await serving.end() == 0


async def test_the_log_can_be_text(serve: Serve) -> None:
    async with serve(log_format="console", listening=0) as serving:
        async with asyncio.timeout(10):
            while "listening" not in serving.log:
                await asyncio.sleep(0.02)
        assert "[info     ] listening" in serving.log
        assert '{"event"' not in serving.log
        os.kill(serving.process.pid, signal.SIGTERM)
        assert await serving.end() == 0
