"""The specification crib's list of what must fail, a test to each line; all from the published vectors."""

from __future__ import annotations

from hashlib import sha256

import pytest

from ledger.checkpoint import parse_checkpoint
from ledger.encoding import b64
from ledger.errors import InvalidProof, InvalidSignature, Malformed
from ledger.merkle import verify_inclusion
from ledger.note import COSIGNATURE, ED25519, Signature, Signer, VerifierKey, parse_note, parse_vkey, verify_note
from ledger.policy import parse_policy
from ledger.proof import parse_proof, verify_proof
from tests.ledger.published import CHECKPOINT, ENTRIES, LEAVES, LOG, LOG_KEY, PROOF, ROOTS, WITNESS, WITNESS_KEY, policy

PATH = list(parse_proof(PROOF).path)


def test_path_with_one_hash_removed_added_or_swapped() -> None:
    spoiled = [PATH[:at] + PATH[at + 1 :] for at in range(3)]
    spoiled += [[*PATH[:at], LEAVES[0], *PATH[at:]] for at in range(4)]
    spoiled += [[PATH[1], PATH[0], PATH[2]], [PATH[0], PATH[2], PATH[1]], PATH[::-1]]
    for path in spoiled:
        with pytest.raises(InvalidProof):
            verify_inclusion(LEAVES[3], 3, 7, path, ROOTS[6])


@pytest.mark.parametrize(("index", "size"), [(2, 7), (4, 7), (3, 9), (3, 4), (7, 7), (-1, 7), (3, 0)])
def test_index_or_size_off_by_one(index: int, size: int) -> None:
    with pytest.raises(InvalidProof):
        verify_inclusion(LEAVES[3], index, size, PATH, ROOTS[6])


def test_a_size_off_by_one_that_leads_to_the_same_root_is_refused_by_the_signature() -> None:
    """The path of entry 3 has the same form in trees of 5 to 8 entries: a size is true because it is signed."""
    verify_inclusion(LEAVES[3], 3, 8, PATH, ROOTS[6])
    with pytest.raises(InvalidSignature):
        verify_proof(parse_proof(PROOF.replace(b"\n7\n", b"\n8\n")), LEAVES[3], policy())


def test_leaf_hashed_without_its_prefix() -> None:
    with pytest.raises(InvalidProof):
        verify_proof(parse_proof(PROOF), sha256(ENTRIES[3]).digest(), policy())


@pytest.mark.parametrize(
    "size", ["07", "+7", "-0", "-7", " 7", "7 ", "", "7.0", "7e0", "0x7", "７", "9223372036854775808"]
)
def test_sizes_written_in_another_way(size: str) -> None:
    with pytest.raises(Malformed):
        parse_checkpoint(f"ledger.example/test\n{size}\n{b64(ROOTS[6])}\n")


@pytest.mark.parametrize(
    "root", [b64(ROOTS[6]).rstrip("="), b64(ROOTS[6][:31]), b64(ROOTS[6] + b"\0"), b64(ROOTS[6]) + "\n", b64(ROOTS[6])[:-2] + "x="]
)  # fmt: skip
def test_root_without_padding_of_another_length_or_with_stray_bits(root: str) -> None:
    with pytest.raises(Malformed):
        parse_checkpoint(f"ledger.example/test\n7\n{root}\n")


def test_note_without_the_empty_line() -> None:
    with pytest.raises(Malformed):
        parse_note(CHECKPOINT.replace(b"\n\n", b"\n"))


@pytest.mark.parametrize("dash", ["-", "--", "–", "―", "- ", ""])
def test_a_line_that_begins_with_another_dash(dash: str) -> None:
    with pytest.raises(Malformed):
        parse_note(CHECKPOINT.replace("—".encode(), dash.encode()))


def test_key_id_of_another_name() -> None:
    with pytest.raises(Malformed):
        parse_vkey(str(LOG_KEY).replace("ledger.example/test", "ledger.example/tesu"))
    note = parse_note(CHECKPOINT)
    other = VerifierKey("ledger.example/tesu", ED25519, LOG_KEY.public)
    with pytest.raises(InvalidSignature, match="no known key"):
        verify_note(note, [other])


def test_cosignature_verified_without_its_two_header_lines() -> None:
    """A witness's key that signs the bare text has cosigned nothing; nor is a cosignature a signature of the text."""
    note = parse_note(CHECKPOINT)
    bare = Signer(
        WITNESS.name, ED25519, bytes.fromhex("60c5590f72eef292f9545afc28bf63ca91d2016a0a288f90f9a32f89d3fffcaf")
    )
    at = (1700000000).to_bytes(8, "big")
    spoiled = Signature(WITNESS_KEY.name, WITNESS_KEY.id, at + bare.sign(note.text).value)
    with pytest.raises(InvalidSignature):
        verify_note(note.__class__(note.text, (spoiled,)), [WITNESS_KEY])
    stripped = Signature(bare.name, bare.key.id, note.signatures[1].value[8:])
    with pytest.raises(InvalidSignature):
        verify_note(note.__class__(note.text, (stripped,)), [bare.key])


@pytest.mark.parametrize("at", [0, 1699999999, 1700000001, 2**63, 2**64 - 1])
def test_cosignature_time_altered(at: int) -> None:
    note = parse_note(CHECKPOINT)
    line = note.signatures[1]
    altered = Signature(line.name, line.key_id, at.to_bytes(8, "big") + line.value[8:])
    with pytest.raises(InvalidSignature):
        verify_note(note.__class__(note.text, (altered,)), [WITNESS_KEY])


def test_a_log_key_is_no_witness_and_a_witness_key_no_log() -> None:
    assert (LOG.key.type, WITNESS.key.type) == (ED25519, COSIGNATURE)
    with pytest.raises(Malformed, match=r"line 1 .*witnesses"):
        parse_policy(f"witness W {LOG_KEY}\nquorum W\n")
    with pytest.raises(Malformed, match=r"line 1 .*logs"):
        parse_policy(f"log {WITNESS_KEY}\nquorum none\n")
