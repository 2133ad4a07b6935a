"""Is a kept checkpoint what our key and the witnesses signed?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gateway.services.ledger.faults import Fault, Finding
from ledger.checkpoint import Checkpoint
from ledger.errors import LedgerError
from ledger.note import VerifierKey, parse_note, parse_signature, verify_signature
from ledger.policy import Policy, signed_checkpoint


@dataclass(frozen=True, slots=True)
class Head:
    """A shard as its own row has it. `signed`: the largest kept checkpoint's size, read before all else."""

    shard: str
    origin: str
    size: int
    root: bytes
    frontier: bytes
    signed: int
    keys: tuple[VerifierKey, ...]


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """Nothing of it is believed. `cosignatures`: the line, by the witness's name."""

    size: int
    root: bytes
    note: bytes
    sealed: bool
    cosignatures: Mapping[str, str] = field(default_factory=dict)


def check_checkpoint(row: CheckpointRow, head: Head, policy: Policy | None) -> tuple[bytes | None, list[Finding]]:
    """The root that was signed of this size, None where nothing was; and what is wrong."""
    about = str(row.size)
    checkpoint = _signed(row, head)
    if checkpoint is None:
        return None, [Finding(Fault.BAD_CHECKPOINT, head.shard, about=about)]
    found = [] if checkpoint.root == row.root else [Finding(Fault.REWRITTEN_ROOT, head.shard, about=about)]
    if policy is not None:
        found += _cosigned(row, head, policy, checkpoint.text)
    return checkpoint.root, found


def _signed(row: CheckpointRow, head: Head) -> Checkpoint | None:
    try:
        checkpoint = signed_checkpoint(parse_note(row.note), head.origin, head.keys)
    except LedgerError:
        return None
    return checkpoint if checkpoint.size == row.size else None


def _cosigned(row: CheckpointRow, head: Head, policy: Policy, text: str) -> Iterator[Finding]:
    """A witness that is not in the policy any more is nobody to us."""
    stand: set[str] = set()
    for name, line in row.cosignatures.items():
        known = policy.witnesses.get(name)
        if known is None:
            continue
        try:
            signature = parse_signature(line)
            if (signature.name, signature.key_id) == (known.key.name, known.key.id):  # not a key it had before
                verify_signature(text, signature, known.key)
                stand.add(name)
        except LedgerError:
            yield Finding(Fault.BAD_COSIGNATURE, head.shard, about=f"{row.size} {name}")
    if row.sealed and not policy.satisfied_by(stand):
        yield Finding(Fault.UNSEALED, head.shard, about=str(row.size))
