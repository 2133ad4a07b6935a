"""`yimen limits`, and the limits as composition puts them together."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.bootstrap.limits import client_limits, flood_evidence
from gateway.caller import Caller, CallerKind
from gateway.cli import main
from gateway.clock import SystemClock
from gateway.errors import RequestRefused
from gateway.settings import Settings
from gateway.store import open_store
from tests.gateway.store.test_floods import recorded, refusal

BANK = Caller(
    "bank-1", "FS-BANK", "BANK", frozenset(), "t", datetime.now(UTC) + timedelta(days=1),
    kind=CallerKind.PARTNER, client_id="bank-1",
)  # fmt: skip


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("YIMEN_DEMO", "true")
    monkeypatch.setenv("YIMEN_STATE_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("YIMEN_DATABASE_URL", f"sqlite:///{tmp_path}/y.db")
    return Settings.from_process()


async def scrape(settings: Settings) -> str:
    store = await open_store(settings, SystemClock())
    limits = client_limits(store, settings, SystemClock())
    try:
        await limits.note(BANK, [f"s{number}" for number in range(40)], [], denied=False)
        await limits.admit(BANK, 1)
    except RequestRefused as refused:
        return refused.code
    finally:
        await store.close()
    return "OK"


def test_an_operator_sees_a_suspension_reads_its_evidence_and_lifts_it(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["limits", "list"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["limits", "lift", "bank-1"]) == 1
    assert asyncio.run(scrape(settings)) == "CLIENT_SUSPENDED"
    capsys.readouterr()
    assert main(["limits", "list"]) == 0
    assert "bank-1 FS-BANK LOW_HIT_RATE" in capsys.readouterr().out
    assert main(["limits", "pack", "bank-1"]) == 0
    (pack,) = json.loads(capsys.readouterr().out)
    assert (pack["rule"], pack["counts"][0]["misses"], pack["events"]["count"]) == ("LOW_HIT_RATE", 40, 0)
    assert main(["limits", "lift", "bank-1"]) == 0
    capsys.readouterr()
    assert main(["limits", "list"]) == 0
    assert "lifted" in capsys.readouterr().out


def test_a_clients_own_figures_are_set_and_unset(settings: Settings) -> None:
    async def admitted() -> int:
        store = await open_store(settings, SystemClock())
        limits = client_limits(store, settings, SystemClock())
        number = 0
        try:
            while number < 20:
                await limits.admit(BANK, 1)
                number += 1
        except RequestRefused:
            pass
        finally:
            await store.close()
        return number

    assert main(["limits", "set", "bank-1", "--requests-per-minute", "24"]) == 0
    assert asyncio.run(admitted()) == 2
    assert main(["limits", "set", "bank-1", "--requests-per-minute", "0"]) == 0
    assert asyncio.run(admitted()) == 20
    with pytest.raises(SystemExit):
        main(["limits", "set", "bank-1", "--requests-per-minute", "-1"])


def test_what_was_counted_when_a_process_ends_is_recorded_by_the_next(settings: Settings) -> None:
    async def flood() -> None:
        store = await open_store(settings, SystemClock())
        async with flood_evidence(store, SystemClock()) as evidence:
            for _ in range(12):
                await evidence.record(refusal())
        await store.close()

    class Later(SystemClock):
        def now(self) -> datetime:
            return super().now() + timedelta(minutes=10)

    async def look() -> list[int]:
        store = await open_store(settings, Later())
        async with flood_evidence(store, Later()) as evidence:
            await evidence.flush()
        repeats = [row.repeats for row in await recorded(store)]
        await store.close()
        return repeats

    asyncio.run(flood())
    assert asyncio.run(look()) == [1, 1, 1, 1, 1, 7]
