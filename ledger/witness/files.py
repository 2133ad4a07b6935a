"""What a witness remembers, as files in one directory of its own; on a local disk, since it relies on flock and fsync.

    witness          first line: the vkey whose memory this is; then one origin a line, all that were ever cosigned
    <hex SHA-256 of the origin>   the newest note, with the log's signature and ours: whoever changes it is found out
    splits/          two notes with two roots for one size, for each time a log signed such
    lock             held by the process that works here

A missing or changed file is refused, never replaced by an empty beginning: a witness that forgets can be shown a second
history. What this cannot see is a whole directory put back from an older copy; see docs/guides/witness.md.
"""

from __future__ import annotations

import fcntl
import os
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from ledger.checkpoint import parse_checkpoint
from ledger.errors import LedgerError
from ledger.note import Note, VerifierKey, parse_note, verify_note
from ledger.witness.deciding import Cosigned
from ledger.witness.errors import Damaged, InUse, NotKept
from ledger.witness.witness import name_of

INDEX, LOCK, SPLITS = "witness", "lock", "splits"
MOST_SPLITS = 1000
_STATE = re.compile("[0-9a-f]{64}")
Step = Callable[[str], None]
"""Told before each step, by its name: tests end the process there."""


def create_directory(directory: Path, key: VerifierKey) -> None:
    """An empty memory for a key that never cosigned anything. Raises FileExistsError where there is one already."""
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    if (directory / INDEX).exists() or any(_STATE.fullmatch(one.name) for one in directory.iterdir()):
        raise FileExistsError(f"{directory} is in use by a witness already")
    (directory / SPLITS).mkdir(mode=0o700, exist_ok=True)
    _put(directory, INDEX, f"{key}\n".encode(), lambda name: None)


def read_states(directory: Path, key: VerifierKey) -> Mapping[str, Cosigned]:
    """Origin -> what was cosigned last. Raises Damaged; changes nothing, needs no lock."""
    index = directory / INDEX
    try:
        vkey, *origins, end = index.read_text(encoding="utf-8").split("\n")
        names = sorted(one.name for one in directory.iterdir() if _STATE.fullmatch(one.name))
    except FileNotFoundError:
        raise Damaged(f"{index} is not there; `yimen witness init` makes it, once in a key's life") from None
    except (OSError, ValueError):
        raise Damaged(f"{index} cannot be read") from None
    if end:
        raise Damaged(f"{index} ends in the middle of a line")
    if vkey != str(key):
        raise Damaged(f"{directory} is the memory of another key")
    found = {one.checkpoint.origin: one for one in (_read(directory / name, key) for name in names)}
    if missing := [origin for origin in origins if origin not in found]:
        raise Damaged(f"{directory / name_of(missing[0])} is missing: what was cosigned for {missing[0]}")
    return found


def _read(path: Path, key: VerifierKey) -> Cosigned:
    try:
        note = parse_note(path.read_bytes())
        checkpoint = parse_checkpoint(note.text)
        (verified,) = verify_note(note, [key])
        if name_of(checkpoint.origin) != path.name or verified.at is None:
            raise Damaged(f"{path} is the file of another origin")
    except Damaged:
        raise
    except (LedgerError, OSError) as error:
        raise Damaged(f"{path} is not what this witness wrote: {error}") from None
    return Cosigned(checkpoint, note, verified.at)


class FileStates:
    """`States` over a directory; one at a time has it, until `close`."""

    def __init__(self, directory: Path, key: VerifierKey, *, step: Step = lambda name: None) -> None:
        """Raises InUse, Damaged."""
        self._directory, self._key, self._step = directory, key, step
        self._changing = threading.Lock()
        self._lock = _locked(directory)
        try:
            self._states = dict(read_states(directory, key))
            for draft in directory.glob(".*.new"):  # of a process that was killed
                draft.unlink()
            self._put_index()  # it may have been killed between the state and this
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def last(self, origin: str) -> Cosigned | None:
        return self._states.get(origin)

    def replace(self, last: Cosigned | None, new: Cosigned) -> bool:
        origin = new.checkpoint.origin
        with self._changing:
            if self._lock < 0:
                raise NotKept("this witness was stopped")
            if self._states.get(origin) is not last:
                return False
            self._put(name_of(origin), bytes(new.note))
            self._states[origin] = new
            if last is None:
                try:
                    self._put_index()
                except NotKept:
                    del self._states[origin]
                    raise
            self._step("answer")
            return True

    def keep_split(self, ours: Cosigned, theirs: Note) -> None:
        proof = bytes(ours.note) + b"\n" + bytes(theirs)
        name = f"{ours.checkpoint.size}-{sha256(theirs.text.encode()).hexdigest()[:16]}.txt"
        with self._changing, suppress(OSError, NotKept):
            place = self._directory / SPLITS
            if not (place / name).exists() and len(list(place.iterdir())) < MOST_SPLITS:
                _put(place, name, proof, lambda name: None)

    def _put_index(self) -> None:
        lines = (str(self._key), *sorted(self._states))
        self._put(INDEX, "".join(f"{line}\n" for line in lines).encode())

    def _put(self, name: str, data: bytes) -> None:
        try:
            _put(self._directory, name, data, self._step)
        except OSError as error:
            raise NotKept(f"the disk does not take it: {error.strerror}") from None


def count_splits(directory: Path) -> int:
    with suppress(OSError):
        return sum(1 for one in (directory / SPLITS).iterdir() if not one.name.startswith("."))
    return 0


def _locked(directory: Path) -> int:
    try:
        file = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Damaged(f"{directory}: {error.strerror}; `yimen witness init` makes it, once in a key's life") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise InUse(f"another process works on {directory}") from None
    return file


def _put(directory: Path, name: str, data: bytes, step: Step) -> None:
    """Durable on return, and at every moment either the old file or the new one. Raises OSError."""
    draft = directory / f".{name}.new"
    step("write")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            step("sync")
            os.fsync(file.fileno())
        step("rename")
        os.replace(draft, directory / name)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        raise
    step("sync directory")
    place = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(place)
    finally:
        os.close(place)
