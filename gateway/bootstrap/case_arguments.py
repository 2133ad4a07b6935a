"""The command line of `yimen cases`; what it does is in `cases`."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any

from gateway.settings import Settings


def add_case_commands(commands: Any) -> None:
    """`yimen cases import PATH [--dry-run]`."""
    cases = commands.add_parser("cases", help="the register of cases").add_subparsers(metavar="import", required=True)
    importing = cases.add_parser("import", help="from a folder of CSV files, or one CSV file")
    importing.add_argument("path", type=Path)
    importing.add_argument("--dry-run", action="store_true", help="every fault, and nothing done")
    importing.set_defaults(command=_import)


def _import(given: argparse.Namespace) -> int:
    from gateway.bootstrap.cases import import_cases

    return asyncio.run(import_cases(Settings.from_process(), given.path, dry_run=given.dry_run))
