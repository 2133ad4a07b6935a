"""`yimen persons erase`: asks for whom and whether, and prints what can be shown for it."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.clock import SystemClock
from gateway.settings import Settings
from gateway.store import open_store

ZHANG = "440606199003070017"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("YIMEN_DEMO", "true")
    monkeypatch.setenv("YIMEN_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("YIMEN_DATABASE_URL", f"sqlite:///{tmp_path / 'yimen.db'}")
    return tmp_path


async def known(name: str | None) -> tuple[bool, str]:
    """Whether anything is remembered of the person, and their pid; remembers `name` first."""
    store = await open_store(Settings.from_process(), SystemClock())
    try:
        (who,) = await store.subjects.intern([ZHANG])
        if name is not None:
            await store.subjects.remember(who, ZHANG, name)
        return await store.subjects.reveal(who) is not None, store.subjects.pid(who, "SFJ")
    finally:
        await store.close()


def say(monkeypatch: pytest.MonkeyPatch, typed: str, *words: str) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    return main(["persons", "erase", *words])


def test_by_number_it_asks_once_more_and_prints_a_certificate(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(known("张三"))
    for refused in ("", "no\n", "yes\n"):
        assert say(monkeypatch, f"{ZHANG}\n{refused}", "--reason", "file-7") == 1
    assert asyncio.run(known(None))[0]
    capsys.readouterr()
    assert say(monkeypatch, f"{ZHANG}\nerase\n", "--reason", "file-7") == 0
    told = capsys.readouterr()
    certificate = json.loads(told.out)
    assert certificate["format"] == "yimen-erasure/v1"
    assert certificate["done"]
    assert ZHANG not in told.out + told.err
    assert not asyncio.run(known(None))[0]
    assert say(monkeypatch, f"{ZHANG}\n", "--reason", "file-7", "--yes") == 0
    assert json.loads(capsys.readouterr().out)["entry"] == certificate["entry"]


def test_by_pid_it_is_the_organisations_own_word_for_them(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, pid = asyncio.run(known("张三"))
    assert say(monkeypatch, "", "--reason", "file-7", "--yes", "--pid", pid, "--org", "GA") == 1
    assert say(monkeypatch, "", "--reason", "file-7", "--yes", "--pid", pid) == 1
    assert asyncio.run(known(None))[0]
    assert say(monkeypatch, "", "--reason", "file-7", "--yes", "--pid", pid, "--org", "SFJ") == 0
    assert not asyncio.run(known(None))[0]


@pytest.mark.parametrize("reason", [f"about {ZHANG}", "two\nlines"])
def test_a_reason_says_nothing_about_the_person(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], reason: str
) -> None:
    asyncio.run(known("张三"))
    assert say(monkeypatch, f"{ZHANG}\n", "--reason", reason, "--yes") == 1
    assert ZHANG not in capsys.readouterr().err
    assert asyncio.run(known(None))[0]


@pytest.mark.parametrize("typed", ["", "\n", "12345\n", "440606199003070018\n"])
def test_what_is_no_number_erases_nobody(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str
) -> None:
    asyncio.run(known("张三"))
    assert say(monkeypatch, typed, "--reason", "file-7", "--yes") == 1
    assert "ID_NO_INVALID" in capsys.readouterr().err


def test_somebody_never_heard_of_is_said_to_be(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert say(monkeypatch, f"{ZHANG}\n", "--reason", "file-7", "--yes") == 1
    assert "SUBJECT_UNKNOWN" in capsys.readouterr().err
