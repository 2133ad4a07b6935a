"""`python -m demo` as a visitor runs it: real processes, a real gateway, real answers, and nothing left behind."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from demo.answer import EXPECTED
from demo.places import Places
from demo.talk import NoAnswer, ask
from demo.visits import ask as visit
from tests.demo.running import ROOT, command, running_demo


def _all_gone(processes: list[psutil.Process], within_s: float = 15) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=within_s)
    return not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def test_once_answers_the_main_question_and_ends_with_0(tmp_path: Path) -> None:
    ran = subprocess.run(command(tmp_path, "--once"), cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for part in ("身份 identity: FRESH", "社会保险 insurance: FRESH", "安置帮教 aftercare: NOT_FOUND"):
        assert part in ran.stdout
    assert "440606199003070033" not in ran.stdout
    assert "顺达" not in ran.stdout.replace("佛山市顺德区顺达物流有限公司 kind=PENSION", "")
    assert not (tmp_path / "demo.json").exists()
    left = [
        process
        for process in psutil.process_iter(["cmdline"])
        if str(tmp_path) in " ".join(process.info["cmdline"] or ())
    ]
    assert left == []


def test_a_visitor_asks_switches_a_fault_and_puts_it_right(tmp_path: Path) -> None:
    places = Places(tmp_path)
    with running_demo(tmp_path) as (_, card, _processes):
        assert os.stat(places.card).st_mode & 0o777 == 0o600
        person = visit(places, card, "reception")["data"]["person"]
        assert {part: person[part]["state"] for part in EXPECTED} == EXPECTED
        switch = [sys.executable, "-m", "demo", "--var", str(tmp_path), "fault"]
        subprocess.run([*switch, "SB", "closed"], cwd=ROOT, check=True, timeout=20)
        began = time.monotonic()
        insurance = visit(places, card, "reception")["data"]["person"]["insurance"]
        assert (insurance["state"], insurance["reason"]) == ("UNAVAILABLE", "CLOSED")
        assert insurance["retryAt"]
        assert time.monotonic() - began < 2
        subprocess.run([*switch, "all", "none"], cwd=ROOT, check=True, timeout=20)
        for name in ("list", "cases", "catalogue"):
            assert not visit(places, card, name).get("errors"), name
        (lgb,) = [source["url"] for source in card["sources"] if source["code"] == "LGB"]
        assert ask(places, "GET", f"{lgb}/_counters")


def test_a_refusal_a_consent_and_a_second_application_are_each_one_command(tmp_path: Path) -> None:
    places = Places(tmp_path)

    def said(*words: str) -> str:
        command = [sys.executable, "-m", "demo", "--var", str(tmp_path), *words]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=90)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    with running_demo(tmp_path) as (_, card, _processes):
        refused = said("query", "refused")
        assert "规则 rules: no-ground" in refused
        assert "former" not in refused
        assert "FRESH" not in refused
        with pytest.raises(NoAnswer, match="has not asked"):
            visit(places, card, "bank")
        assert '"state": "PENDING"' in said("consent", "bank")
        with pytest.raises(NoAnswer, match="has not agreed"):
            visit(places, card, "bank")
        assert '"state": "GIVEN"' in said("consent", "bank", "--agree")
        answer = visit(places, card, "bank")
        (statement,) = answer["data"]["person"]["conductStatements"]["records"]
        assert statement["reportedOnTime"] is True
        assert "statement-consent" in answer["extensions"]["policy"]["rules"]
        assert "aidNo=禅法援" in said("query", "legalaid")
        assert "reportedOnTime=True" in said("query", "bank")
        assert "former-spouse" in said("watch")
        for kind in ("bank, to ask for consent", "neighbour's system"):
            command = [sys.executable, "-m", "gateway.cli", *shlex.split(card["tokens"][kind])[1:]]
            got = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=60)
            assert json.loads(got.stdout)["token_type"] == "DPoP", kind
        assert "officer-lin" in said("accounts")
        provider = ask(places, "GET", f"{card['oidc_provider']}/.well-known/openid-configuration")
        assert provider["issuer"] == card["oidc_provider"]
        for file in (*(tmp_path / "demo" / "keys").iterdir(), *(tmp_path / "demo" / "tokens").iterdir()):
            assert file.stat().st_mode & 0o077 == 0, file


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_running(tmp_path: Path, number: signal.Signals) -> None:
    if number is signal.SIGKILL and not sys.platform.startswith("linux"):
        pytest.skip("only Linux tells a child of its parent's death")
    with running_demo(tmp_path) as (demo, card, processes):
        assert len(processes) >= len({source["url"] for source in card["sources"]})
        demo.send_signal(number)
        assert demo.wait(timeout=30) in (0, -signal.SIGKILL)
        assert _all_gone(processes)
        assert number is signal.SIGKILL or not (tmp_path / "demo.json").exists()
