"""The command lines of `yimen ledger`; what they do is in `ledger_command`."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any

from gateway.settings import Settings

MANUAL = """\
存证日志：谁做了什么，任何人都可核对 / the ledger: what was done, for anybody to check.

  yimen ledger status                         大小、检查点、见证方、是否停止 / size, last checkpoint, witnesses, halted or not
  yimen ledger fsck                           查末尾 4096 条 / the end of the log (every start does that, too)
  yimen ledger fsck --full                    全查：条目、瓦片、签名、每条记录 / all entries, tiles, signatures, and every record
  yimen ledger fsck --full --mirror DIR|URL   并与镜像核对 / and against a mirror; whoever holds one holds us to our word
  yimen ledger export DIR                     导出静态镜像，可反复续传 / a mirror as files for any static server; again = goes on
  yimen ledger vkeys [--year 2026]            交给见证方和审计方的公钥与规则 / what to give to witnesses and auditors
  yimen ledger announce 2027                  提前公布明年密钥 / next year's key, said in this year's log
  yimen ledger rotate-key [--finish]          更换签名密钥，分两步 / another signing key, in two steps
  yimen ledger begin-shard --reason TEXT      停止后的出路：另起新分片 / the way on from a halted log: begin a new one
  yimen ledger witnesses                      各见证方状况 / how each witness is doing
  yimen ledger exhibits [ID]                  保存的证物 / evidence of wrongdoing that was kept, as received

处置手册 / what to do at each alarm: docs/guides/ledger.md
外部审计不用本命令 / auditors need none of this: python -m ledger audit URL
退出码 / exit codes: 0 all is well, 1 something is wrong or was refused, 2 the command line is wrong.
"""


def add_ledger_commands(commands: Any) -> None:
    """`yimen ledger status | fsck | export | vkeys | announce | rotate-key | begin-shard | witnesses | exhibits`."""
    parser = commands.add_parser(
        "ledger",
        help="check, mirror and look after the log of what was done",
        description=MANUAL,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    ledger = parser.add_subparsers(metavar="COMMAND", required=True)
    ledger.add_parser("status", help="how it is doing").set_defaults(command=_status)
    ledger.add_parser("witnesses", help="how each witness is doing").set_defaults(command=_witnesses)

    fsck = ledger.add_parser("fsck", help="is the store what was signed?")
    how_much = fsck.add_mutually_exclusive_group()
    how_much.add_argument("--full", action="store_true", help="全部 everything, records too")
    how_much.add_argument("--tail", type=_count, metavar="N", help="末尾 N 条 the last N entries (default: 4096)")
    fsck.add_argument("--mirror", metavar="DIR|URL", help="镜像 the folder that was exported, or https://HOST/ledger")
    fsck.add_argument("--json", action="store_true", help="每行一个 JSON / one JSON object a finding")
    fsck.set_defaults(command=_fsck)

    export = ledger.add_parser("export", help="a mirror as static files")
    export.add_argument("directory", type=Path, metavar="DIR")
    export.set_defaults(command=_export)
    vkeys = ledger.add_parser("vkeys", help="our keys and the witnesses', as a policy file")
    vkeys.add_argument("--year", metavar="SHARD", help="只此分片 this shard alone: 2026, 2026b")
    vkeys.set_defaults(command=_vkeys)
    announce = ledger.add_parser("announce", help="say next year's key in this year's log")
    announce.add_argument("year", type=_year, metavar="YEAR")
    announce.set_defaults(command=_announce)
    rotate = ledger.add_parser("rotate-key", help="a new key signs beside the old one; --finish retires the old one")
    rotate.add_argument("--finish", action="store_true", help="停用旧密钥 retire the old key")
    rotate.add_argument("--yes", action="store_true", help="不再询问 do not ask before --finish")
    rotate.set_defaults(command=_rotate)

    begin = ledger.add_parser("begin-shard", help="close the log as it is and begin another; there is no way back")
    begin.add_argument("--reason", required=True, metavar="TEXT", help="写入变更记录 stands in the record of changes")
    begin.add_argument(
        "--checkpoint", type=Path, metavar="FILE",
        help="见证方持有的最后检查点 the last checkpoint as a witness gives it out, where our database lost it",
    )  # fmt: skip
    begin.add_argument("--yes", action="store_true", help="不再询问 do not ask again")
    begin.set_defaults(command=_begin)
    exhibits = ledger.add_parser("exhibits", help="evidence that was kept; with ID, one of them whole")
    exhibits.add_argument("id", nargs="?", metavar="ID")
    exhibits.set_defaults(command=_exhibits)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _year(text: str) -> str:
    if not (text.isascii() and text.isdigit() and len(text) == 4):
        raise ValueError
    return text


def _status(_given: argparse.Namespace) -> int:
    from gateway.bootstrap.ledger_command import show_status

    return asyncio.run(show_status(Settings.from_process()))


def _witnesses(_given: argparse.Namespace) -> int:
    from gateway.bootstrap.ledger_command import show_witnesses

    return asyncio.run(show_witnesses(Settings.from_process()))


def _fsck(given: argparse.Namespace) -> int:
    from gateway.bootstrap.ledger_command import check_ledger

    asked = check_ledger(
        Settings.from_process(), full=given.full, tail=given.tail, mirror=given.mirror, as_json=given.json
    )
    return asyncio.run(asked)


def _export(given: argparse.Namespace) -> int:
    from gateway.bootstrap.ledger_command import export_mirror

    return asyncio.run(export_mirror(Settings.from_process(), given.directory))


def _vkeys(given: argparse.Namespace) -> int:
    from gateway.bootstrap.ledger_command import show_vkeys

    return asyncio.run(show_vkeys(Settings.from_process(), given.year))


def _announce(given: argparse.Namespace) -> int:
    from gateway.bootstrap.ledger_command import announce_year

    return asyncio.run(announce_year(Settings.from_process(), given.year))


def _rotate(given: argparse.Namespace) -> int:
    from gateway.bootstrap.ledger_command import rotate_key

    return asyncio.run(rotate_key(Settings.from_process(), finish=given.finish, sure=given.yes))


def _begin(given: argparse.Namespace) -> int:
    from gateway.bootstrap.ledger_command import begin_shard, read_checkpoint_file

    checkpoint = None if given.checkpoint is None else read_checkpoint_file(given.checkpoint)
    begun = begin_shard(Settings.from_process(), reason=given.reason, checkpoint=checkpoint, sure=given.yes)
    return asyncio.run(begun)


def _exhibits(given: argparse.Namespace) -> int:
    from gateway.bootstrap.ledger_command import show_exhibits

    return asyncio.run(show_exhibits(Settings.from_process(), given.id))
