"""`python -m demo`: the departments, the gateway, and a visitor's way in. script/demo installs first, then runs this."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import Any

from demo import running, switch, visits, wallet_link, witnesses
from demo.answer import readable
from demo.departments import TABLE
from demo.orchestra import Wishes
from demo.people import cast
from demo.places import Places, read_card
from demo.talk import NoAnswer

MANUAL = """\
不带子命令: 启动各部门模拟系统与网关, 直到 Ctrl-C。
Without a command: starts the simulated departments and the gateway, until Ctrl-C.

  script/demo                      启动 / start everything
  script/demo --once               问一次接待查询, 打印合并后的回答, 退出码 0 或 1
                                   ask the reception question once, print the joined answer, exit 0 or 1
在另一个终端 / in a second terminal, while it runs:
  script/demo fault SB closed      社保关闭 / close SB      (none 复位 / puts it right; slow=3 秒 / seconds)
  script/demo fault all none       全部复位 / put everything right
  script/demo faults | counters    各部门的故障 / 调用次数   faults and calls, by department
  script/demo people               测试人员 / the test people and their stories
  script/demo query reception      问 / ask: reception, list, cases, catalogue (--raw 原始 JSON)
  script/demo query refused        工作人员查前妻, 被拒 / an officer asks for his former wife: refused, with its rule
  script/demo consent bank         银行请张三同意 / the bank asks Zhang San; prints the link his phone got
  script/demo consent bank --agree 替张三点同意 / the same, and Zhang San agrees
  script/demo query bank           银行凭同意查询 / the bank asks what was agreed to
  script/demo query legalaid       第二个应用: 法律援助 / the second application: legal aid
  script/demo query sealed         查封存的未成年人记录, 与查无此人无异 / a sealed record: looks like nobody
  script/demo wallet               新的领取链接(张三) / a new link to Zhang San's documents (--tx-code with a code)
  script/demo move away | back     流管办登记张三离开或迁回, 证照随之失效 / the register says he left, or came back
  script/demo witness              五个见证方看到的账本 / what the five witnesses have seen of the ledgers
  script/demo witness stop GA JCY  停两个: 只剩三个, 回执停在 "暂定" / stop two: three are no quorum, receipts stay provisional
  script/demo witness start all    恢复 / put it right
  script/demo receipt ID           一次答复的回执: 入日志没有, 谁见证了 / an answer's receipt: in the log yet, who cosigned
  script/demo yimen ledger status  以演示网关的设置运行 yimen (值班手册中的命令) / any yimen command with the demo gateway's
                                   settings, those of docs/guides/ledger.md; also while it is stopped
  script/demo watch                检察院看到的预警和被拒查询 / alerts and refusals, as the procuratorate sees them
  script/demo accounts             登录名、口令、此刻的动态码 / logins, passwords, the codes of this half minute
  script/demo token                取各种令牌的命令 / the commands that get each kind of token

故障 / faults: closed down 429 half_page garbage slow[=s] stale[=days] clock_skew[=s]
部门 / departments: GA_POP LGB SB GS FY GDSJ JY AZBJ_FS AZBJ_N ZM FA
SD 是另一区的网关 (真实的第二个一门), 没有故障开关 / SD is a real second gateway, another district's, without fault switch
文件 / files: var/demo.json 供脚本使用 for scripts; var/demo/logs 日志 logs. 全部数据均为虚构 / all data is invented.
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="script/demo",
        usage="script/demo [options] [command]",
        description=MANUAL,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--once", action="store_true", help="主要任务跑一次 / run the main job once and exit")
    parser.add_argument("--raw", action="store_true", help="同时打印原始 JSON / print the raw JSON as well")
    parser.add_argument("--seed", type=int, default=1, help="随机人群的种子 / seed of the generated people")
    parser.add_argument("--count", type=int, default=1000, help="生成人数 / generated people")
    parser.add_argument("--latency", type=float, default=1.0, help="部门延迟倍数 / factor on department latency")
    parser.add_argument("--real-hours", action="store_true", help="社保 23:00-05:00 关闭 / SB keeps its hours")
    parser.add_argument("--port", type=int, default=8400, help="网关端口 / preferred port of the gateway")
    parser.add_argument("--first-port", type=int, default=9101, help="部门起始端口 / first port of the departments")
    parser.add_argument("--only", default="", help="只启动这些 / only these, as LGB,SB,SD; default all")
    parser.add_argument("--var", type=Path, default=Path("var"), help="工作目录 / where it keeps its files")
    commands = parser.add_subparsers(dest="command", metavar="command")
    fault = commands.add_parser("fault", help="设置故障 / set the faults of a department")
    fault.add_argument("code", help="部门代码或 all / a department's code, or all")
    fault.add_argument("fault", nargs="+", help="closed, slow=3, ... or none")
    commands.add_parser("faults", help="查看故障 / show faults")
    commands.add_parser("counters", help="查看调用次数 / show calls")
    commands.add_parser("people", help="测试人员 / the test people")
    query = commands.add_parser("query", help="查询 / ask one of the ready questions")
    query.add_argument("name", help="reception, list, cases, catalogue, refused, sealed, bank, legalaid")
    query.add_argument("--raw", action="store_true", dest="query_raw", help="原始 JSON / the raw JSON")
    consent = commands.add_parser("consent", help="银行请求同意 / the bank asks a person for consent")
    consent.add_argument("who", choices=("bank",), help="由谁请求 / who asks")
    consent.add_argument("--agree", action="store_true", help="替本人同意 / agree in the person's place")
    witness = commands.add_parser("witness", help="见证方 / the witnesses")
    witness.add_argument("what", nargs="?", choices=("stop", "start"), help="停 / 启")
    witness.add_argument("codes", nargs="*", help="GA JCY FY SFJ JY, all")
    wallet = commands.add_parser("wallet", help="领取链接 / a new link to the documents")
    wallet.add_argument("--tx-code", action="store_true", help="领取时要领取码 / with a transaction code")
    move = commands.add_parser("move", help="流管办的登记 / what the register says")
    move.add_argument("where", choices=("away", "back"), help="离开 / 迁回")
    receipt = commands.add_parser("receipt", help="回执 / how far an answer has come in the log")
    receipt.add_argument("id", help="extensions.receipt.id")
    product = commands.add_parser("yimen", help="以演示网关的设置运行 yimen / yimen with the demo gateway's settings")
    product.add_argument("words", nargs=argparse.REMAINDER, help="ledger status, ledger fsck --full, ...")
    commands.add_parser("watch", help="预警与被拒的查询 / alerts and refused accesses")
    commands.add_parser("accounts", help="账号与动态码 / accounts and their codes")
    commands.add_parser("token", help="取令牌的命令 / the commands that get tokens")
    return parser


def main() -> int:
    parser = _parser()
    args = parser.parse_args()
    places = Places(args.var)
    if args.command is None:
        only = tuple(code.strip().upper() for code in args.only.split(",") if code.strip())
        if unknown := set(only) - {*TABLE, "SD"}:
            known = ", ".join((*TABLE, "SD"))
            parser.error(f"--only: 没有 / there is no {', '.join(sorted(unknown))}; known: {known}")
        wishes = Wishes(
            seed=args.seed,
            count=args.count,
            latency=args.latency,
            real_hours=args.real_hours,
            port=args.port,
            first_port=args.first_port,
            only=only,
        )
        return running.run(places, wishes, once=args.once, raw=args.raw)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` is no error
    if args.command == "people":
        for person in cast():
            print(f"{person.id_no}  {person.name}\t{person.note}")
        return 0
    if args.command == "yimen":
        return running.product(places, args.words)
    try:
        return _visit(places, args)
    except FileNotFoundError:
        print("演示没有在运行, 先启动: script/demo / no demo is running here, start one: script/demo", file=sys.stderr)
    except (NoAnswer, ValueError) as error:
        print(error, file=sys.stderr)
    return 1


def _visit(places: Places, args: argparse.Namespace) -> int:
    """A command that talks to the demo running in another terminal."""
    card = read_card(places)
    if args.command in ("token", "accounts"):
        print(*(visits.token_lines if args.command == "token" else visits.account_lines)(card), sep="\n")
        return 0
    if args.command == "watch":
        print(*visits.watch_lines(places, card), sep="\n")
        return 0
    if args.command == "consent":
        return _consent(places, card, agree=args.agree)
    if args.command == "query":
        answer = visits.ask(places, card, args.name)
        print(json.dumps(answer, ensure_ascii=False, indent=2) if args.query_raw else readable(answer))
        return 1 if answer.get("errors") and args.name not in ("refused", "sealed") else 0
    if args.command == "wallet":
        print(wallet_link.another(places, card, tx_code=args.tx_code))
        return 0
    if args.command == "move":
        print(wallet_link.move(places, card, away=args.where == "away"))
        return 0
    if args.command == "receipt":
        print(*witnesses.receipt(card, args.id), sep="\n")
        return 0
    if args.command == "witness":
        codes = [code.upper() for code in args.codes]
        print(*(witnesses.switch(card, args.what, codes) if args.what else witnesses.show(card)), sep="\n")
        return 0
    if args.command == "fault":
        lines = switch.set_faults(places, card, args.code if args.code == "all" else args.code.upper(), args.fault)
    else:
        lines = switch.show_faults(places, card) if args.command == "faults" else switch.show_counters(places, card)
    for line in lines:
        print(line)
    return 0


def _consent(places: Places, card: dict[str, Any], *, agree: bool) -> int:
    link = visits.ask_consent(places, card)
    print("银行已提出请求; 它看不到此人是否存在 / the bank has asked; it is not told whether there is such a person")
    print(f"张三手机收到的链接 / the link on Zhang San's phone:\n  {link}\n短信 / messages: {card['inbox']}")
    if agree:
        visits.agree(places, card, link)
        print("张三已同意 / Zhang San has agreed")
    print("银行看到 / the bank sees:", json.dumps(visits.consent_state(places, card), ensure_ascii=False))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
