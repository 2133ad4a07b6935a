"""Which parts there are, and running them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from bench.credentials import cold_verify, issuer, sdjwt, status
from bench.credentials.table import Part, write

PARTS: Mapping[str, Callable[[int], Part]] = {
    "sdjwt": sdjwt.measured,
    "issuer": issuer.measured,
    "status": status.measured,
    "verify": cold_verify.measured,
}
"""Name for the command line -> the part. A further part is one more module and one more line here."""


def main(what: str, rounds: int) -> int:
    """All parts or one; writes bench/CREDENTIALS.md. 1 where a target of the issue was missed."""
    wanted = PARTS if what == "all" else {what: PARTS[what]}
    parts = [measured(rounds) for measured in wanted.values()]
    write(parts)
    for part in parts:
        print(f"## {part.title}\n\n{part.text}\n")
    for missed in (missed for part in parts for missed in part.missed):
        print(f"bench: missed: {missed}", file=sys.stderr)
    return 1 if any(part.missed for part in parts) else 0
