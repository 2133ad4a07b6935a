"""The whole of it, as a visitor sees it: four of five seal a receipt, three leave it provisional, and it is sealed once they are back."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from demo.places import Places
from demo.talk import ask
from demo.visits import ask as visit
from ledger.note import parse_note
from ledger.policy import parse_policy, verify_checkpoint
from tests.demo.running import ROOT, running_demo


def receipt_of(places: Places, card: dict[str, Any], receipt: dict[str, Any], level: str) -> dict[str, Any]:
    """The receipt once it has come so far."""
    deadline = time.monotonic() + 40
    while True:
        found: dict[str, Any] = ask(places, "GET", f"{card['gateway']}{receipt['proof']}")
        if found.get("level") == level:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def witness(places: Places, *words: str) -> str:
    command = [sys.executable, "-m", "demo", "--var", str(places.var), "witness", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout


def test_a_receipt_is_sealed_by_four_and_provisional_with_three(tmp_path: Path) -> None:
    places = Places(tmp_path)
    with running_demo(tmp_path) as (_, card, _processes):
        policy = parse_policy(Path(card["ledger_policy"]).read_text("utf-8"))
        sealed = receipt_of(places, card, visit(places, card, "reception")["extensions"]["receipt"], "SEALED")
        believed = verify_checkpoint(parse_note(sealed["checkpoint"].encode()), policy)
        assert believed.satisfied
        assert believed.checkpoint.origin.startswith("chancheng.example/ledger/20")

        assert witness(places, "stop", "GA", "JCY").count("停 stopped") == 2
        receipt = visit(places, card, "reception")["extensions"]["receipt"]
        included = receipt_of(places, card, receipt, "INCLUDED")
        deadline = time.monotonic() + 40
        while len(included["witnesses"]) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.1)
            included = ask(places, "GET", f"{card['gateway']}{receipt['proof']}")
        assert included["level"] == "INCLUDED"
        assert {one["name"] for one in included["witnesses"]} == {"FY", "SFJ", "JY"}
        assert not verify_checkpoint(parse_note(included["checkpoint"].encode()), policy).satisfied

        assert "停" not in witness(places, "start", "all")
        again = receipt_of(places, card, receipt, "SEALED")
        assert verify_checkpoint(parse_note(again["checkpoint"].encode()), policy).satisfied
        assert again["index"] == included["index"]
