"""Keeping the ledger: from the outbox to an index, a signed checkpoint, witnesses, and proofs anybody can check."""
