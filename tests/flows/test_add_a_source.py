"""docs/guides/add-a-source.md, executed as it stands: a land registry joins a running gateway without any Python."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from gateway.bootstrap.sources import check_manifests
from tests.flows.house import House, house

pytestmark = pytest.mark.anyio
GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "add-a-source.md"
PERSON = {"idNo": "440606199003070017", "name": "张三"}


def blocks() -> dict[str, str]:
    """The guide's files by name."""
    found = re.findall(r"```\w+ file=(\S+)\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    return dict(found)


@asynccontextmanager
async def registry(token: str) -> AsyncIterator[tuple[str, list[str]]]:
    """The made-up department the guide speaks of."""
    parcel = json.loads(re.search(r"```json\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL).group(1))  # type: ignore[union-attr]
    asked: list[str] = []

    async def parcels(request: web.Request) -> web.Response:
        asked.append(request.path_qs)
        if request.headers.get("authorization") != f"Bearer {token}":
            return web.json_response({"code": "4010"}, status=401)
        known = request.query.get("cert") == parcel["list"][0]["zjh"]
        return web.json_response(parcel if known else {"code": "1404"})

    app = web.Application()
    app.router.add_get("/api/parcels", parcels)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    finally:
        await runner.cleanup()


def join(directory: Path) -> None:
    """Steps 1 and 2 of the guide; the manifest goes last, as one rename."""
    files = blocks()
    (directory / "policy").mkdir(exist_ok=True)
    (directory / "policy" / "land.toml").write_text(files["policy/land.toml"], encoding="utf-8")
    (directory / "land.tmp").write_text(files["land.toml"], encoding="utf-8")
    (directory / "land.tmp").rename(directory / "land.toml")


async def until(running: House, wanted: bool) -> dict[str, Any]:
    """The answer once the schema has (or no longer has) the noun."""
    async with asyncio.timeout(10):
        while True:
            answer = await running.ask(blocks()["query.graphql"], PERSON)
            if ("errors" not in answer) == wanted:
                return answer
            await asyncio.sleep(0.05)


async def test_a_department_joins_and_leaves_by_manifest_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    async with registry("land-token") as (url, asked):
        monkeypatch.setenv("BDC_URL", url)
        monkeypatch.setenv("BDC_TOKEN", "land-token")
        async with house(manifests, tmp_path) as running:
            await until(running, wanted=False)
            join(manifests)
            assert await check_manifests(manifests, probe=True) == 0
            assert re.search(r"BDC.*\n\s+landParcel.*FOUND", capsys.readouterr().out)

            data = (await until(running, wanted=True))["data"]
            assert data == json.loads(blocks()["answer.json"]) | {"person": data["person"]}
            part = data["person"]["landParcels"]
            assert part.pop("asOf") < "2999"
            assert part == json.loads(blocks()["answer.json"])["person"]["landParcels"]

            asked.clear()
            await running.data(blocks()["query.graphql"], PERSON)
            assert len(asked) == 1, "one person, one noun, one call"

            nobody = await running.data(blocks()["query.graphql"], {"idNo": "440606199003070033", "name": "张三"})
            assert nobody["person"]["landParcels"]["state"] == "NOT_FOUND"
            (manifests / "land.toml").unlink()
            (manifests / "policy" / "land.toml").unlink()
            await until(running, wanted=False)


async def test_a_bad_reload_keeps_the_old_set_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    join(manifests)
    async with registry("land-token") as (url, _):
        monkeypatch.setenv("BDC_URL", url)
        monkeypatch.setenv("BDC_TOKEN", "land-token")
        async with house(manifests, tmp_path) as running:
            (manifests / "bad.toml").write_text('[source]\ncode = "X"\nkind = "rest"\n', encoding="utf-8")
            async with asyncio.timeout(10):
                while running.gateway.snapshots.fault is None:
                    await asyncio.sleep(0.02)
            assert "bad.toml:" in running.gateway.snapshots.fault
            data = await running.data(blocks()["query.graphql"], PERSON)
            assert data["landParcel"]["state"] == "FRESH"


async def test_a_department_that_is_gone_is_never_an_absence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    join(manifests)
    async with registry("land-token") as (url, _):
        monkeypatch.setenv("BDC_URL", url)
        monkeypatch.setenv("BDC_TOKEN", "land-token")
    async with house(manifests, tmp_path) as running:
        data = await running.data(blocks()["query.graphql"], PERSON)
        assert data["landParcel"]["state"] == "UNAVAILABLE"
