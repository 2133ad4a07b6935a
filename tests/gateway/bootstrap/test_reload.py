"""What a process answers with is visible from outside, and a bad set of files shows there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.flows.house import House, house

pytestmark = pytest.mark.anyio

FEW = """
[source]
code = "LGB"
title = { zh = "流管办", en = "Residence office" }
kind = "rest"
endpoint = "env:LGB_URL"
[catalogue]
provider = { zh = "流管办", en = "Residence office" }
items = { zh = "居住登记", en = "Residence" }
update_cycle = "DAILY"
share_class = "U"
[[answers]]
noun = "residence"
by = ["idNo", "name"]
record_id = "djbh"
subject = { id_no = "sfzh", name = "xm" }
[answers.request]
mode = "key"
method = "GET"
path = "/r"
query = { sfzh = "{idNo}" }
rows = "list"
[answers.fields]
regNo = "djbh"
"""


async def shown(running: House) -> dict[str, str]:
    """The lines of /metrics about the set in force."""
    async with running.session.get(f"{running.url}/metrics") as reply:
        lines = (await reply.text()).splitlines()
    return dict(
        line.rsplit(" ", 1) for line in lines if line.startswith(("yimen_snapshot_info", "yimen_reload_failed"))
    )


async def until(running: House, failed: str) -> dict[str, str]:
    async with asyncio.timeout(5):
        while (found := await shown(running))["yimen_reload_failed"] != failed:
            await asyncio.sleep(0.02)
    return found


async def test_the_version_in_the_metrics_is_the_one_in_the_answers(tmp_path: Path) -> None:
    async with house(tmp_path, tmp_path) as running:
        answer = await running.ask("{ purposes { code } }")
        version = answer["extensions"]["snapshot"]
        assert await shown(running) == {
            f'yimen_snapshot_info{{version="{version}"}}': "1.0",
            "yimen_reload_failed": "0.0",
        }


async def test_a_reference_that_leads_nowhere_is_a_refused_reload_and_not_the_last_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    monkeypatch.setenv("LGB_URL", "https://127.0.0.1:9")
    async with house(manifests, tmp_path) as running:
        before = await until(running, "0.0")
        (manifests / "lgb.toml").write_text(FEW.replace("LGB_URL", "NOBODY_SET_THIS"), encoding="utf-8")
        assert (await until(running, "1.0")).keys() == before.keys()
        (manifests / "lgb.toml").write_text(FEW, encoding="utf-8")
        assert (await until(running, "0.0")).keys() != before.keys()


async def test_asked_for_it_reads_files_that_did_not_change(tmp_path: Path) -> None:
    async with house(tmp_path, tmp_path) as running:
        snapshots = running.gateway.snapshots
        before = snapshots.current
        assert not await snapshots.reload()
        assert await snapshots.reload(asked=True)
        assert snapshots.current is not before
        assert snapshots.current.snapshot.version == before.snapshot.version
