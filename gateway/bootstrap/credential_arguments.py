"""The command `yimen credentials`: each room adds its own lines."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from gateway.bootstrap.credential_key_arguments import add_credential_key_commands
from gateway.bootstrap.credential_life_arguments import LINES, add_credential_life_commands

MANUAL = """\
证件凭证：签名密钥，以及已签发的凭证 / credentials: the keys they are signed with, and what was issued.

  yimen credentials keys list|rotate|compromised|csr|install    签名密钥 / the signing keys; keys --help is their manual
  yimen credentials types check [DIR]    检查凭证类型文件 / every fault of a folder of credential types, with file and line
"""


def add_credentials_command(commands: Any) -> None:
    parser = commands.add_parser(
        "credentials",
        help="keys credentials are signed with, and what was issued",
        description=MANUAL + LINES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    inner = parser.add_subparsers(metavar="COMMAND", required=True)
    add_credential_key_commands(inner)
    add_credential_life_commands(inner)
    types = inner.add_parser("types", help="kinds of credentials").add_subparsers(metavar="check", required=True)
    check = types.add_parser("check", help="every fault at once, with file and line; then every type and its facts")
    check.add_argument("directory", type=Path, nargs="?", help="further types, beside those that come with yimen")
    check.set_defaults(command=_check_types)


def _check_types(given: argparse.Namespace) -> int:
    from gateway.bootstrap.credential_types import check_types

    return check_types(given.directory)
