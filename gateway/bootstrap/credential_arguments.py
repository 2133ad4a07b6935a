"""The command `yimen credentials`: each room adds its own lines."""

from __future__ import annotations

import argparse
from typing import Any

from gateway.bootstrap.credential_key_arguments import add_credential_key_commands

MANUAL = """\
证件凭证：签名密钥，以及已签发的凭证 / credentials: the keys they are signed with, and what was issued.

  yimen credentials keys list|rotate|compromised|csr|install    签名密钥 / the signing keys; keys --help is their manual
"""


def add_credentials_command(commands: Any) -> None:
    parser = commands.add_parser(
        "credentials",
        help="keys credentials are signed with, and what was issued",
        description=MANUAL,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    inner = parser.add_subparsers(metavar="COMMAND", required=True)
    add_credential_key_commands(inner)
