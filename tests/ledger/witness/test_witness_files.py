"""What a witness remembers survives whatever happens to its process, and nobody changes it unseen."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import ledger.witness.files
from ledger.note import parse_note, parse_signature, verify_signature
from ledger.witness.errors import Damaged, InUse, NotKept, OtherSize
from ledger.witness.files import FileStates, count_splits, create_directory, read_states
from ledger.witness.request import write_request
from ledger.witness.witness import Witness, name_of
from tests.ledger.witness.logs import LOG, ORIGIN, Tree
from tests.ledger.witness.test_witness_decisions import POLICE, A, At, B, time_of

PUT = ("write", "sync", "rename", "sync directory")
OTHER = "other.example/log"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    create_directory(tmp_path / "state", POLICE.key)
    return tmp_path / "state"


def opened(
    directory: Path, step: Callable[[str], None] = lambda name: None, at: int = 1000
) -> tuple[Witness, FileStates]:
    states = FileStates(directory, POLICE.key, step=step)
    return Witness(POLICE, {ORIGIN: (LOG.key,)}, states, now=At(at)), states


def size_in(directory: Path) -> int:
    last = read_states(directory, POLICE.key).get(ORIGIN)
    return last.checkpoint.size if last else 0


def test_it_goes_on_where_it_was(directory: Path) -> None:
    witness, states = opened(directory)
    witness.add_checkpoint(A.request(0, 5))
    states.close()
    witness, states = opened(directory, at=10)
    with pytest.raises(OtherSize):
        witness.add_checkpoint(A.request(0, 6))
    assert time_of(witness.add_checkpoint(A.request(5, 6))) == 1000, "nor does the clock begin anew"
    states.close()


def test_what_stands_there_is_what_monitors_are_shown_and_only_ours_to_read(directory: Path) -> None:
    witness, states = opened(directory)
    witness.add_checkpoint(A.request(0, 5))
    assert (directory / name_of(ORIGIN)).read_bytes() == witness.newest(name_of(ORIGIN))
    assert witness.newest(name_of(OTHER)) is None
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir() if path.is_file()} == {0o600}
    states.close()


def test_two_processes_never_work_on_one_directory(directory: Path) -> None:
    _, states = opened(directory)
    with pytest.raises(InUse):
        FileStates(directory, POLICE.key)
    states.close()
    FileStates(directory, POLICE.key).close()


def test_who_was_stopped_cosigns_nothing_more(directory: Path) -> None:
    witness, states = opened(directory)
    states.close()
    with pytest.raises(NotKept):
        witness.add_checkpoint(A.request(0, 5))


def test_a_directory_is_made_once(directory: Path, tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):
        create_directory(directory, POLICE.key)
    for missing in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(Damaged, match="init"):
            FileStates(missing, POLICE.key)
    (directory / ledger.witness.files.INDEX).unlink()
    (directory / name_of(ORIGIN)).write_bytes(b"")
    with pytest.raises(FileExistsError):
        create_directory(directory, POLICE.key)


def damages() -> Iterator[tuple[str, Callable[[Path], object]]]:
    name = name_of(ORIGIN)

    def edited(change: Callable[[bytes], bytes], file: str = name) -> Callable[[Path], object]:
        return lambda place: (place / file).write_bytes(change((place / file).read_bytes()))

    yield "state gone", lambda place: (place / name).unlink()
    yield "state empty", edited(lambda data: b"")
    yield "state cut", edited(lambda data: data[:-1])
    yield "a bit turned", edited(lambda data: data.replace(b"\n5\n", b"\n4\n"))
    yield "no line of ours", edited(lambda data: bytes(A.note(5)))
    yield "an older tree", edited(lambda data: bytes(A.note(3)) + data.split(b"\n")[-2] + b"\n")
    yield "another origin's", lambda place: (place / name).rename(place / name_of(OTHER))
    yield "index gone", lambda place: (place / "witness").unlink()
    yield "index empty", edited(lambda data: b"", "witness")
    yield "index cut", edited(lambda data: data[:-1], "witness")
    yield "index of another key", edited(lambda data: data.replace(b"police", b"court1"), "witness")
    yield "index not text", edited(lambda data: b"\xff\n", "witness")
    yield "a folder in the way", lambda place: ((place / name).unlink(), (place / name).mkdir())


@pytest.mark.parametrize(("what", "damage"), list(damages()), ids=lambda one: one if isinstance(one, str) else "")
def test_a_damaged_memory_is_refused_and_not_begun_anew(
    directory: Path, what: str, damage: Callable[[Path], object]
) -> None:
    witness, states = opened(directory)
    witness.add_checkpoint(A.request(0, 5))
    states.close()
    damage(directory)
    with pytest.raises(Damaged):
        FileStates(directory, POLICE.key)
    with pytest.raises(Damaged):  # and the lock was given back, so it is the damage again
        FileStates(directory, POLICE.key)


def steps_of(directory: Path, *requests: bytes) -> list[str]:
    steps: list[str] = []
    witness, states = opened(directory, steps.append)
    del steps[:]
    for request in requests:
        witness.add_checkpoint(request)
    states.close()
    return steps


def test_the_order_of_keeping(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the steps are called is what is done: the file to the disk, its name, the name to the disk, then the answer."""
    done: list[str] = []
    fsync, move = os.fsync, os.replace

    def synced(file: int) -> None:
        done.append("synced directory" if os.path.isdir(f"/proc/self/fd/{file}") else "synced")
        fsync(file)

    def moved(a: str, b: str) -> None:
        done.append(f"moved {Path(b).name[:7]}")
        move(a, b)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", moved)
    witness, states = opened(directory, done.append)
    del done[:]
    witness.add_checkpoint(A.request(0, 5))
    put = ["write", "sync", "synced", "rename", "moved {}", "sync directory", "synced directory"]
    state, index = [one.format(name_of(ORIGIN)[:7]) for one in put], [one.format("witness") for one in put]
    assert done == [*state, *index, "answer"]
    del done[:]
    witness.add_checkpoint(A.request(5, 6))
    assert done == [*state, "answer"]
    states.close()


def killed_at(directory: Path, number: int, request: bytes) -> bytes:
    """A child that asks and is killed before its step `number`, counted from 0 after opening; what it could answer."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            passed = -1000

            def step(name: str) -> None:
                nonlocal passed
                if passed == number:
                    os.kill(os.getpid(), signal.SIGKILL)
                passed += 1

            witness, _ = opened(directory, step)
            passed = 0
            os.write(writing, witness.add_checkpoint(request))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        said = answer.read()
    _, status = os.waitpid(child, 0)
    assert (os.WIFSIGNALED(status), bool(said)) in ((True, False), (False, True))
    return said


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
@pytest.mark.parametrize("begun", [False, True], ids=["first", "later"])
def test_killed_at_every_step_it_is_old_or_new_and_never_cosigned_but_forgotten(directory: Path, begun: bool) -> None:
    old = 0
    if begun:
        witness, states = opened(directory)
        witness.add_checkpoint(A.request(0, 3))
        states.close()
        old = 3
    many = 2 * len(PUT) + 1 if not begun else len(PUT) + 1
    sizes = []
    for number in range(many + 1):
        new = old + 1
        said = killed_at(directory, number, A.request(old, new))
        size = size_in(directory)
        assert size in (old, new)
        assert bool(said) == (number == many)
        if said:
            assert size == new
            verify_signature(A.checkpoint(new).text, parse_signature(said.decode()), POLICE.key)
        sizes.append(size - old)
        if size == new and not begun and number < many:  # so that the next one is a first one again
            (directory / name_of(ORIGIN)).unlink()
            (directory / "witness").write_text(f"{POLICE.key}\n")
        else:
            old = size
    assert sizes == sorted(sizes), "old until the rename, new from then on"
    assert sizes[0] == 0
    assert sizes[3] == 1
    witness, states = opened(directory)
    with pytest.raises(OtherSize) as stands:
        witness.add_checkpoint(B.request(old + 1, old + 9))
    assert stands.value.size == size_in(directory)
    assert not list(directory.glob(".*.new")), "what a killed process left is gone"
    states.close()


def test_what_a_killed_process_left_is_cleared_away(directory: Path) -> None:
    killed_at(directory, 2, A.request(0, 5))
    assert len(list(directory.glob(".*.new"))) == 1
    FileStates(directory, POLICE.key).close()
    assert not list(directory.glob(".*.new"))


def test_a_first_state_whose_index_was_not_written_is_indexed_at_the_next_start(directory: Path) -> None:
    killed_at(directory, len(PUT), A.request(0, 5))
    assert ORIGIN not in (directory / "witness").read_text()
    FileStates(directory, POLICE.key).close()
    assert ORIGIN in (directory / "witness").read_text()


class Full:
    """A call of the system whose `failing`th use finds the disk full."""

    def __init__(self, real: Callable[..., object], failing: int) -> None:
        self.real, self.failing, self.calls = real, failing, 0

    def __call__(self, *args: object, **named: object) -> object:
        self.calls += 1
        if self.calls == self.failing:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.real(*args, **named)


@pytest.mark.parametrize("call", ["fsync", "replace", "open"])
@pytest.mark.parametrize("begun", [False, True], ids=["first", "later"])
def test_a_disk_that_takes_nothing_means_no_cosignature(
    directory: Path, monkeypatch: pytest.MonkeyPatch, call: str, begun: bool
) -> None:
    witness, states = opened(directory)
    old = 0
    if begun:
        witness.add_checkpoint(A.request(0, 3))
        old = 3
    for failing in range(1, 6):
        full = Full(getattr(os, call), failing)
        monkeypatch.setattr(os, call, full)
        try:
            witness.add_checkpoint(A.request(old, 5))
        except NotKept:
            monkeypatch.undo()
            last = states.last(ORIGIN)
            assert (last.checkpoint.size if last else 0) == old, "not even in memory"
            assert not list(directory.glob(".*.new"))
        else:
            monkeypatch.undo()
            assert full.calls < failing, "the disk refused and it cosigned all the same"
            break
    else:
        pytest.fail("never got through")
    assert size_in(directory) == 5
    states.close()


def test_twenty_at_once_of_two_histories_make_one(directory: Path) -> None:
    witness, states = opened(directory)
    witness.add_checkpoint(A.request(0, 3))
    cosigned: list[tuple[Tree, int]] = []
    together = threading.Barrier(20)

    def ask(tree: Tree, size: int) -> None:
        together.wait()
        try:
            witness.add_checkpoint(tree.request(3, size))
        except OtherSize:
            return
        cosigned.append((tree, size))

    threads = [threading.Thread(target=ask, args=((A, B)[n % 2], 4 + n % 7)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(cosigned) == 1, "all of them start at 3, so the first one wins"
    tree, size = cosigned[0]
    last = states.last(ORIGIN)
    assert last is not None
    assert last.checkpoint == tree.checkpoint(size)
    states.close()


def test_splits_are_kept_once_each_and_not_without_end(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger.witness.files, "MOST_SPLITS", 2)
    witness, states = opened(directory)
    witness.add_checkpoint(A.request(0, 5))
    for branch in ("b", "b", "c", "d"):
        with pytest.raises(Exception, match="two roots"):
            witness.add_checkpoint(write_request(5, (), Tree(fork=4, branch=branch).note(5)))
    assert count_splits(directory) == 2
    kept = sorted((directory / "splits").iterdir())[0].read_bytes()
    ours, theirs = kept.split(b"\n\nledger.example/test\n")
    assert parse_note(ours + b"\n").text == A.checkpoint(5).text
    assert parse_note(b"ledger.example/test\n" + theirs).text != A.checkpoint(5).text
    states.close()
