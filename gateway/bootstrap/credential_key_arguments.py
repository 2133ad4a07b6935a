"""The command lines of `yimen credentials keys`; what they do is in `credential_key_command`."""

from __future__ import annotations

import argparse
import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.settings import Settings

MANUAL = """\
凭证签名密钥 / the keys credentials are signed with. Two rings: issuer (凭证、状态列表 credentials, status lists) and
verifier (出示请求 requests to show something). 每环有现用、备用、退役密钥 / each has a current, a next, and retired keys.

  yimen credentials keys list                    列出密钥、证书到期日 / every key, its state, when its certificate ends
  yimen credentials keys rotate                  备用密钥启用，旧密钥仍可验证 / the next key signs; what the old one signed verifies
  yimen credentials keys compromised KID         密钥泄露：立即停用并撤销 / a key was stolen: it signs no more; what it signed
    [--since 2026-11-26T08:00+08:00]             自该时刻起所签的凭证 / from that moment on (default: now) is revoked
  yimen credentials keys csr [--kid KID]         证书请求，交给证书机构 / a certificate request for your bureau (default: the next key)
  yimen credentials keys install CERTFILE        安装机构证书链（PEM，含根） / its answer: leaf, intermediates and root, as PEM

  --use verifier                                 指验证方密钥环 / means the other ring (default: issuer)

换用前须已公布 15 分钟 / a key must have been published 15 minutes before it signs. 各进程数秒内换用 / every process follows within seconds.
处置手册 / what to do when: docs/guides/credential-keys.md
"""


def add_credential_key_commands(commands: Any) -> None:
    parser = commands.add_parser(
        "keys",
        help="the keys credentials are signed with",
        description=MANUAL,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    keys = parser.add_subparsers(metavar="list|rotate|compromised|csr|install", required=True)
    for name, text, command in (
        ("list", "keys, their states and certificates", _list),
        ("rotate", "the next key signs from now on", _rotate),
        ("compromised", "a key was stolen; what it signed since is revoked", _compromised),
        ("csr", "a certificate request, as PEM", _csr),
        ("install", "a bureau's certificate chain for one of our keys", _install),
    ):
        one = keys.add_parser(name, help=text)
        if name != "list":
            one.add_argument("--use", choices=("issuer", "verifier"), default="issuer", help="which ring")
        if name == "rotate":
            one.add_argument(
                "--uncertified",
                action="store_true",
                help="机构证书换成自建证书也可 even from a bureau's certificate to ours",
            )
        if name == "compromised":
            one.add_argument("kid", metavar="KID")
            one.add_argument("--since", type=_instant, metavar="ISO", help="with its zone; default: now")
            one.add_argument("--yes", action="store_true", help="不再询问 do not ask again")
        if name == "csr":
            one.add_argument("--kid", metavar="KID")
        if name == "install":
            one.add_argument("file", type=Path, metavar="CERTFILE")
        one.set_defaults(command=command)


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError
    return at


def _list(_given: argparse.Namespace) -> int:
    from gateway.bootstrap.credential_key_command import list_keys

    return asyncio.run(list_keys(Settings.from_process()))


def _rotate(given: argparse.Namespace) -> int:
    from gateway.bootstrap.credential_key_command import rotate_key

    return asyncio.run(rotate_key(Settings.from_process(), given.use, uncertified=given.uncertified))


def _compromised(given: argparse.Namespace) -> int:
    from gateway.bootstrap.credential_key_command import give_up_key

    asked = give_up_key(Settings.from_process(), given.use, given.kid, given.since, sure=given.yes)
    return asyncio.run(asked)


def _csr(given: argparse.Namespace) -> int:
    from gateway.bootstrap.credential_key_command import print_request

    return asyncio.run(print_request(Settings.from_process(), given.use, given.kid))


def _install(given: argparse.Namespace) -> int:
    from gateway.bootstrap.credential_key_command import install_certificate

    return asyncio.run(install_certificate(Settings.from_process(), given.use, given.file))
