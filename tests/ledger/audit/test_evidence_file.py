"""An evidence bundle in the auditor's hands: what is said of it, in words and to programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ledger.audit.command import main
from ledger.audit.proving import prove
from ledger.audit.source import Directory
from ledger.encoding import b64
from ledger.entry import Entry, canonical, commit
from ledger.evidence import Disclosed, Evidence, blind
from tests.ledger.audit.logs import Files, entries, policy_text

ROOT = Path(__file__).parents[3]
SALT, PART, RESULT = bytes([1]) * 32, bytes([2]) * 32, bytes([3]) * 32
BY = {"user": "u1", "grant": "g1"}
ANSWER = b'{"data":{}}'
RECORD = {
    "v": 1, "type": "access", "id": "e1", "decision": "ALLOW", "org": "GA", "by": blind(PART, BY),
    "recorded_at": "2026-05-06T07:08:09.000001Z",
    "case": blind(bytes(32), "c1"), "result": b64(commit(RESULT, ANSWER)), "subjects": [],
}  # fmt: skip


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    at = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
    entry = bytes(Entry("query", "GA", at, commit(SALT, canonical(RECORD))))
    log = Files(tmp_path / "log", [*entries(400), entry, *entries(30)]).publish()
    proof, _ = prove(Directory(log.path), 400)
    made = Evidence(entry, RECORD, SALT, proof, {"by": Disclosed(PART, BY)}, RESULT, policy_text())
    Path("policy").write_text(policy_text())
    Path("answer").write_bytes(ANSWER)
    Path("bundle").write_bytes(bytes(made))
    return Path("bundle")


def test_it_proves_what_was_recorded_and_who_saw_it(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "bundle", "--policy", "policy", "--answer", "answer"]) == 0
    said = capsys.readouterr().out
    for part in ("entry 400 of the log", "witnesses cosigned it: ga, jcy, fy, sfj, jy", "2026-05-06T07:08:09Z, GA, kind query",
                 "to the letter", "committed to: by", "is the one recorded", "stay blinded: case", "is true; only that"):  # fmt: skip
        assert part in said
    assert "没有给出策略" not in said


def test_without_an_answer_it_says_nothing_of_the_answer(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "bundle", "--policy", "policy", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["index"], said["answerChecked"], said["blind"], said["disclosed"]) == (
        400,
        False,
        ["case"],
        {"by": BY},
    )


def test_keys_out_of_the_file_itself_are_not_believed(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "bundle"]) == 3
    assert "the keys came from the file itself" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new"), [("u1", "u2"), ('"GA"', '"GB"'), ("ALLOW", "DENY!"), ("index 400", "index 401")]
)
def test_a_changed_bundle_proves_nothing(bundle: Path, old: str, new: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = bundle.read_text()
    assert old in text
    bundle.write_text(text.replace(old, new))
    assert main(["verify", "bundle", "--policy", "policy"]) == 1
    assert "this file proves nothing" in capsys.readouterr().out


def test_another_answer_is_not_the_one_recorded(bundle: Path) -> None:
    Path("answer").write_bytes(ANSWER + b" ")
    assert main(["verify", "bundle", "--policy", "policy", "--answer", "answer"]) == 1


def _page(*held: str) -> bytes:
    scripts = "".join(f'<script type="application/json" id="evidence">{one}</script>' for one in held)
    return f"\n<!doctype html>\n<html><p>any words</p>{scripts}</html>".encode()


def test_the_page_for_people_is_read_too(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("page.html").write_bytes(_page(bundle.read_text().replace("<", "\\u003c")))
    assert main(["verify", "page.html", "--policy", "policy", "--answer", "answer"]) == 0
    said = capsys.readouterr().out
    assert "entry 400 of the log" in said
    assert "the words on the page were not checked" in said


def test_a_page_with_a_changed_record_proves_nothing(bundle: Path) -> None:
    Path("page.html").write_bytes(_page(bundle.read_text().replace("u1", "u2")))
    assert main(["verify", "page.html", "--policy", "policy"]) == 1


@pytest.mark.parametrize("times", [0, 2])
def test_a_page_holds_its_evidence_once(bundle: Path, times: int, capsys: pytest.CaptureFixture[str]) -> None:
    Path("page.html").write_bytes(_page(*[bundle.read_text()] * times))
    assert main(["verify", "page.html", "--policy", "policy"]) == 1
    assert "holds it once" in capsys.readouterr().out


def test_of_what_had_no_answer_no_answer_is_spoken_of(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = {"v": 1, "type": "change", "id": "c1", "kind": "CONSENT_GIVEN", "org": "", "subject": None}
    record["at"] = "2026-05-06T00:00:00.000001Z"
    entry = bytes(Entry("consent", "person", datetime(2026, 5, 6, tzinfo=UTC), commit(SALT, canonical(record))))
    log = Files(tmp_path / "other", [*entries(3), entry]).publish()
    proof, _ = prove(Directory(log.path), 3)
    bundle.write_bytes(bytes(Evidence(entry, record, SALT, proof)))
    assert main(["verify", "bundle", "--policy", "policy"]) == 0
    said = capsys.readouterr().out
    assert "kind consent" in said
    assert "answer" not in said


def test_whoever_stops_reading_is_not_shown_a_traceback(bundle: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "ledger",
        "verify",
        str(bundle.absolute()),
        "--policy",
        str(Path("policy").absolute()),
    ]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (3, b"")
