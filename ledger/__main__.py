"""`python -m ledger`: see `ledger.audit.command`."""

from __future__ import annotations

import sys

from ledger.audit.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
