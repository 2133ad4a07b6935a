"""A log that can lie: trees over made-up leaves, and what it would send to a witness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ledger.checkpoint import Checkpoint
from ledger.merkle import Frontier, consistency_ranges, leaf_hash
from ledger.note import ED25519, Note, Signer, sign_note
from ledger.witness.request import write_request

ORIGIN = "ledger.example/test"
LOG = Signer(ORIGIN, ED25519, bytes.fromhex("836ff184e7b41b1e13cb5fd89fa1de98dbbab99e9d2918913ff43b86a5c7c213"))


@dataclass(frozen=True)
class Tree:
    """`branch` at and after `fork` makes the leaves of one history differ from another's."""

    fork: int = 0
    branch: str = ""
    origin: str = ORIGIN
    signers: Sequence[Signer] = field(default=(LOG,))
    many: int = 80

    @cached_property
    def leaves(self) -> list[bytes]:
        return [leaf_hash(f"{n}{self.branch if n >= self.fork else ''}".encode()) for n in range(self.many)]

    def root(self, start: int, end: int) -> bytes:
        return Frontier().extended(self.leaves[start:end]).root()

    def checkpoint(self, size: int) -> Checkpoint:
        return Checkpoint(self.origin, size, self.root(0, size))

    def note(self, size: int) -> Note:
        return sign_note(self.checkpoint(size).text, self.signers)

    def proof(self, old: int, new: int) -> tuple[bytes, ...]:
        return tuple(self.root(one.start, one.end) for one in consistency_ranges(old, new))

    def request(self, old: int, new: int) -> bytes:
        return write_request(old, self.proof(old, new), self.note(new))
