"""The command line of `yimen officers`; what it does is in `logging_in`."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from gateway.settings import Settings


def add_officers_command(commands: Any) -> None:
    officers = commands.add_parser("officers", help="how officers log in").add_subparsers(
        metavar="invite|link", required=True
    )
    invite = officers.add_parser("invite", help="a one-time link to set a password and a second factor")
    invite.add_argument("login", metavar="LOGIN")
    invite.set_defaults(command=_invite)
    link = officers.add_parser("link", help="an account at an OIDC provider is this officer's")
    link.add_argument("login", metavar="LOGIN")
    link.add_argument("provider", metavar="PROVIDER", help="its name in oidc_providers_file")
    link.add_argument("subject", metavar="SUB", help="the account's `sub` there")
    link.set_defaults(command=_link)


def _invite(given: argparse.Namespace) -> int:
    from gateway.bootstrap.logging_in import INVITATION_HOURS, invite_officer

    print(asyncio.run(invite_officer(Settings.from_process(), given.login)))
    print(f"请当面交给本人，{INVITATION_HOURS} 小时内有效，只能用一次；此前的链接作废。")
    print(f"Hand it over in person: good for {INVITATION_HOURS} hours, once; earlier links have ended.")
    return 0


def _link(given: argparse.Namespace) -> int:
    from gateway.bootstrap.logging_in import link_officer

    asyncio.run(link_officer(Settings.from_process(), given.login, given.provider, given.subject))
    print("已关联 linked")
    return 0
