"""What a log says of itself: origin, size, root. Source: C2SP tlog-checkpoint."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.encoding import b64, hash_of, is_key_name, number
from ledger.errors import Malformed
from ledger.merkle import EMPTY_ROOT


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`origin` names the log, without scheme; `extensions` are further lines, which we never write."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The note's text."""
        lines = (self.origin, str(self.size), b64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


def parse_checkpoint(text: str) -> Checkpoint:
    """Raises Malformed, also for an empty tree whose root is not the empty tree's."""
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1] != "" or not all(lines[:-1]) or not is_key_name(lines[0]):
        raise Malformed("a checkpoint is an origin, a size and a root, each on a line")
    checkpoint = Checkpoint(lines[0], number(lines[1]), hash_of(lines[2]), tuple(lines[3:-1]))
    if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
        raise Malformed("an empty tree has one root only")
    return checkpoint
