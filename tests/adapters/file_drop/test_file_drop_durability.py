"""Restart, kill, damage, a full disk: the old set answers or nothing does, and nothing personal lies in the clear."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adapters.drop_index import DropIndex
from adapters.errors import AdapterError, Reason, SourceUnavailable
from adapters.source import Absent, Failed
from tests.adapters.file_drop.lab import (
    ALI,
    CSV,
    LI_MEI,
    NOBODY,
    ZHANG,
    Lab,
    ask,
    csv_file,
    newest_is,
    numbers,
    row,
    wait_for,
)

pytestmark = pytest.mark.anyio


async def test_a_restart_answers_without_the_files(lab: Lab) -> None:
    lab.put("a.csv", csv_file(row("1", ZHANG)))
    first = lab.open()
    assert numbers((await ask(first, ZHANG))[0]) == ["1"]
    await first.close()
    (lab.inbox / "a.csv").unlink()
    again = lab.open()
    zhang, nobody = await ask(again, ZHANG, NOBODY)
    assert numbers(zhang) == ["1"]
    assert isinstance(nobody, Absent)


async def test_a_restart_remembers_what_was_refused(lab: Lab) -> None:
    lab.put("a.csv", csv_file(row("1", ZHANG)), mtime=time.time() - 60)
    lab.put("b.csv", csv_file(row("\0", LI_MEI)))
    first = lab.open()
    wait_for(lambda: bool(first.quarantine()))
    await first.close()
    again = lab.open()
    (answer,) = await ask(again, NOBODY)
    assert isinstance(answer, Failed)
    assert answer.reason is Reason.GARBAGE
    assert len(again.quarantine()) == 2, "the line and the file, each told once"


async def test_a_kill_in_the_middle_of_indexing_leaves_the_old_set(lab: Lab) -> None:
    lab.put("a.csv", csv_file(row("old", ZHANG), row("old2", LI_MEI)), mtime=time.time() - 60)
    first = lab.open()
    assert numbers((await ask(first, ZHANG))[0]) == ["old"]
    await first.close()
    # Every record is a valid line, so that the child is deep in its transaction when it is killed
    lab.put("b.csv", csv_file(row("new", ZHANG), *(row(f"n{n}", ALI) for n in range(60_000))))
    child = subprocess.Popen([sys.executable, "-c", _CHILD, str(lab.home)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    wal = next(lab.state.glob("T.*.drop.db")).with_suffix(".db-wal")
    wait_for(lambda: wal.exists() and wal.stat().st_size > 1_000_000, 30)
    os.kill(child.pid, signal.SIGKILL)
    child.wait(10)
    child.stdout.close()
    (lab.inbox / "b.csv").rename(lab.home / "b.csv")
    again = lab.open()
    zhang, mei = await ask(again, ZHANG, LI_MEI)
    assert [numbers(zhang), numbers(mei)] == [["old"], ["old2"]]
    (lab.home / "b.csv").rename(lab.inbox / "b.csv")
    wait_for(newest_is(again, "b.csv"), 60)
    assert numbers((await ask(again, ZHANG))[0]) == ["new"]


_CHILD = """
import sys, time
from pathlib import Path
from tests.adapters.file_drop import lab as place
lab = place.Lab(Path(sys.argv[1]), fresh=False)
source = lab.open()
time.sleep(60)
"""


async def test_readers_see_the_old_set_or_the_new_and_never_a_part(lab: Lab) -> None:
    people = [ZHANG, LI_MEI, ALI]
    lab.put("a.csv", csv_file(*(row("a", who) for who in people)), mtime=time.time() - 60)
    source = lab.open()
    await ask(source, ZHANG)
    lab.put("b.csv", csv_file(*(row("b", who) for who in people), *(row(f"n{n}", NOBODY) for n in range(3_000))))
    seen: set[object] = set()
    ends_at = time.monotonic() + 20
    while "b" not in seen:
        answers = [tuple(numbers(answer)) for answer in await ask(source, *people)]
        assert len(set(answers)) == 1, answers
        seen.add(answers[0][0])
        assert time.monotonic() < ends_at
    assert seen <= {"a", "b"}


async def test_closing_in_the_middle_is_quick_and_keeps_the_old_set(lab: Lab) -> None:
    lab.put("a.csv", csv_file(row("old", ZHANG)), mtime=time.time() - 60)
    source = lab.open()
    await ask(source, ZHANG)
    lab.put("b.csv", csv_file(row("new", ZHANG), *(row(f"n{n}", ALI) for n in range(60_000))))
    wal = next(lab.state.glob("T.*.drop.db-wal"))
    wait_for(lambda: wal.stat().st_size > 500_000, 30)
    began = time.monotonic()
    await source.close()
    assert time.monotonic() - began < 2
    (lab.inbox / "b.csv").unlink()
    assert numbers((await ask(lab.open(), ZHANG))[0]) == ["old"]


async def test_nothing_personal_lies_in_the_clear(lab: Lab) -> None:
    lab.put("张三.csv", csv_file(row("1", ZHANG, "某某路1号"), row("2", LI_MEI, "\0")))
    source = lab.open()
    assert numbers((await ask(source, ZHANG))[0]) == ["1"]
    await source.close()
    files = list(lab.state.iterdir())
    assert files
    for path in files:
        assert path.stat().st_mode & 0o077 == 0, path.name
        content = path.read_bytes()
        for personal in (*ZHANG, *LI_MEI, "某某路", "19900307"):
            assert personal.encode() not in content, path.name


async def test_another_key_means_another_index(lab: Lab) -> None:
    environ = {"K1": "k" * 40, "K2": "j" * 40, "SHORT": "short"}
    lab.put("a.csv", csv_file(row("1", ZHANG)))
    one = lab.open({**CSV, "index_key": "env:K1"}, environ=environ)
    assert numbers((await ask(one, ZHANG))[0]) == ["1"]
    await one.close()
    (lab.inbox / "a.csv").unlink()
    other = lab.open({**CSV, "index_key": "env:K2"}, environ=environ)
    (answer,) = await ask(other, ZHANG)
    assert isinstance(answer, Failed), "what another key sealed is nobody's absence"
    again = lab.open({**CSV, "index_key": "env:K1"}, environ=environ)
    assert numbers((await ask(again, ZHANG))[0]) == ["1"]
    with pytest.raises(AdapterError, match="shorter"):
        lab.open({**CSV, "index_key": "env:SHORT"}, environ=environ)


async def test_a_changed_manifest_reads_the_drops_anew_while_the_old_one_answers(lab: Lab) -> None:
    lab.put("a.csv", csv_file(row("1", ZHANG)))
    old = lab.open()
    assert numbers((await ask(old, ZHANG))[0]) == ["1"]
    new = lab.open(CSV, request={"key_columns": {"idNo": "sfzh", "name": "xm"}, "match_on": ["idNo", "name"]})
    assert numbers((await ask(new, ZHANG))[0]) == ["1"]
    (stranger,) = await ask(new, (ZHANG[0], "李四"))
    assert isinstance(stranger, Absent)
    assert numbers((await ask(old, ZHANG))[0]) == ["1"]
    assert len(list(lab.state.glob("T.*.drop.db"))) == 1


async def test_a_damaged_index_is_made_anew(lab: Lab) -> None:
    lab.put("a.csv", csv_file(row("1", ZHANG)))
    source = lab.open()
    await ask(source, ZHANG)
    await source.close()
    path = next(lab.state.glob("T.*.drop.db"))
    path.write_bytes(b"not a database at all" * 1000)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    assert numbers((await ask(lab.open(), ZHANG))[0]) == ["1"]


async def test_two_processes_may_watch_the_same_directory(lab: Lab) -> None:
    one, two = lab.open(), lab.open()
    lab.put("a.csv", csv_file(row("1", ZHANG)))
    for source in (one, two):
        wait_for(newest_is(source, "a.csv"))
        wait_for(lambda: source.health().not_taken == ())  # noqa: B023
        assert numbers((await ask(source, ZHANG))[0]) == ["1"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
async def test_a_file_we_may_not_read_is_said(lab: Lab) -> None:
    lab.put("a.csv", csv_file(row("1", ZHANG))).chmod(0)
    source = lab.open()
    wait_for(lambda: bool(source.health().not_taken))
    assert "PermissionError" in source.health().not_taken[0][1]


async def test_a_full_disk_keeps_the_old_set_and_heals(lab: Lab) -> None:
    lab.put("a.csv", csv_file(row("old", ZHANG)), mtime=time.time() - 60)
    source = lab.open()
    assert numbers((await ask(source, ZHANG))[0]) == ["old"]
    wal = next(lab.state.glob("T.*.drop.db-wal"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        # Every write beyond this size fails, as on a full disk
        lab.put("b.csv", csv_file(row("new", ZHANG), *(row(f"n{n}", ALI) for n in range(20_000))))
        resource.setrlimit(resource.RLIMIT_FSIZE, (wal.stat().st_size + 200_000, before[1]))
        wait_for(lambda: bool(source.health().not_taken), 30)
        zhang, nobody = await ask(source, ZHANG, NOBODY)
        assert numbers(zhang) == ["old"]
        assert isinstance(nobody, Failed)
        assert nobody.reason is Reason.INCOMPLETE
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    wait_for(newest_is(source, "b.csv"), 60)
    assert numbers((await ask(source, ZHANG))[0]) == ["new"]


async def test_a_state_directory_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable) as caught:
        DropIndex(tmp_path / "no-such", "T", "f")
    assert caught.value.reason is Reason.DOWN
    assert str(tmp_path) not in str(caught.value)
