"""One log follows another, by the year or after a restored database: does it begin where the one before ended?

The first entry of a log that follows another names a checkpoint of that one. What the auditor knows of the older log, a state
or the log itself, must agree with it; otherwise history was dropped between the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ledger.audit import others
from ledger.audit.diagnose import Diagnosis
from ledger.audit.findings import Fault, Finding
from ledger.audit.hashing import leaf_hashes, perfect_root, root_over
from ledger.audit.proving import consistency
from ledger.audit.source import Lost, read_bundle
from ledger.audit.state import Kept
from ledger.checkpoint import Checkpoint, parse_checkpoint
from ledger.encoding import HASH_BYTES, hash_of
from ledger.entry import parse_entry
from ledger.errors import InvalidProof, InvalidSignature, LedgerError, Malformed
from ledger.merkle import EMPTY_ROOT, verify_consistency
from ledger.note import parse_note
from ledger.policy import Policy, verify_checkpoint
from ledger.tiles import WIDTH, decode_bundle

SAYING = "previous"


@dataclass(slots=True)
class Chain:
    """`named`: the checkpoint the first entry names, None = it names none, or was not read. `checked`: in this run or an
    earlier one. `known`: what the auditor's state remembers of it."""

    named: Checkpoint | None = None
    checked: bool = False
    known: str = ""
    findings: list[Finding] = field(default_factory=list)


class _Broken(Exception):
    """`str()`: what does not fit."""


def follow(
    diagnosis: Diagnosis, first: bytes | None, asked: Sequence[str], policy: Policy, opened: others.Opener
) -> Chain:
    """`asked`: states or addresses of the log before. Of a tree that was found to be the signed one; `first`: its first
    entry, where it was read: where not, it is fetched only if it is asked for. Raises Unreachable."""
    chain = Chain(known=diagnosis.kept.previous if diagnosis.kept is not None else "")
    if first is None and asked:
        first = _first(diagnosis)
    try:
        chain.named = None if first is None else _named(first, diagnosis, policy)
        if chain.named is None:
            if asked:
                raise _Broken(", ".join(asked))
            return chain
    except _Broken as error:
        chain.findings.append(Finding(Fault.BROKEN_CHAIN, 0, about=str(error)))
        return chain
    chain.findings += [one for where in asked if (one := _compared(chain.named, where, policy, opened)) is not None]
    chain.checked = chain.known == chain.named.text or (bool(asked) and not chain.findings)
    chain.known = chain.named.text if chain.checked else ""
    if not chain.checked and not asked:
        chain.findings.append(Finding(Fault.PREVIOUS_UNCHECKED, 0, about=chain.named.origin, count=chain.named.size))
    return chain


def _named(first: bytes, diagnosis: Diagnosis, policy: Policy) -> Checkpoint | None:
    """Raises _Broken where what it names is no checkpoint, or not the one whose note it shows."""
    try:
        said = parse_entry(first).public
        if said is None or said.get(SAYING) is None:
            return None
        named = said[SAYING]
        checkpoint = Checkpoint(named["origin"], named["size"], hash_of(named["root"]))
        note = None if named["note"] is None else parse_note(named["note"].encode())
        fits = isinstance(checkpoint.origin, str) and type(checkpoint.size) is int and checkpoint.size >= 0
        if not fits or checkpoint.origin == diagnosis.checkpoint.origin:
            raise _Broken("?")
        if note is None:
            if checkpoint.size or checkpoint.root != EMPTY_ROOT:
                raise _Broken(checkpoint.origin)
            return checkpoint
        if parse_checkpoint(note.text) != checkpoint:
            raise _Broken(checkpoint.origin)
        if any(log.key.name == checkpoint.origin for log in policy.logs):
            verify_checkpoint(note, Policy(policy.logs))
    except (KeyError, TypeError, ValueError, AttributeError, LedgerError):
        raise _Broken("?") from None
    return checkpoint


def _first(diagnosis: Diagnosis) -> bytes | None:
    """The first entry, if it is the one that was signed. Raises Unreachable."""
    width, walked = min(WIDTH, diagnosis.checkpoint.size), diagnosis.walked
    if not width:
        return None
    try:
        entries = decode_bundle(read_bundle(diagnosis.source, 0, width), width)
    except (Lost, Malformed):
        return None
    leaves = leaf_hashes(entries)
    same = perfect_root(leaves) == walked.roots[:HASH_BYTES] if width == WIDTH else leaves == walked.tail
    return entries[0] if same else None


def _compared(named: Checkpoint, where: str, policy: Policy, opened: others.Opener) -> Finding | None:
    """Raises Unreachable."""
    try:
        other = others.read_other(where, policy, opened)
        if other.checkpoint.origin != named.origin:
            return Finding(Fault.BROKEN_CHAIN, 0, about=other.checkpoint.origin)
        same = _within(named, other, opened)
    except (Malformed, InvalidSignature) as error:
        return Finding(Fault.OTHER_UNREADABLE, about=f"{where}: {error}")
    except Lost:
        same = None
    except LedgerError as error:
        return Finding(Fault.OTHER_UNREADABLE, about=f"{where}: {error}")
    if same is None:
        return Finding(Fault.PREVIOUS_UNCOMPARED, 0, about=where, count=named.size)
    return None if same else Finding(Fault.BROKEN_CHAIN, 0, about=where)


def _within(named: Checkpoint, other: others.Other, opened: others.Opener) -> bool | None:
    """Whether the named tree is the older log's, as far as it is known; None: cannot be told."""
    known = other.checkpoint
    if known.size == named.size:
        return known.root == named.root
    if known.size < named.size:
        return None  # it went on since; it is closed now, and can be audited to its end
    if other.kept is not None:
        return _of_state(named, other.kept)
    source = opened(other.name.rstrip("/").removesuffix("/checkpoint"))
    try:
        verify_consistency(named.size, known.size, named.root, known.root, consistency(source, named.size, known.size))
    except InvalidProof:
        return False
    finally:
        source.close()
    return True


def _of_state(named: Checkpoint, kept: Kept) -> bool | None:
    n, rest = divmod(named.size, WIDTH)
    if rest and n < kept.full:
        return None  # of those it holds too little; the older log itself has all
    return root_over(kept.roots[: n * HASH_BYTES], kept.tail[: rest * HASH_BYTES]) == named.root
