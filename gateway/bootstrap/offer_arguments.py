"""The command line of `yimen offers`; what it does is in `offer_command`."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any

from gateway.services.credentials.ports import AUTHORIZATION_CODE, PRE_AUTHORIZED
from gateway.settings import Settings

MANUAL = """\
电子证明领取邀请 / offers: what leads a person to an electronic credential, by link, message or QR code.

  yimen offers create --person IDNO --credential TYPE    向一人发出邀请，打印链接 / offer to one person; prints the links
    [--name NAME]            同时核对姓名 / and check the name they are registered under
    [--send]                 短信发到本人登记的手机 / send the link to the phone they enrolled
    [--tx-code]              另需领取码，打印在此，勿与链接同一渠道 / ask for a code besides; printed here, never with the link
    [--send-code]            领取码另发一条短信 / the code in a message of its own
    [--flow authorization_code]   本人登录后领取（高保障） / the person logs in first (high assurance)
    [--qr FILE]              二维码（.svg .png .txt），供柜台扫码 / a QR code for a counter
    [--org ORG] [--case NO]  以何机构、何案件办理；默认为现监管机构 / for which body and case; default: the body that supervises
  yimen offers show ID                                   经过：打开、领取、保存 / its timeline: opened, redeemed, stored
  yimen offers list [--org ORG] [--person IDNO]          近期邀请 / the latest ones
  yimen offers cancel ID                                 撤回未领取的邀请 / end one that was not redeemed
  yimen offers bulk FILE --credential TYPE --org ORG     为多人发出，每行一个证件号码 / for many: one ID number a line
    [--send] [--tx-code] [--out FILE]                    每人各有结果 / each with an outcome of their own
  yimen offers bulk --resume ID                          中断后继续 / go on after it was stopped, whoever stopped it

--person - 从标准输入读取证件号码 / reads the ID number from standard input, where no process list shows it.
查无此人、已封存、无依据，答复相同：NO_GROUND / unknown, sealed and no ground are answered alike.
凭证在何处出示，此处不知 / where a credential is shown is not known here. 手册 / manual: docs/guides/offers.md
"""


def add_offer_commands(commands: Any) -> None:
    parser = commands.add_parser(
        "offers",
        help="lead persons to their electronic credentials",
        description=MANUAL,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    offers = parser.add_subparsers(metavar="create|show|list|cancel|bulk", required=True)
    create = offers.add_parser("create", help="offer to one person")
    create.add_argument("--person", required=True, metavar="IDNO", help="ID number; - reads it from standard input")
    create.add_argument("--credential", required=True, action="append", metavar="TYPE", help="may be given again")
    create.add_argument("--name", help="refuse where the person is registered under another name")
    create.add_argument("--qr", type=Path, metavar="FILE", help=".svg, .png or .txt")
    create.add_argument("--case", metavar="CASE_NO")
    create.add_argument("--send-code", action="store_true", help="the code in a message of its own")
    _wishes(create)
    create.set_defaults(command=_create)
    show = offers.add_parser("show", help="an offer and its timeline")
    show.add_argument("id", metavar="ID")
    show.set_defaults(command=_show)
    listing = offers.add_parser("list", help="the latest offers")
    listing.add_argument("--org", metavar="ORG_ID")
    listing.add_argument("--person", metavar="IDNO")
    listing.add_argument("--most", type=int, default=50, metavar="N")
    listing.set_defaults(command=_list)
    cancel = offers.add_parser("cancel", help="end one that was not redeemed")
    cancel.add_argument("id", metavar="ID")
    cancel.set_defaults(command=_cancel)
    bulk = offers.add_parser("bulk", help="offer to many; resumable")
    bulk.add_argument("file", type=Path, nargs="?", metavar="FILE", help="one ID number a line, or a CSV with id_no")
    bulk.add_argument("--resume", metavar="ID", help="go on with one that was stopped")
    bulk.add_argument("--credential", action="append", metavar="TYPE", help="may be given again")
    bulk.add_argument("--out", type=Path, metavar="FILE", help="a CSV of line, outcome and offer; names nobody")
    _wishes(bulk)
    bulk.set_defaults(command=_bulk)


def _wishes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--flow", choices=(PRE_AUTHORIZED, AUTHORIZATION_CODE), default=PRE_AUTHORIZED)
    parser.add_argument("--tx-code", action="store_true", help="a transaction code besides the link")
    parser.add_argument("--send", action="store_true", help="send the link to the enrolled phone")
    parser.add_argument("--org", metavar="ORG_ID", help="the body it is done for")


def _create(given: argparse.Namespace) -> int:
    from gateway.bootstrap.offer_command import create_offer

    return asyncio.run(create_offer(Settings.from_process(), given))


def _show(given: argparse.Namespace) -> int:
    from gateway.bootstrap.offer_command import show_offer

    return asyncio.run(show_offer(Settings.from_process(), given.id))


def _list(given: argparse.Namespace) -> int:
    from gateway.bootstrap.offer_command import list_offers

    return asyncio.run(list_offers(Settings.from_process(), given.org, given.person, given.most))


def _cancel(given: argparse.Namespace) -> int:
    from gateway.bootstrap.offer_command import cancel_offer

    return asyncio.run(cancel_offer(Settings.from_process(), given.id))


def _bulk(given: argparse.Namespace) -> int:
    from gateway.bootstrap.bulk_command import offer_to_many

    return asyncio.run(offer_to_many(Settings.from_process(), given))
