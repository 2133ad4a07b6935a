"""The command lines of `yimen identities` and `yimen persons`; what they do is in `identities`."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any

from gateway.settings import Settings


def add_identity_commands(commands: Any) -> None:
    """`yimen identities import PATH [--dry-run] [--full]`, `identities list`, `persons enrol FILE`."""
    identities = commands.add_parser("identities", help="organisations, posts, officers, devices").add_subparsers(
        metavar="import|list", required=True
    )
    importing = identities.add_parser("import", help="from a folder of CSV files, one CSV file, or one JSON file")
    importing.add_argument("path", type=Path)
    importing.add_argument("--dry-run", action="store_true", help="show every change and every fault, do nothing")
    importing.add_argument("--full", action="store_true", help="switch off officers and devices that are not named")
    importing.set_defaults(command=_import)
    identities.add_parser("list", help="who there is").set_defaults(command=_list)

    persons = commands.add_parser("persons", help="enrolled persons (demo)").add_subparsers(
        metavar="enrol", required=True
    )
    enrol = persons.add_parser("enrol", help="from a CSV file: id_no, name, phone; demo only")
    enrol.add_argument("file", type=Path)
    enrol.add_argument("--org", required=True, metavar="ORG_ID", help="the organisation that enrols them")
    enrol.set_defaults(command=_enrol)


def _import(given: argparse.Namespace) -> int:
    from gateway.bootstrap.identities import import_identities

    return asyncio.run(import_identities(Settings.from_process(), given.path, dry_run=given.dry_run, full=given.full))


def _list(_given: argparse.Namespace) -> int:
    from gateway.bootstrap.identities import list_identities

    return asyncio.run(list_identities(Settings.from_process()))


def _enrol(given: argparse.Namespace) -> int:
    from gateway.bootstrap.identities import enrol_persons

    return asyncio.run(enrol_persons(Settings.from_process(), given.file, given.org))
