"""`yimen ledger`, as an operator types it: every command of docs/guides/ledger.md is tried here."""

from __future__ import annotations

import asyncio
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.caller import Change
from gateway.cli import main
from gateway.clock import SystemClock
from gateway.services.ledger.ports import Exhibit
from gateway.settings import Settings
from gateway.store import Store, open_store
from gateway.store.changes import record_change
from gateway.store.tables import change_event
from gateway.store.tables.ledger import ledger_entry
from ledger.checkpoint import Checkpoint
from ledger.note import COSIGNATURE, sign_note
from ledger.policy import parse_policy
from tests.gateway.store.ledger.filling import signer

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "ledger.md"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("YIMEN_DEMO", "true")
    monkeypatch.setenv("YIMEN_STATE_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("YIMEN_DATABASE_URL", f"sqlite:///{tmp_path}/y.db")
    monkeypatch.setenv("YIMEN_LEDGER_ORIGIN", "gw.example/ledger")
    return Settings.from_process()


@pytest.fixture
def run(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Run:
    def command(*words: str) -> tuple[int, str, str]:
        code = main(["ledger", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def with_store(settings: Settings, do: Callable[[Store], Any]) -> Any:
    async def within() -> Any:
        store = await open_store(settings, SystemClock())
        try:
            return await do(store)
        finally:
            await store.close()

    return asyncio.run(within())


async def keep(store: Store) -> None:
    """What a gateway that runs does: sequence, sign, keep, publish."""
    await store.log.open("gw.example/ledger", "2026")
    assert await store.log.lead()
    while await store.log.sequence(1000):
        pass
    tree = await store.log.tree()
    note = sign_note(Checkpoint(tree.origin, tree.size, tree.root).text, await store.log.signers())
    await store.log.keep_checkpoint(tree, note)
    await store.log.publish(tree.shard, tree.size)
    await store.log.step_down()


async def some(store: Store) -> None:
    async with store.database.write() as connection:
        for number in range(300):
            change = Change("OFFICER_CHANGED", f"officer-{number}", "org-1", "boss")
            await record_change(connection, SystemClock().now(), change)
    await keep(store)


async def edit(store: Store) -> None:
    async with store.database.write() as connection:
        await connection.execute(sa.update(change_event).values(object_id="another"))


@pytest.fixture
def filled(settings: Settings) -> Settings:
    with_store(settings, some)
    return settings


def test_before_there_is_a_ledger_it_says_so(run: Run) -> None:
    code, out, _ = run("status")
    assert (code, "尚无日志" in out) == (0, True)
    assert run("fsck", "--full")[0] == 0


def test_status_tells_size_checkpoint_and_witnesses(filled: Settings, run: Run) -> None:
    code, out, _ = run("status")
    assert code == 0
    assert "2026  gw.example/ledger/2026  在用 active  300 条" in out
    assert "检查点 checkpoint: 300" in out
    assert "未设见证方" in out


def test_fsck_finds_nothing_or_names_it_and_says_so_by_its_exit(filled: Settings, run: Run) -> None:
    for words in ((), ("--full",), ("--tail", "10")):
        code, out, _ = run("fsck", *words)
        assert (code, "未发现问题" in out) == (0, True), words
    with_store(filled, edit)
    assert run("fsck")[0] == 0  # records are looked at by --full alone
    code, out, _ = run("fsck", "--full", "--json")
    findings = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert len(findings) == 300
    assert (findings[0]["fault"], findings[0]["index"]) == ("EDITED_RECORD", 0)
    code, out, _ = run("fsck", "--full")
    assert "第 0 条 entry 0" in out
    assert "记录与其条目的承诺不符" in out
    assert "errors found: 300" in out


def test_a_mirror_is_exported_goes_on_and_is_checked_against(filled: Settings, run: Run, tmp_path: Path) -> None:
    mirror = str(tmp_path / "mirror")
    assert run("export", mirror)[:2] == (0, "2026: 300 条 entries\n")
    assert run("fsck", "--mirror", mirror)[0] == 0

    async def swap(store: Store) -> None:
        async with store.database.write() as connection:
            await connection.execute(sa.update(ledger_entry).where(ledger_entry.c.number == 7).values(entry=b"{}"))

    with_store(filled, swap)
    code, out, _ = run("fsck", "--mirror", mirror)
    assert code == 1
    assert "MIRROR_DIFFERS  2026 第 7 条" in out
    assert "EDITED_ENTRY  2026 第 7 条" in out


def test_vkeys_is_a_policy_auditors_can_use(
    filled: Settings, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness = signer("ga.example/w", COSIGNATURE).key
    file = tmp_path / "policy"
    file.write_text(f"witness GA {witness} http://127.0.0.1:1/\ngroup Q 1 GA\nquorum Q\n")
    monkeypatch.setenv("YIMEN_LEDGER_WITNESS_POLICY", str(file))
    code, out, _ = run("vkeys", "--year", "2026")
    assert code == 0
    policy = parse_policy(out)
    assert [one.key.name for one in policy.logs] == ["gw.example/ledger/2026"]
    assert policy.witnesses["GA"].key == witness
    assert run("vkeys")[1] == out
    code, _, err = run("vkeys", "--year", "1999")
    assert (code, "LEDGER_SHARD_UNKNOWN" in err) == (1, True)
    code, out, _ = run("status")
    assert (code, "见证不足法定数" in out) == (1, True)
    code, out, _ = run("witnesses")
    assert (code, "GA: 尚未见证过" in out) == (0, True)


def test_an_auditor_accepts_the_mirror_by_these_vkeys_alone(filled: Settings, run: Run, tmp_path: Path) -> None:
    run("export", str(tmp_path / "mirror"))
    (tmp_path / "policy").write_text(run("vkeys", "--year", "2026")[1], "utf-8")
    words = ["audit", str(tmp_path / "mirror" / "2026"), "--policy", str(tmp_path / "policy"), "--json"]
    words += ["--exhibit", str(tmp_path / "exhibit")]
    done = subprocess.run([sys.executable, "-m", "ledger", *words], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "mirror" / "2026" / "tile" / "0" / "000").write_bytes(bytes(8192))
    assert subprocess.run([sys.executable, "-m", "ledger", *words], capture_output=True, check=False).returncode != 0


def test_a_key_is_rotated_in_two_steps(filled: Settings, run: Run) -> None:
    assert "no rotation" in run("rotate-key", "--finish", "--yes")[2]
    code, out, _ = run("rotate-key")
    assert (code, "新密钥 new key: gw.example/ledger/2026+" in out) == (0, True)
    assert run("rotate-key")[0] == 1
    assert "try again" in run("rotate-key", "--finish", "--yes")[2]
    with_store(filled, keep)
    code, out, _ = run("rotate-key", "--finish", "--yes")
    assert (code, "已停用旧密钥" in out) == (0, True)
    assert run("fsck", "--full")[0] == 0
    assert len(parse_policy(run("vkeys")[1]).logs) == 2


def test_next_years_key_is_announced(filled: Settings, run: Run) -> None:
    code, out, _ = run("announce", "2027")
    assert (code, out.startswith("gw.example/ledger/2027+")) == (0, True)
    assert run("announce", "2027")[1] == out
    assert out.strip() in run("status")[1]
    assert f"log {out.strip()} " in run("vkeys")[1]


@pytest.mark.parametrize(
    ("answer", "words"), [("begin", ("begin-shard", "--reason", "a slip")), ("retire", ("rotate-key", "--finish"))]
)
def test_what_has_no_way_back_is_asked_again(
    filled: Settings, run: Run, monkeypatch: pytest.MonkeyPatch, answer: str, words: tuple[str, ...]
) -> None:
    run("rotate-key")
    with_store(filled, keep)
    before = run("vkeys")[1], run("status")[1]
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    code, _, err = run(*words)
    assert (code, "未执行" in err) == (1, True)
    assert (run("vkeys")[1], run("status")[1]) == before
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{answer}\n"))
    assert run(*words)[0] == 0


def test_a_new_shard_is_begun_with_a_reason(filled: Settings, run: Run, tmp_path: Path) -> None:
    code, _, err = run("begin-shard", "--yes", "--reason", "restored", "--checkpoint", str(tmp_path / "none"))
    assert (code, "LEDGER_CHECKPOINT_REFUSED" in err) == (1, True)
    (tmp_path / "bad").write_bytes(b"no note")
    assert run("begin-shard", "--yes", "--reason", "restored", "--checkpoint", str(tmp_path / "bad"))[0] == 1
    code, out, _ = run("begin-shard", "--yes", "--reason", "restored from the backup of the 24th")
    assert code == 0
    assert "2026b  gw.example/ledger/2026b" in out
    assert run("fsck", "--full")[0] == 0
    code, out, _ = run("status")
    assert "2026  gw.example/ledger/2026  已关闭 closed" in out


def test_a_halted_log_and_its_evidence_are_shown(filled: Settings, run: Run) -> None:
    assert run("exhibits")[0] == 0
    exhibit = Exhibit("2026", "WITNESS_AHEAD", "GA", {"checkpoint": "一\n"})
    with_store(filled, lambda store: store.log.halt("WITNESS_AHEAD", exhibit))
    code, out, _ = run("status")
    assert (code, "已停止 HALTED: WITNESS_AHEAD  见证方持有更大的检查点" in out) == (1, True)
    assert "yimen ledger exhibits" in out
    code, _, err = run("fsck", "--full")  # nothing stored is wrong, and yet it is not what a witness saw
    assert (code, "HALTED: WITNESS_AHEAD" in err) == (1, True)
    code, out, _ = run("exhibits")
    assert code == 0
    one = out.split()[0]
    code, out, _ = run("exhibits", one)
    assert (code, json.loads(out)["documents"]) == (0, {"checkpoint": "一\n"})
    assert run("exhibits", "none")[0] == 1


def test_what_is_no_command_is_refused(run: Run) -> None:
    for words in (("fsck", "--full", "--tail", "5"), ("fsck", "--tail", "0"), ("announce", "next"), ("begin-shard",)):
        with pytest.raises(SystemExit, match="2"):
            run(*words)


def test_the_guide_and_the_manual_name_no_command_that_is_not_tried(run: Run, capsys: Any) -> None:
    with pytest.raises(SystemExit, match="0"):
        run("--help")
    manual = capsys.readouterr().out
    tried = Path(__file__).read_text("utf-8")
    for text in (manual, GUIDE.read_text("utf-8")):
        named = set(re.findall(r"yimen ledger ([a-z][a-z-]+)", text))
        assert named
        assert all(f'"{one}"' in tried for one in named)
