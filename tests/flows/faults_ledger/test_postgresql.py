"""The same hands on PostgreSQL: yesterday's copy and an edited entry stop the gateway, and an auditor names what was done."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from tests.flows.faults_ledger.administrator import Administrator, another
from tests.flows.faults_ledger.scene import ASKED, WHOM, alarms, answers_nothing, covered, fill, refuses, until
from tests.flows.faults_ledger.serving import auditor_of
from tests.flows.house import House
from tests.flows.sealed_house import Five, five

pytestmark = pytest.mark.anyio


@pytest.fixture
async def witnesses(tmp_path: Path) -> AsyncIterator[Five]:
    async with five(tmp_path) as found:
        yield found


async def asked(house: House) -> None:
    assert (await house.ask(ASKED, WHOM))["data"] is not None
    await covered(house.gateway.store)


async def copied(url: str, name: str) -> str:
    """The URL of a copy, as a backup restored beside it."""
    source = make_url(url)
    server = source.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    async with await psycopg.AsyncConnection.connect(server, autocommit=True) as admin:
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE {source.database}")  # type: ignore[call-overload]
    return source.set(database=name).render_as_string(hide_password=False)


async def test_yesterdays_copy_and_an_edited_entry(witnesses: Five, postgresql: str, tmp_path: Path) -> None:
    await witnesses.introduce(database_url=postgresql)
    async with witnesses.house(database_url=postgresql) as house:
        await fill(house.gateway.store, 20)
        await asked(house)
    yesterday = await copied(postgresql, f"{make_url(postgresql).database}_yesterday")
    async with witnesses.house(database_url=postgresql) as house:
        await asked(house)
        (shard,) = await house.gateway.store.ledger.shards()
        auditor = await auditor_of(witnesses, await house.gateway.store.ledger.keys(shard.shard), tmp_path / "auditor")
        said = await auditor.audit(f"{house.url}/ledger/{shard.shard}")
        assert said.code == 0, said.report
        one = Administrator(house.gateway.store, shard.shard)
    async with witnesses.house(database_url=yesterday) as house:
        assert house.gateway.ledger.status.halted == "WITNESS_AHEAD"
        await answers_nothing(house)
        assert all((await alarms(house)).values())
        said = await auditor.audit(f"{house.url}/ledger/{shard.shard}")
        assert (said.code, said.faults[0][0]) == (1, "ROLLED_BACK")

    async with witnesses.house(database_url=postgresql) as house:
        one = Administrator(house.gateway.store, shard.shard)
        await one.edit(5)  # while it runs
        await asked(house)
        said = await auditor.audit(f"{house.url}/ledger/{shard.shard}")
        assert (said.code, said.faults[0]) == (1, ("EDITED_ENTRY", 5)), said.report
    async with witnesses.house(database_url=postgresql) as house:
        assert house.gateway.ledger.status.halted == "STORE_DAMAGED"
        await answers_nothing(house)
        ((_, _, exhibit),) = await house.gateway.store.ledger.exhibits(10)
        assert "EDITED_ENTRY" in exhibit.documents["found"]
        assert " 5 " in exhibit.documents["found"]


async def test_history_rewritten_under_a_running_gateway_stops_it(witnesses: Five, postgresql: str) -> None:
    await witnesses.introduce(database_url=postgresql)
    async with witnesses.house(database_url=postgresql) as house:
        await fill(house.gateway.store, 20)
        await asked(house)
        shard = str(house.gateway.ledger.status.shard)
        one = Administrator(house.gateway.store, shard)
        await one.rewrite(
            lambda rows: [(id_, another(entry) if at == 5 else entry) for at, (id_, entry) in enumerate(rows)]
        )
        await house.ask(ASKED, WHOM)

        async def halted() -> str | None:
            return house.gateway.ledger.status.halted

        assert await until(halted) == "TREE_DIFFERS"
        await until(lambda: refuses(house))  # from the moment the halt is committed, which is a moment later
        await answers_nothing(house)
        ((_, _, exhibit), *_) = await house.gateway.store.ledger.exhibits(10)
        assert {"shown", "ours", "sent"} <= exhibit.documents.keys()
