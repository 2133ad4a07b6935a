"""A log's own words reach a terminal as words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ledger.audit.command import main
from ledger.audit.plain import plain
from ledger.checkpoint import Checkpoint
from ledger.merkle import EMPTY_ROOT
from ledger.note import ED25519, Signer, sign_note

NAME = "evil\u009b31m\u202egro.x"
SHOWN = r"evil\u009b31m\u202egro.x"


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    signer = Signer(NAME, ED25519, bytes(32))
    (tmp_path / "checkpoint").write_bytes(bytes(sign_note(Checkpoint(NAME, 0, EMPTY_ROOT).text, [signer])))
    (tmp_path / "policy").write_text(f"log {signer.key}\nquorum none\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("quiet", [[], ["--json"]])
@pytest.mark.parametrize("command", ["checkpoint", "audit"])
def test_nothing_a_log_says_commands_the_terminal(
    evil: Path, capsys: pytest.CaptureFixture[str], command: str, quiet: list[str]
) -> None:
    main([command, str(evil), "--policy", str(evil / "policy"), *quiet])
    said = "".join(capsys.readouterr())
    assert SHOWN in said
    assert plain(said) == said
    if quiet:
        assert json.loads(said)["origin"] == NAME  # for programs it is the same


def test_words_in_two_languages_stay_as_they_are() -> None:
    assert plain("核验通过，没有发现问题。\nverified 甲—乙 é 𠮷\n") == "核验通过，没有发现问题。\nverified 甲—乙 é 𠮷\n"
