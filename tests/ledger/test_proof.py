"""tlog-proof files: written as C2SP writes them, and anything else is refused."""

from __future__ import annotations

import pytest

from ledger.encoding import b64
from ledger.errors import InvalidProof, InvalidSignature, Malformed, PolicyUnsatisfied
from ledger.note import parse_note
from ledger.proof import TlogProof, parse_proof, verify_proof
from tests.ledger.published import CHECKPOINT, LEAVES, PROOF, policy

HEAD, NOTE = b"c2sp.org/tlog-proof@v1\n", parse_note(CHECKPOINT)
HASH = b64(LEAVES[0]).encode() + b"\n"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        HEAD,
        HEAD + b"\n",
        HEAD + b"\n" + CHECKPOINT,
        HEAD + b"extra aGk=\n\n" + CHECKPOINT,
        HEAD + b"index 3\n" + CHECKPOINT.replace(b"\n\n", b"\n"),
        HEAD + b"index 3\n",
        HEAD + b"index 3\n\n",
        HEAD + b"index 3\nextra aGk=\n\n" + CHECKPOINT,
        HEAD + b"extra aGk=\nextra aGk=\nindex 3\n\n" + CHECKPOINT,
        HEAD + b"extra a\nindex 3\n\n" + CHECKPOINT,
        HEAD + b"extra\nindex 3\n\n" + CHECKPOINT,
        HEAD + b"index 3 \n\n" + CHECKPOINT,
        HEAD + b"index  3\n\n" + CHECKPOINT,
        HEAD + b"index 03\n\n" + CHECKPOINT,
        HEAD + b"index -0\n\n" + CHECKPOINT,
        HEAD + b"index 9223372036854775808\n\n" + CHECKPOINT,
        HEAD + b"index " + b"9" * 5000 + b"\n\n" + CHECKPOINT,
        HEAD + b"index\n\n" + CHECKPOINT,
        HEAD + b"3\n\n" + CHECKPOINT,
        HEAD + b"index 3\n" + HASH.replace(b"=", b"") + b"\n" + CHECKPOINT,
        HEAD + b"index 3\n" + HASH * 64 + b"\n" + CHECKPOINT,
        HEAD + b"index 3\r\n" + HASH + b"\n" + CHECKPOINT,
        HEAD + "index 3\n— \n".encode() + b"\n" + CHECKPOINT,
        HEAD.replace(b"v1", b"v2") + b"index 3\n\n" + CHECKPOINT,
        HEAD.upper() + b"index 3\n\n" + CHECKPOINT,
        b" " + PROOF,
        b"\n" + PROOF,
        b"\xef\xbb\xbf" + PROOF,
        PROOF + b"\n",
    ],
)
def test_what_is_not_a_proof(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_proof(data)


@pytest.mark.parametrize("hashes", [0, 1, 63])
@pytest.mark.parametrize("extra", [None, b"", b"\0anything\n\n"])
def test_a_proof_is_read_back(hashes: int, extra: bytes | None) -> None:
    proof = TlogProof(2**63 - 1, (LEAVES[0],) * hashes, NOTE, extra)
    assert parse_proof(bytes(proof)) == proof


def test_a_proof_proves_one_leaf_at_one_place_and_needs_its_witness() -> None:
    proof = parse_proof(PROOF)
    assert verify_proof(proof, LEAVES[3], policy()).checkpoint.size == 7
    with pytest.raises(InvalidProof):
        verify_proof(proof, LEAVES[4], policy())
    with pytest.raises(InvalidProof):
        verify_proof(TlogProof(7, proof.path, NOTE), LEAVES[3], policy())
    unwitnessed = TlogProof(3, proof.path, NOTE.__class__(NOTE.text, NOTE.signatures[:1]))
    assert verify_proof(unwitnessed, LEAVES[3], policy("none")).satisfied
    with pytest.raises(PolicyUnsatisfied):
        verify_proof(unwitnessed, LEAVES[3], policy())
    with pytest.raises(InvalidSignature):
        verify_proof(TlogProof(3, proof.path, NOTE.__class__(NOTE.text, NOTE.signatures[1:])), LEAVES[3], policy())
