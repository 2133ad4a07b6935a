"""`yimen policy`: rules checked, tried, explained, compared and changed from the command line."""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path

import pytest

from gateway.bootstrap.policy_changes import APPROVER, OWNER
from gateway.cli import main
from gateway.clock import SystemClock
from gateway.policy.ruleset import SHIPPED
from gateway.services.identities import OfficerRecord
from gateway.settings import Settings
from gateway.store import open_store
from gateway.store.identities import StoredIdentities

OFFICERS = {"owner": OWNER, "approver": APPROVER, "both": "", "clerk": ""}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A gateway's settings with a database of its own, and officers."""
    (tmp_path / "manifests").mkdir()
    monkeypatch.setenv("YIMEN_DEMO", "true")
    monkeypatch.setenv("YIMEN_MANIFESTS_DIR", str(tmp_path / "manifests"))
    monkeypatch.setenv("YIMEN_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("YIMEN_DATABASE_URL", f"sqlite:///{tmp_path / 'yimen.db'}")

    async def by_login(_self: StoredIdentities, login: str) -> OfficerRecord | None:
        roles = frozenset({OWNER, APPROVER}) if login == "both" else frozenset({OFFICERS.get(login, "")})
        known = OfficerRecord(f"user-{login}", login, "agency", "CORRECTION_AGENCY", "440604", "", roles)
        return known if login in OFFICERS else None

    monkeypatch.setattr(StoredIdentities, "officer_by_login", by_login)
    return tmp_path


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    shutil.copytree(SHIPPED, tmp_path / "rules")
    return tmp_path / "rules"


def say(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main(["policy", *map(str, words)])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_the_shipped_rules_are_sound_and_bear_out_their_examples(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = say(capsys, "check")
    assert (code, "no fault" in out) == (0, True)
    code, out, _ = say(capsys, "test")
    assert code == 0
    found = re.search(r"(\d+) / (\d+)", out)
    assert found is not None
    assert found[1] == found[2]


def test_every_fault_comes_with_file_and_line(home: Path, rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (rules / "a.cedar").write_text("permit (")
    (rules / "b.cedar").write_text('\n@id("x") forbid (principal, action, resource);')
    code, _, err = say(capsys, "check", rules)
    assert code == 1
    assert "a.cedar:1: " in err
    assert "b.cedar:2: " in err


def test_an_example_the_rules_do_not_bear_out_is_shown(
    home: Path, rules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (rules / "60-location.cedar").read_text("utf-8")
    (rules / "60-location.cedar").write_text(text.replace(" && context.monitoringOrder };", " };", 1), "utf-8")
    code, out, _ = say(capsys, "test", rules)
    assert code == 1
    assert "the order has ended" in out
    assert "effect ALLOW, not WITHHOLD" in out


def test_a_decision_is_explained(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = "explain --kind COURT --purpose COURT_REVOCATION --item report.at --person caseLink=ORGANISATION casePart=DECIDING"
    code, out, _ = say(capsys, *words.split())
    assert code == 0
    assert "It would be given if revocation or recall were pending" in out
    code, _, err = say(capsys, "explain", "--kind", "COURT", "--person", "caselink=X")
    assert code == 1
    assert "explain needs --purpose, --item" in err


def test_a_change_takes_two_officers_and_is_shown_beforehand(
    home: Path, rules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (rules / "99.cedar").write_text(
        '@id("no-notes") @title_zh("小组记录不提供") @title_en("No team notes") @basis_zh("据") @basis_en("b")\n'
        'forbid (principal, action, resource == Item::"teamNote.author");',
        "utf-8",
    )
    code, out, _ = say(capsys, "diff", "in-force", rules)
    assert (code, "no-notes" in out) == (0, True)
    for stranger in ("clerk", "approver", "nobody"):
        assert say(capsys, "propose", rules, "--by", stranger)[0] == 1
    code, out, _ = say(capsys, "propose", rules, "--by", "both")
    assert code == 0
    found = re.search(r"approve (\S+)", out)
    assert found is not None
    proposal = found[1]
    for stranger in ("both", "owner", "clerk", "nobody"):
        assert say(capsys, "approve", proposal, "--by", stranger)[0] == 1
    assert "no-notes" not in say(capsys, "show")[1]
    assert say(capsys, "approve", proposal, "--by", "approver")[0] == 0
    assert say(capsys, "approve", proposal, "--by", "approver")[0] == 1
    assert "No team notes" in say(capsys, "show")[1]
    out = say(capsys, "list")[1]
    assert "proposed by user-both  批准 · approved by user-approver" in out
    assert "in force" in out


def test_rules_that_do_not_bear_out_their_examples_are_not_put_forward(
    home: Path, rules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (rules / "20-identity.cedar").unlink()
    code, _, err = say(capsys, "propose", rules, "--by", "owner")
    assert code == 1
    assert "example 1:" in err


def test_what_was_never_recorded_cannot_be_made_again(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert say(capsys, "replay", "no-such")[0] == 1
    assert say(capsys, "diff", "shipped", "no-such-set")[0] == 1


def test_a_set_put_forward_before_something_joined_that_it_does_not_fit_is_not_approved(
    home: Path, rules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = say(capsys, "propose", rules, "--by", "owner")[1]
    proposal = re.search(r"approve (\S+)", out)
    assert proposal is not None
    (home / "manifests" / "policies").mkdir()
    (home / "manifests" / "policies" / "x.cedar").write_text("permit (")
    assert say(capsys, "approve", proposal[1], "--by", "approver")[0] == 1
    shutil.rmtree(home / "manifests" / "policies")

    async def in_force() -> object:
        store = await open_store(Settings.from_process(), SystemClock())
        try:
            return await store.policies.in_force()
        finally:
            await store.close()

    assert asyncio.run(in_force()) is None
