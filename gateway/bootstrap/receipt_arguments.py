"""The command line of `yimen receipts`; what it does is in `upstream_receipts`."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any

from gateway.settings import Settings


def add_receipts_command(commands: Any) -> None:
    """`yimen receipts check [--days N] [--most N] [--out DIR] | find ID | whose REFERENCE`."""
    receipts = commands.add_parser("receipts", help="what other districts' yimen recorded about our questions")
    kinds = receipts.add_subparsers(metavar="check|find|whose", required=True)
    check = kinds.add_parser("check", help="fetch and check the proofs of the receipts we keep; 1 where one is false")
    check.add_argument("--days", type=_figure, default=7, metavar="N", help="how far back; default %(default)s")
    check.add_argument("--most", type=_figure, default=200, metavar="N", help="receipts at most; default %(default)s")
    check.add_argument("--out", type=Path, metavar="DIR", help="also write each proof there, as ID.tlog-proof")
    check.set_defaults(command=_check)
    find = kinds.add_parser("find", help="which of our records keeps this receipt of another district")
    find.add_argument("id", metavar="ID")
    find.set_defaults(command=_find)
    whose = kinds.add_parser("whose", help="which of our organisations a reference in another district's record means")
    whose.add_argument("reference", metavar="REFERENCE")
    whose.set_defaults(command=_whose)


def _figure(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError("1 to 10000")
    return int(text)


def _check(given: argparse.Namespace) -> int:
    from gateway.bootstrap.upstream_receipts import check_receipts

    return asyncio.run(check_receipts(Settings.from_process(), given.days, given.most, given.out))


def _find(given: argparse.Namespace) -> int:
    from gateway.bootstrap.upstream_receipts import find_receipt

    return asyncio.run(find_receipt(Settings.from_process(), given.id))


def _whose(given: argparse.Namespace) -> int:
    from gateway.bootstrap.upstream_receipts import whose_reference

    return asyncio.run(whose_reference(Settings.from_process(), given.reference))
