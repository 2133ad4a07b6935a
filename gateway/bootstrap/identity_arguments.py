"""The command lines of `yimen identities` and `yimen persons`; what they do is in `identities`."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any

from gateway.settings import Settings


def add_identity_commands(commands: Any) -> None:
    """`yimen identities import PATH [--dry-run] [--full]`, `identities list`, `persons enrol FILE`, `persons erase`."""
    identities = commands.add_parser("identities", help="organisations, posts, officers, devices").add_subparsers(
        metavar="import|list", required=True
    )
    importing = identities.add_parser("import", help="from a folder of CSV files, one CSV file, or one JSON file")
    importing.add_argument("path", type=Path)
    importing.add_argument("--dry-run", action="store_true", help="show every change and every fault, do nothing")
    importing.add_argument("--full", action="store_true", help="switch off officers and devices that are not named")
    importing.set_defaults(command=_import)
    identities.add_parser("list", help="who there is").set_defaults(command=_list)

    persons = commands.add_parser("persons", help="enrol (demo) or erase persons").add_subparsers(
        metavar="enrol|erase", required=True
    )
    enrol = persons.add_parser("enrol", help="from a CSV file: id_no, name, phone; demo only")
    enrol.add_argument("file", type=Path)
    enrol.add_argument("--org", required=True, metavar="ORG_ID", help="the organisation that enrols them")
    enrol.set_defaults(command=_enrol)
    erase = persons.add_parser(
        "erase", help="destroy a person's key and all it opens, backups included; prints a certificate"
    )
    erase.add_argument("--reason", required=True, metavar="CODE", help="a code or file mark, nothing about the person")
    erase.add_argument("--pid", help="as --org knows them; default: the ID number is read from standard input")
    erase.add_argument("--org", metavar="ORG_ID", help="whose pid it is")
    erase.add_argument("--yes", action="store_true", help="do not ask again")
    erase.set_defaults(command=_erase)


def _import(given: argparse.Namespace) -> int:
    from gateway.bootstrap.identities import import_identities

    return asyncio.run(import_identities(Settings.from_process(), given.path, dry_run=given.dry_run, full=given.full))


def _list(_given: argparse.Namespace) -> int:
    from gateway.bootstrap.identities import list_identities

    return asyncio.run(list_identities(Settings.from_process()))


def _enrol(given: argparse.Namespace) -> int:
    from gateway.bootstrap.identities import enrol_persons

    return asyncio.run(enrol_persons(Settings.from_process(), given.file, given.org))


def _erase(given: argparse.Namespace) -> int:
    from gateway.bootstrap.erasing import erase_person

    return asyncio.run(
        erase_person(Settings.from_process(), reason=given.reason, pid=given.pid, org=given.org, sure=given.yes)
    )
