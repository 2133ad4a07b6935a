"""One entry's proof as a file: `.tlog-proof`. Source: C2SP tlog-proof."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.encoding import b64, hash_of, number, unb64
from ledger.errors import Malformed
from ledger.merkle import verify_inclusion
from ledger.note import Note, parse_note
from ledger.policy import Believed, Policy, require, verify_checkpoint

_HEAD = "c2sp.org/tlog-proof@v1"
_LONGEST_PATH = 63


@dataclass(frozen=True, slots=True)
class TlogProof:
    """`extra` is not covered by any signature: never trust it."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: Note
    extra: bytes | None = None

    def __bytes__(self) -> bytes:
        extra = [] if self.extra is None else [f"extra {b64(self.extra)}"]
        lines = [_HEAD, *extra, f"index {self.index}", *map(b64, self.path)]
        return "".join(f"{line}\n" for line in lines).encode() + b"\n" + bytes(self.checkpoint)


def parse_proof(data: bytes) -> TlogProof:
    """Raises Malformed."""
    head, found, note = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise Malformed("a proof begins with lines of ASCII") from None
    if not found or lines.pop(0) != _HEAD:
        raise Malformed("no tlog-proof of version 1")
    extra = unb64(lines.pop(0).removeprefix("extra ")) if lines and lines[0].startswith("extra ") else None
    if not lines or not lines[0].startswith("index ") or len(lines) > 1 + _LONGEST_PATH:
        raise Malformed("a proof has an index and a path")
    index = number(lines[0].removeprefix("index "))
    return TlogProof(index, tuple(map(hash_of, lines[1:])), parse_note(note), extra)


def verify_proof(proof: TlogProof, leaf: bytes, policy: Policy) -> Believed:
    """Check that the leaf hash is in a log the policy knows, under a checkpoint enough witnesses cosigned.

    Raises InvalidProof, InvalidSignature, PolicyUnsatisfied, Malformed.
    """
    believed = verify_checkpoint(proof.checkpoint, policy)
    require(believed)
    verify_inclusion(leaf, proof.index, believed.checkpoint.size, proof.path, believed.checkpoint.root)
    return believed
