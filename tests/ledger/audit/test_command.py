"""`python -m ledger` as somebody types it."""

from __future__ import annotations

import json
import re
import string
from pathlib import Path

import pytest

from ledger.audit import texts
from ledger.audit.command import main
from ledger.audit.findings import Fault, Outcome
from ledger.merkle import leaf_hash
from ledger.proof import parse_proof, verify_proof
from tests.ledger.audit.logs import AGENCIES, LOG, WITNESSES, Files, entry, policy, policy_text


class Shell:
    """Runs a command in `folder` and keeps what it said."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self.out = self.err = ""

    def __call__(self, *words: object) -> int:
        try:
            code = main([str(word) for word in words])
        except SystemExit as ended:
            code = int(ended.code or 0)
        self.out, self.err = self._capsys.readouterr()
        return code

    @property
    def json(self) -> dict[str, object]:
        said = json.loads(self.out)
        assert isinstance(said, dict)
        return said


@pytest.fixture
def shell(tmp_path: Path, log: Files, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy").write_text(policy_text())
    return Shell(tmp_path, capsys)


def test_all_is_well_in_words_in_both_languages(shell: Shell) -> None:
    assert shell("audit", "log", "--policy", "policy") == 0
    assert "核验通过" in shell.out
    assert "700 entries; 700 read" in shell.out
    assert "jcy (2025-12-29T09:20:00Z)" in shell.out
    assert shell.err == ""
    assert shell("audit", "log", "--policy", "policy", "--quiet") == 0
    assert shell.out == ""


def test_the_first_bad_entry_is_named_and_kept_as_an_exhibit(shell: Shell, log: Files) -> None:
    shell("audit", "log", "--policy", "policy", "--state", "s")
    log.held[512] = entry(512, actor="ZZ")
    log.publish()
    assert shell("audit", "log", "--policy", "policy", "--state", "s", "--quiet", "--exhibit", "x") == 1
    assert "entry 512 (rewritten history):" in shell.out
    assert "第 512 条（历史被改写）：" in shell.out
    assert shell("verify", "x", "--policy", "policy") == 1
    assert "the log signed two roots for the same number of entries" in shell.out
    assert shell("verify", "x") == 2


def test_an_exhibit_whose_notes_do_not_contradict_each_other_says_so(shell: Shell, log: Files) -> None:
    log.held[512] = entry(512, actor="ZZ")
    log.write_bundles()
    assert shell("audit", "log", "--policy", "policy", "--json") == 1
    assert shell("verify", str(shell.json["exhibit"]), "--policy", "policy", "--json") == 3


def test_json_says_the_same(shell: Shell, log: Files) -> None:
    log.held[512] = entry(512, actor="ZZ")
    log.write_bundles()
    assert shell("audit", "log", "--policy", "policy", "--json") == 1
    said = shell.json
    assert (said["outcome"], said["exit"], said["size"], said["stateKept"]) == ("TAMPERED", 1, 700, False)
    [finding] = said["findings"]  # type: ignore[misc]
    assert (finding["fault"], finding["first"], finding["last"]) == ("EDITED_ENTRY", 512, None)
    assert finding["en"].startswith("entry 512 (edited entry): ")


def test_entries_are_listed_where_asked_for(shell: Shell) -> None:
    assert shell("audit", "log", "--policy", "policy", "--quiet", "--entries") == 0
    lines = shell.out.splitlines()
    assert len(lines) == 700
    assert lines[1] == "1\t2026-01-02T03:04:12Z\trefusal\tGA"


def test_keys_alone_will_do_for_a_policy(shell: Shell, log: Files) -> None:
    witnesses = [word for one in WITNESSES for word in ("--witness-vkey", one.key)]
    assert shell("audit", "log", "--log-vkey", LOG.key, *witnesses, "--quorum", 4) == 0
    log.witnesses = WITNESSES[:4]
    log.publish()
    assert shell("audit", "log", "--log-vkey", LOG.key, *witnesses, "--quorum", 4) == 0
    assert shell("audit", "log", "--log-vkey", LOG.key, *witnesses) == 1
    assert "jy.example/w" in shell.out
    assert shell("audit", "log", "--log-vkey", LOG.key) == 0


@pytest.mark.parametrize(
    "words",
    [
        [], ["audit"], ["audit", "log"], ["audit", "log", "--policy", "none"], ["audit", "log", "--log-vkey", "x"],
        ["audit", "ftp://x", "--policy", "policy"], ["audit", "log", "--policy", "policy", "--full", "--new"],
        ["prove", "log"], ["prove", "log", "x"], ["verify", "none", "--policy", "policy"], ["nonsense"],
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_said_to_make_none(shell: Shell, words: list[str]) -> None:
    assert shell(*words) == 2
    assert shell.err
    assert "Traceback" not in shell.err


@pytest.mark.parametrize(
    "words", [["--help"], *([name, "--help"] for name in ("audit", "prove", "verify", "checkpoint"))]
)
def test_help_is_a_manual_in_both_languages(shell: Shell, words: list[str]) -> None:
    assert shell(*words) == 0
    assert re.search("[一-鿿]", shell.out)
    assert len(shell.out.splitlines()) > 12


@pytest.mark.parametrize("index", [0, 255, 256, 511, 512, 699])
def test_a_proof_is_one_that_verifies(shell: Shell, log: Files, index: int) -> None:
    assert shell("prove", "log", index, "--out", "p", "--entry-out", "e", "--policy", "policy") == 0
    assert Path("e").read_bytes() == log.held[index]
    proof = parse_proof(Path("p").read_bytes())
    verify_proof(proof, leaf_hash(log.held[index]), policy())
    assert shell("verify", "p", "--entry", "e", "--policy", "policy") == 0
    assert f"entry {index} of the log" in shell.out
    assert "does not prove" in shell.out
    assert shell("verify", "p", "--entry", log.held[index].decode(), "--policy", "policy", "--json") == 0
    assert shell.json["witnesses"] == dict.fromkeys(AGENCIES, 1_767_000_000)
    assert shell("prove", "log", index) == 0
    assert parse_proof(shell.out.encode()) == proof


def test_a_proof_proves_nothing_else(shell: Shell, log: Files) -> None:
    shell("prove", "log", 5, "--out", "p", "--entry-out", "e")
    assert shell("verify", "p", "--entry", log.held[6].decode(), "--policy", "policy") == 1
    assert "proves nothing" in shell.out
    assert shell("verify", "p", "--policy", "policy") == 2
    assert shell("verify", "p", "--entry", "e") == 2
    Path("p").write_bytes(Path("p").read_bytes()[:-30])
    assert shell("verify", "p", "--entry", "e", "--policy", "policy", "--json") == 1
    assert shell.json["error"] == "Malformed"


@pytest.mark.parametrize(
    "data", [b"", b"{", b"{}", b"[]", b'{"format":"yimen-evidence/v1"}', b'{"format":"yimen-exhibit/v1"}']
)
def test_any_other_file_is_told_to_prove_nothing(shell: Shell, data: bytes) -> None:
    Path("x").write_bytes(data)
    assert shell("verify", "x", "--policy", "policy", "--entry", "{}") == 1


def test_no_proof_of_what_is_not_there(shell: Shell, log: Files) -> None:
    assert shell("prove", "log", 700) == 2
    assert "700 entries" in shell.err
    assert shell("prove", "log", -1) == 2
    log.held[5] = entry(5, actor="ZZ")
    log.write_bundles()
    assert shell("prove", "log", 5, "--out", "p") == 1
    assert "(not proven)" in shell.err
    assert not Path("p").exists()
    assert shell("prove", "nowhere", 5, "--json") == 3


def test_a_checkpoint_is_shown_and_checked_where_there_is_a_policy(shell: Shell, log: Files) -> None:
    assert shell("checkpoint", "log") == 0
    assert "were not verified" in shell.out
    assert shell("checkpoint", "log", "--policy", "policy", "--json") == 0
    assert shell.json["size"] == 700
    log.witnesses = WITNESSES[:3]
    log.publish()
    assert shell("checkpoint", "log", "--policy", "policy") == 1
    assert shell("checkpoint", "http://127.0.0.1:9/x") == 3


def test_every_finding_has_words_and_all_words_are_in_two_languages() -> None:
    assert set(texts.NAMES) == set(texts.SAYS) == set(Fault)
    assert set(texts.OUTCOMES) == set(Outcome)
    for zh, en in (*texts.NAMES.values(), *texts.SAYS.values(), *texts.LINES.values(), *texts.OUTCOMES.values()):
        assert _fields(zh) == _fields(en)
        assert re.search("[一-鿿]", zh + "一" * zh.startswith("{"))
        assert not re.search("[一-鿿]", en)


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}
