"""`python -m gateway.bootstrap.witness serve ...`: `yimen witness` without the rest of the gateway.

It needs six packages instead of all, and half the memory; see docs/guides/witness.md.
"""

from __future__ import annotations

import argparse
import sys

from gateway.bootstrap.witness_arguments import fill_witness_parser
from gateway.errors import GatewayError


def main() -> int:
    parser = argparse.ArgumentParser("yimen witness")
    fill_witness_parser(parser)
    given = parser.parse_args()
    try:
        return int(given.command(given))
    except GatewayError as error:
        print(f"{error.code}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
