"""A checkpoint that somebody shows us as ours, laid beside our own tree."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.services.ledger.ports import LedgerReader, Tree
from ledger.errors import InvalidProof
from ledger.merkle import verify_consistency
from ledger.note import VerifierKey, parse_note
from ledger.policy import signed_checkpoint

AHEAD, DIFFERS = "WITNESS_AHEAD", "TREE_DIFFERS"


async def compare(shown: bytes, tree: Tree, keys: Sequence[VerifierKey], reader: LedgerReader) -> str | None:
    """None where our tree leads on from it; AHEAD where it is larger than our tree, so that we lost entries or somebody
    signs as us; DIFFERS where our tree does not begin with it.

    Raises Malformed, InvalidSignature for what our log never signed: that proves nothing against us.
    """
    checkpoint = signed_checkpoint(parse_note(shown), tree.origin, keys)
    if checkpoint.size > tree.size:
        return AHEAD
    proof = await reader.consistency(tree.shard, checkpoint.size, tree.size)
    try:
        verify_consistency(checkpoint.size, tree.size, checkpoint.root, tree.root, proof)
    except InvalidProof:
        return DIFFERS
    return None
