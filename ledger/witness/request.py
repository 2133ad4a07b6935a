"""The body of `add-checkpoint`. Source: C2SP tlog-witness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ledger.checkpoint import Checkpoint, parse_checkpoint
from ledger.encoding import b64, hash_of, number
from ledger.errors import Malformed
from ledger.merkle import EMPTY_ROOT
from ledger.note import Note, parse_note
from ledger.witness.errors import BadRequest

LARGEST_BODY = 1 << 17
"""Bytes. A checkpoint with ten signatures has under two thousand; room is left for post-quantum ones."""
LONGEST_PROOF = 63
SIZE_TYPE = "text/x.tlog.size"
"""Of the answer 409, whose body is the size that was cosigned last."""


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """`old`: the size the proof starts from. `checkpoint` is what `note` says; of an empty tree its root may be wrong."""

    old: int
    proof: tuple[bytes, ...]
    note: Note
    checkpoint: Checkpoint


def write_request(old: int, proof: Sequence[bytes], note: Note) -> bytes:
    """`proof`: from the tree of `old` entries to the note's, 32 bytes a hash."""
    return "".join(f"{line}\n" for line in (f"old {old}", *map(b64, proof))).encode() + b"\n" + bytes(note)


def parse_request(body: bytes) -> AddCheckpoint:
    """Raises BadRequest, and nothing else."""
    if len(body) > LARGEST_BODY:
        raise BadRequest(f"a request has at most {LARGEST_BODY} bytes")
    head, found, rest = body.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
        if not found or not lines[0].startswith("old "):
            raise Malformed("a request is an old size, a proof, an empty line and a checkpoint")
        if len(lines) > 1 + LONGEST_PROOF:
            raise Malformed(f"a proof has at most {LONGEST_PROOF} hashes")
        old, proof = number(lines[0].removeprefix("old ")), tuple(map(hash_of, lines[1:]))
        note = parse_note(rest)
        checkpoint = _checkpoint(note.text)
    except (Malformed, UnicodeDecodeError) as error:
        raise BadRequest(str(error) if isinstance(error, Malformed) else "a proof is ASCII") from None
    if old > checkpoint.size:
        raise BadRequest("the old size is above the checkpoint's")
    return AddCheckpoint(old, proof, note, checkpoint)


def _checkpoint(text: str) -> Checkpoint:
    """As `parse_checkpoint`, but an empty tree with a wrong root is well formed here: it is refused later, as 422."""
    lines = text.split("\n")
    if len(lines) < 4 or lines[1] != "0":
        return parse_checkpoint(text)
    wrong = hash_of(lines[2])
    return replace(parse_checkpoint("\n".join([*lines[:2], b64(EMPTY_ROOT), *lines[3:]])), root=wrong)
