"""The vectors of tests/vectors/ledger, and hands that sign with their keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ledger.note import COSIGNATURE, ED25519, Signer, parse_vkey
from ledger.policy import Policy, parse_policy

VECTORS = Path(__file__).parent.parent / "vectors" / "ledger"
TREE: dict[str, Any] = json.loads((VECTORS / "tree.json").read_text())
KEYS: dict[str, Any] = json.loads((VECTORS / "keys.json").read_text())
ENTRIES = [bytes.fromhex(one) for one in TREE["leaf_inputs"]]
LEAVES = [bytes.fromhex(one) for one in TREE["leaf_hashes"]]
ROOTS = [bytes.fromhex(one) for one in TREE["roots"]]
CHECKPOINT = (VECTORS / "size-7.checkpoint").read_bytes()
PROOF = (VECTORS / "index-3.tlog-proof").read_bytes()

LOG_KEY, WITNESS_KEY = parse_vkey(KEYS["log_vkey"]), parse_vkey(KEYS["witness_vkey"])
LOG = Signer(LOG_KEY.name, ED25519, bytes.fromhex(KEYS["log_seed"]))
WITNESS = Signer(WITNESS_KEY.name, COSIGNATURE, bytes.fromhex(KEYS["witness_seed"]))


def policy(quorum: str = "W") -> Policy:
    return parse_policy(f"log {LOG_KEY}\nwitness W {WITNESS_KEY}\nquorum {quorum}\n")


def signer(name: str, kind: int = COSIGNATURE, number: int = 0) -> Signer:
    """The same key for the same name and number, on every run."""
    return Signer(name, kind, f"{name} {kind} {number}".encode().ljust(32, b"\0")[-32:])
