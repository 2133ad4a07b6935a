"""Whether a checkpoint may be cosigned: the checks of tlog-witness, in the order of their statuses. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.checkpoint import Checkpoint
from ledger.errors import InvalidProof, LedgerError
from ledger.merkle import EMPTY_ROOT, verify_consistency
from ledger.note import Note, Signature, VerifierKey, verify_note
from ledger.witness.errors import NotAnExtension, NotOfThisLog, OtherSize
from ledger.witness.request import AddCheckpoint


@dataclass(frozen=True, slots=True)
class Cosigned:
    """What is remembered of a log: the newest checkpoint, in a note with the log's signature and our own; `at` POSIX seconds."""

    checkpoint: Checkpoint
    note: Note
    at: int


def signatures_of_log(request: AddCheckpoint, keys: Sequence[VerifierKey]) -> tuple[Signature, ...]:
    """The lines made by `keys`, one a key; lines of others are not worth keeping. Raises NotOfThisLog."""
    try:
        signed = {(one.key.name, one.key.id) for one in verify_note(request.note, keys)}
    except LedgerError as error:
        raise NotOfThisLog(str(error)) from None
    lines: dict[tuple[str, bytes], Signature] = {}
    for line in request.note.signatures:
        if (line.name, line.key_id) in signed:
            lines.setdefault((line.name, line.key_id), line)
    return tuple(lines.values())


def check_extends(request: AddCheckpoint, last: Cosigned | None) -> None:
    """Raises OtherSize, NotAnExtension."""
    size, root = (last.checkpoint.size, last.checkpoint.root) if last else (0, EMPTY_ROOT)
    new = request.checkpoint
    if request.old != size:
        raise OtherSize(size)
    if new.size == size and new.root != root:
        raise NotAnExtension("two roots for one size", split=last is not None)
    try:
        verify_consistency(size, new.size, root, new.root, request.proof)
    except InvalidProof as error:
        raise NotAnExtension(str(error)) from None
