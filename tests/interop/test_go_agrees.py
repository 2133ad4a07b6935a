"""Two implementations are asked the same hostile questions: what we take Go takes, and what we refuse it refuses.

Where we are the stricter, it is on purpose: Go's base64 reads past line ends and stray bits, and of two signatures by one
key it looks at the first only.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Sequence
from hashlib import sha256

from ledger.encoding import unb64
from ledger.errors import LedgerError, Malformed
from ledger.merkle import (
    Frontier,
    Node,
    consistency_ranges,
    inclusion_ranges,
    leaf_hash,
    proof_hashes,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from ledger.note import parse_note
from ledger.policy import parse_policy, verify_checkpoint
from tests.interop.go_client import GoClient
from tests.ledger.published import CHECKPOINT, LOG, LOG_KEY, WITNESS_KEY, signer

POLICY = parse_policy(f"log {LOG_KEY}\nwitness W {WITNESS_KEY}\nquorum none\n")
PIECES = [
    b"\n", b"\n\n", b" ", b"\t", b"\r", b"\0", b"=", b"+", b"-", "—".encode(), "— ".encode(), b"0", b"7", b"\xff", b"A",
    "\u00a0".encode(), "\u2028".encode(), "\x85".encode(), "\u3000".encode(), "\u180e".encode(), "\u200b".encode(),
    "\ufeff".encode(), b"\x7f", b"\x1c", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"ledger.example/test",
    str(LOG.sign("another\n")).encode(), str(signer("stranger.example").sign("x\n", 5)).encode(),
    *(line + b"\n" for line in CHECKPOINT.split(b"\n") if line),
]  # fmt: skip
LEAVES = [leaf_hash(b"%d" % number) for number in range(70)]


def _spoiled(dice: random.Random) -> bytes:
    """One to three pieces put in, over bytes or between lines; mostly below the text, where more is allowed."""
    data = CHECKPOINT
    for _ in range(dice.choice([1, 1, 2, 3])):
        from_line = dice.choice([0, 4, 4, 4])
        starts = [0, *(at + 1 for at in range(len(data)) if data[at : at + 1] == b"\n")]
        if dice.random() < 0.7:
            at, cut = dice.choice(starts[from_line:] or starts), 0
        else:
            at, cut = dice.randrange(len(data)), dice.choice([0, 1, 2, 30])
        data = data[:at] + dice.choice([*PIECES, b""]) + data[at + cut :]
    return data


def _ours(data: bytes) -> bool:
    try:
        verify_checkpoint(parse_note(data), POLICY)
    except LedgerError:
        return False
    return True


def test_notes(go: GoClient) -> None:
    dice = random.Random(20261125)  # the same notes on every run
    notes = [CHECKPOINT, *(_spoiled(dice) for _ in range(4000))]
    asked = [
        {"Note": base64.b64encode(data).decode(), "Logs": [str(LOG_KEY)], "Witnesses": [str(WITNESS_KEY)]}
        for data in notes
    ]
    differ = [
        (data, we)
        for data, we, go_takes in zip(notes, map(_ours, notes), go.judge(asked), strict=True)
        if we != go_takes
    ]
    stricter = [data for data, we in differ if not we and (_has_loose_base64(data) or _signed_twice(data))]
    assert [data for data, _ in differ if data not in stricter] == []
    assert sum(map(_ours, notes)) > 100


def _has_loose_base64(data: bytes) -> bool:
    for line in data.decode(errors="replace").split("\n"):
        if line.startswith("— "):
            try:
                unb64(line.split(" ")[-1])
            except Malformed:
                return True
    return False


def _signed_twice(data: bytes) -> bool:
    known = [(key.name, key.id) for key in (LOG_KEY, WITNESS_KEY)]
    signed = [(one.name, one.key_id) for one in parse_note(data).signatures]
    return any(signed.count(one) > 1 for one in known)


def _read(nodes: Sequence[Node]) -> list[bytes]:
    return [root_of(LEAVES[n << h : (n + 1) << h]) for h, n in nodes]


def _changed(dice: random.Random, proof: list[bytes], foreign: Sequence[bytes]) -> list[bytes]:
    proof = list(proof)
    match dice.randrange(6):
        case 0 if proof:
            del proof[dice.randrange(len(proof))]
        case 1:
            proof.insert(dice.randint(0, len(proof)), dice.choice([*foreign, *proof]))
        case 2 if len(proof) > 1:
            dice.shuffle(proof)
        case 3 if proof:
            proof[dice.randrange(len(proof))] = dice.choice(foreign)
    return proof


def _base64(*hashes: bytes) -> list[str]:
    return [base64.b64encode(one).decode() for one in hashes]


def test_inclusion_and_consistency(go: GoClient) -> None:
    dice = random.Random(42)  # the same proofs on every run
    roots = [Frontier().root(), *(root_of(LEAVES[:size]) for size in range(1, len(LEAVES) + 1))]
    foreign = [sha256(b"foreign").digest(), *LEAVES[:3], *roots[:5]]
    asked, ours = [], []

    def off(number: int) -> int:
        return max(1, number + dice.choice([0, 0, 0, 0, -1, 1, 64]))

    for _ in range(6000):
        size = dice.randint(1, len(LEAVES))
        index, old = dice.randrange(size), dice.randint(1, size)
        path = _changed(dice, proof_hashes(inclusion_ranges(index, size), _read), foreign)
        said_index, said_size = off(index + 1) - 1, off(size)
        asked.append({
            "Size": said_size, "Old": said_index, "Root": _base64(roots[size])[0], "Leaf": _base64(LEAVES[index])[0],
            "Proof": _base64(*path),
        })  # fmt: skip
        ours.append(_holds(lambda: verify_inclusion(LEAVES[index], said_index, said_size, path, roots[size])))  # noqa: B023
        proof = _changed(dice, proof_hashes(consistency_ranges(old, size), _read), foreign)
        said_old, said_size, old_root = off(old), off(size), dice.choice([roots[old], roots[old], roots[old], roots[1]])
        asked.append({
            "Size": said_size, "Old": said_old, "Root": _base64(roots[size])[0], "OldRoot": _base64(old_root)[0],
            "Proof": _base64(*proof),
        })  # fmt: skip
        ours.append(_holds(lambda: verify_consistency(said_old, said_size, old_root, roots[size], proof)))  # noqa: B023
    assert go.judge(asked) == ours
    assert 1000 < sum(ours) < len(ours) - 1000


def _holds(check: object) -> bool:
    try:
        check()  # type: ignore[operator]
    except LedgerError:
        return False
    return True
