"""The command lines of `yimen credentials list | revoke | recheck | errands`; what they do is in `credential_life_command`."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from gateway.settings import Settings

LINES = """\
  yimen credentials list --person IDNO           某人的证明及状态 / what a person was issued and how it stands
  yimen credentials revoke BATCH --reason CODE   撤销（不可恢复） / end one for good; everybody it is shown to sees it
  yimen credentials recheck --person IDNO        立即复查事实 / look at the facts again now; the gateway does it
    [--type TYPE] | --type TYPE | --all          一类、或全部（排在个人之后） / of a type, or all, behind those of persons
  yimen credentials errands [--since DAY]        少跑的腿：免去的纸质证明 / papers nobody had to fetch
"""


def add_credential_life_commands(inner: Any) -> None:
    listing = inner.add_parser("list", help="what a person was issued and how it stands")
    listing.add_argument("--person", required=True, metavar="IDNO", help="ID number; - reads it from standard input")
    listing.set_defaults(command=_list)
    revoke = inner.add_parser("revoke", help="end one for good")
    revoke.add_argument("batch", metavar="BATCH")
    revoke.add_argument("--reason", required=True, metavar="CODE", help="a code or file mark, nothing about the person")
    revoke.set_defaults(command=_revoke)
    recheck = inner.add_parser("recheck", help="look at the facts again now")
    recheck.add_argument("--person", metavar="IDNO", help="ID number; - reads it from standard input")
    recheck.add_argument("--type", metavar="TYPE", action="append", help="may be given again")
    recheck.add_argument("--all", action="store_true")
    recheck.set_defaults(command=_recheck)
    errands = inner.add_parser("errands", help="papers nobody had to fetch")
    errands.add_argument("--since", metavar="YYYY-MM-DD", help="from this day on; default: ever")
    errands.set_defaults(command=_errands)


def _list(given: argparse.Namespace) -> int:
    from gateway.bootstrap.credential_life_command import list_credentials

    return asyncio.run(list_credentials(Settings.from_process(), given.person))


def _revoke(given: argparse.Namespace) -> int:
    from gateway.bootstrap.credential_life_command import revoke_batch

    return asyncio.run(revoke_batch(Settings.from_process(), given.batch, given.reason))


def _recheck(given: argparse.Namespace) -> int:
    from gateway.bootstrap.credential_life_command import recheck

    asked = recheck(Settings.from_process(), given.person, given.type, everybody=given.all)
    return asyncio.run(asked)


def _errands(given: argparse.Namespace) -> int:
    from gateway.bootstrap.credential_life_command import show_errands

    return asyncio.run(show_errands(Settings.from_process(), given.since))
