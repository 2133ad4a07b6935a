"""Bytes that others computed: Go's tlog and note packages, and the specification's own example."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.checkpoint import Checkpoint, parse_checkpoint
from ledger.encoding import b64
from ledger.merkle import (
    EMPTY_ROOT,
    consistency_ranges,
    inclusion_ranges,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from ledger.note import parse_note, parse_vkey, sign_note, verify_note
from ledger.policy import verify_checkpoint
from ledger.proof import TlogProof, parse_proof, verify_proof
from tests.ledger.published import (
    CHECKPOINT,
    ENTRIES,
    KEYS,
    LEAVES,
    LOG,
    LOG_KEY,
    PROOF,
    ROOTS,
    TREE,
    VECTORS,
    WITNESS,
    WITNESS_KEY,
    policy,
)


def test_leaves_and_roots_of_the_eight_published_trees() -> None:
    assert [leaf_hash(one) for one in ENTRIES] == LEAVES
    assert [root_of(LEAVES[:size]) for size in range(1, 9)] == ROOTS
    assert root_of([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("case", TREE["inclusion"], ids=lambda case: f"{case['index']} in {case['size']}")
def test_published_inclusion_paths_are_made_and_verified(case: dict[str, Any]) -> None:
    index, size, published = case["index"], case["size"], case["path"]
    path = [root_of(LEAVES[one.start : one.end]) for one in inclusion_ranges(index, size)]
    assert [one.hex() for one in path] == published
    verify_inclusion(LEAVES[index], index, size, path, ROOTS[size - 1])


@pytest.mark.parametrize("case", TREE["consistency"], ids=lambda case: f"{case['old']} to {case['new']}")
def test_published_consistency_proofs_are_made_and_verified(case: dict[str, Any]) -> None:
    old, new, published = case["old"], case["new"], case["proof"]
    proof = [root_of(LEAVES[one.start : one.end]) for one in consistency_ranges(old, new)]
    assert [one.hex() for one in proof] == published
    verify_consistency(old, new, ROOTS[old - 1], ROOTS[new - 1], proof)


def test_the_published_checkpoint_is_written_signed_and_read() -> None:
    text = Checkpoint("ledger.example/test", 7, ROOTS[6]).text
    note = sign_note(text, [LOG])
    note = note.with_signatures([WITNESS.sign(text, KEYS["cosigned_at"])])
    assert bytes(note) == CHECKPOINT
    read = parse_note(CHECKPOINT)
    assert parse_checkpoint(read.text) == Checkpoint("ledger.example/test", 7, ROOTS[6])
    assert [(one.key, one.at) for one in verify_note(read, [LOG_KEY, WITNESS_KEY])] == [
        (LOG_KEY, None),
        (WITNESS_KEY, 1700000000),
    ]
    believed = verify_checkpoint(read, policy())
    assert believed.satisfied
    assert dict(believed.witnesses) == {"W": 1700000000}


def test_the_published_keys_are_written_as_published() -> None:
    assert str(LOG.key) == KEYS["log_vkey"]
    assert str(WITNESS.key) == KEYS["witness_vkey"]


def test_the_published_proof_is_written_and_verified() -> None:
    path = tuple(root_of(LEAVES[one.start : one.end]) for one in inclusion_ranges(3, 7))
    assert bytes(TlogProof(3, path, parse_note(CHECKPOINT), b"hi")) == PROOF
    proof = parse_proof(PROOF)
    assert (proof.index, proof.extra) == (3, b"hi")
    believed = verify_proof(proof, leaf_hash(ENTRIES[3]), policy())
    assert (believed.checkpoint.size, b64(believed.checkpoint.root)) == (7, b64(ROOTS[6]))


def test_the_example_of_the_signed_note_specification_verifies() -> None:
    key = parse_vkey((VECTORS / "c2sp-example.vkey").read_text().strip())
    note = parse_note((VECTORS / "c2sp-example.note").read_bytes())
    assert note.text == "This is an example message.\n"
    assert [one.key for one in verify_note(note, [key])] == [key]


def test_the_empty_tree_has_the_published_root() -> None:
    assert parse_checkpoint(f"a.example\n0\n{b64(EMPTY_ROOT)}\n").size == 0
