"""What others were shown: a witness's newest checkpoint, another auditor's state, a checkpoint in a file."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from ledger.audit.diagnose import Diagnosis
from ledger.audit.findings import Fault, Finding
from ledger.audit.hashing import root_over
from ledger.audit.proving import consistency
from ledger.audit.source import Lost, Source, Unreachable, read_checkpoint
from ledger.audit.state import Kept, load
from ledger.checkpoint import Checkpoint, parse_checkpoint
from ledger.encoding import HASH_BYTES
from ledger.errors import InvalidProof, LedgerError, Malformed, Unreadable
from ledger.merkle import verify_consistency
from ledger.note import LARGEST_NOTE, Note, parse_note
from ledger.policy import Policy, verify_checkpoint
from ledger.tiles import WIDTH

_POLLS, _POLL_S = 10, 0.5
Opener = Callable[[str], Source]


@dataclass(frozen=True, slots=True)
class Other:
    """`kept`: where it is another auditor's state, which can name the entry in which two histories part."""

    name: str
    note: Note
    checkpoint: Checkpoint
    kept: Kept | None = None


def read_other(where: str, policy: Policy, opened: Opener) -> Other:
    """Signed by one of the policy's logs, which is what counts; who else signed does not.

    `where`: a URL (a checkpoint's, a log's, or a witness's monitoring prefix), a file or a directory.
    Raises Unreadable, Malformed, InvalidSignature.
    """
    kept = None
    if where.startswith(("http://", "https://")):
        data = _fetched(where, policy, opened)
    else:
        path = Path(where)
        data = _file(path / "checkpoint" if path.is_dir() else path)
        if data.lstrip().startswith(b"{"):
            kept = load(path)
    note = kept.note if kept is not None else parse_note(data)
    checkpoint = verify_checkpoint(note, Policy(policy.logs)).checkpoint
    return Other(where, note, checkpoint, kept)


def _file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_NOTE + 1)
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror}") from None


def _fetched(where: str, policy: Policy, opened: Opener) -> bytes:
    """A witness shows the newest checkpoint of a log under the hash of its origin. Source: C2SP tlog-witness."""
    source = opened(where.rstrip("/").removesuffix("/checkpoint"))
    try:
        if where.rstrip("/").endswith("/checkpoint"):
            return read_checkpoint(source)
        for origin in dict.fromkeys(one.key.name for one in policy.logs):
            try:
                return source.read(f"{sha256(origin.encode()).hexdigest()}/checkpoint", LARGEST_NOTE)
            except Lost:
                continue
        return read_checkpoint(source)
    finally:
        source.close()


def compare(diagnosis: Diagnosis, other: Other) -> Finding | None:
    """Whether both can be of one log. Raises Unreachable."""
    ours, theirs = diagnosis.checkpoint, other.checkpoint
    notes = {"ours": bytes(diagnosis.note).decode(), other.name: bytes(other.note).decode()}
    uncompared = Finding(Fault.OTHER_UNCOMPARED, about=other.name, notes=notes)
    if theirs.origin != ours.origin:
        return uncompared
    try:
        same = _same(diagnosis, other)
    except (Lost, Malformed):
        same = None
    if same is None:
        return replace(uncompared, first=theirs.size if theirs.size > ours.size else None)
    if same:
        return None
    first = replace(diagnosis, kept=other.kept).rewritten() if other.kept is not None else None
    return Finding(
        Fault.SPLIT_VIEW, None if first is None else first.first, None if first is None else first.last,
        about=other.name, notes=notes,
    )  # fmt: skip


def _same(diagnosis: Diagnosis, other: Other) -> bool | None:
    """None: cannot be told."""
    ours, theirs = diagnosis.checkpoint, other.checkpoint
    if theirs.size == ours.size:
        return theirs.root == ours.root
    if theirs.size > ours.size:
        _wait_for(diagnosis.source, theirs.size)
        return _consistent(diagnosis.source, ours, theirs) or (False if diagnosis.true else None)
    if not diagnosis.true:
        return _consistent(diagnosis.source, theirs, ours) or None
    n, rest = divmod(theirs.size, WIDTH)
    leaves = diagnosis.leaves(n) if rest else b""
    if leaves is None:
        return None
    return root_over(diagnosis.walked.roots[: n * HASH_BYTES], leaves[: rest * HASH_BYTES]) == theirs.root


def _consistent(source: Source, old: Checkpoint, new: Checkpoint) -> bool:
    try:
        verify_consistency(old.size, new.size, old.root, new.root, consistency(source, old.size, new.size))
    except InvalidProof:
        return False
    return True


def _wait_for(source: Source, size: int) -> None:
    """A witness has seen a checkpoint before the log publishes it: some moments are no sign of anything."""
    for _ in range(_POLLS if source.parallel > 1 else 1):
        try:
            if parse_checkpoint(parse_note(read_checkpoint(source)).text).size >= size:
                return
        except (LedgerError, Unreachable):
            return
        time.sleep(_POLL_S if source.parallel > 1 else 0)
