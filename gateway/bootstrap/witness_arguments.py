"""The command lines of `yimen witness`; what they do is in `witness_command`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_witness_commands(commands: Any) -> None:
    """`yimen witness key new|show`, `init`, `logs add|list`, `serve`, `status`."""
    fill_witness_parser(commands.add_parser("witness", help="watch a ledger for your own agency, on your own machine"))


def fill_witness_parser(parser: argparse.ArgumentParser) -> None:
    witness = parser.add_subparsers(metavar="key|init|logs|serve|status", required=True)
    key = witness.add_parser("key", help="the witness's own key").add_subparsers(metavar="new|show", required=True)
    new = key.add_parser("new", help="make one; prints its vkey, which is for everybody")
    new.add_argument("name", metavar="NAME", help="like ga.example.gov/witness")
    new.add_argument("file", type=Path, metavar="FILE")
    new.set_defaults(command=_key_new)
    show = key.add_parser("show", help="the vkey of a key")
    show.add_argument("file", type=Path, metavar="FILE")
    show.set_defaults(command=_key_show)

    init = witness.add_parser("init", help="make the directory it remembers in; once in a key's life, never again")
    init.set_defaults(command=_init)
    logs = witness.add_parser("logs", help="which logs it watches").add_subparsers(metavar="add|list", required=True)
    add = logs.add_parser("add", help="one more log, or one more key of one; then SIGHUP to a witness that serves")
    add.add_argument("vkey", metavar="VKEY")
    add.set_defaults(command=_logs_add)
    listing = logs.add_parser("list", help="the keys of the logs")
    listing.set_defaults(command=_logs_list)
    status = witness.add_parser("status", help="what it cosigned last, and when")
    status.set_defaults(command=_status)
    serve = witness.add_parser("serve", help="answer logs, until SIGTERM")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    serve.add_argument("--port", type=_port, default=8440, help="port to listen on; 0 picks a free one (default: 8440)")
    serve.set_defaults(command=_serve)

    for one in (init, status, serve):
        one.add_argument(
            "--directory", type=Path, required=True, metavar="DIR", help="where it remembers; never restore it"
        )
    for one in (init, add, listing, status, serve):
        one.add_argument("--config", type=Path, required=True, metavar="FILE", help="lines `key FILE` and `log VKEY`")


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise ValueError
    return number


def _key_new(given: argparse.Namespace) -> int:
    from gateway.bootstrap.witness_command import new_key

    print(new_key(given.name, given.file))
    return 0


def _key_show(given: argparse.Namespace) -> int:
    from gateway.bootstrap.witness_command import show_key

    print(show_key(given.file))
    return 0


def _init(given: argparse.Namespace) -> int:
    from gateway.bootstrap.witness_command import initialize

    print(initialize(given.directory, given.config))
    return 0


def _logs_add(given: argparse.Namespace) -> int:
    from gateway.bootstrap.witness_command import add_log

    print(*add_log(given.vkey, given.config), sep="\n")
    return 0


def _logs_list(given: argparse.Namespace) -> int:
    from gateway.bootstrap.witness_command import list_logs

    print(*list_logs(given.config), sep="\n")
    return 0


def _status(given: argparse.Namespace) -> int:
    from gateway.bootstrap.witness_command import status

    print(*status(given.directory, given.config), sep="\n")
    return 0


def _serve(given: argparse.Namespace) -> int:
    from gateway.bootstrap.witness_command import serve

    return serve(given.directory, given.config, given.host, given.port)
