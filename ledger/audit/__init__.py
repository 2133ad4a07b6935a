"""What an auditor runs on a machine of its own: `python -m ledger`. Standard library and `cryptography` only."""
