"""Witnesses must know a log's key before they see its first checkpoint, so it can be had before the gateway ever ran."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cli import main
from ledger.policy import parse_policy


def test_the_key_is_there_before_the_first_start_and_stays_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("YIMEN_DEMO", "true")
    monkeypatch.setenv("YIMEN_STATE_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("YIMEN_DATABASE_URL", f"sqlite:///{tmp_path}/y.db")
    monkeypatch.setenv("YIMEN_LEDGER_ORIGIN", "gw.example/ledger")
    said = []
    for _ in range(2):
        assert main(["ledger", "vkeys"]) == 0
        said.append(capsys.readouterr().out)
    (log,) = parse_policy(said[0]).logs
    assert log.key.name.startswith("gw.example/ledger/20")
    assert said[0] == said[1]
