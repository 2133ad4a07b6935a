"""docs/guides/audit.md says what the tool says and does."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from ledger.audit.command import main
from ledger.audit.findings import Fault
from tests.ledger.audit.logs import Files, policy_text
from tests.ledger.audit.serving import serving

GUIDE = (Path(__file__).parents[3] / "docs/guides/audit.md").read_text(encoding="utf-8")


def test_every_finding_is_explained_and_no_other() -> None:
    table = GUIDE.partition("## 4.")[2].partition("## 5.")[0]
    assert set(re.findall(r"`([A-Z_]{6,})`", table)) == {one.value for one in Fault}


def test_every_command_in_it_can_be_run(log: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a log of ours in place of the example's; the evidence bundle has a test of its own."""
    monkeypatch.chdir(tmp_path)
    Path("agencies.policy").write_text(policy_text())
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)).replace("\\\n", " ")
    lines = [line for line in blocks.splitlines() if line and "evidence.json" not in line]
    assert len(lines) == 5
    with serving(log.path) as served:
        for line in lines:
            words = shlex.split(re.sub(r"https://\S+", served.url, line).partition(" > ")[0])
            assert words[:3] == ["python3", "-I", "yimen-auditor.pyz"]
            assert main(words[3:]) == 0, line
