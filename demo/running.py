"""One demo from start to end: up, shown, and gone without a trace in the process table."""

from __future__ import annotations

import atexit
import json
import signal
import subprocess
import sys
import time
from types import FrameType
from urllib.parse import urlsplit

from demo.answer import readable, unexpected
from demo.gateway_process import GatewayPlan, NotReady, environment
from demo.orchestra import Demo, Wishes, start
from demo.places import DemoRunning, Places, read_card
from demo.processes import Children
from demo.talk import NoAnswer
from demo.visits import ask


class _Ended(Exception):
    """Somebody asked us to end."""


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def run(places: Places, wishes: Wishes, *, once: bool, raw: bool) -> int:
    """0 when it ended as asked; 1 when something did not start, ended by itself, or answered what it should not."""
    try:
        lock = places.hold()
    except DemoRunning:
        _say(
            f"已有演示在运行 ({places.home}), 请先结束它或用 --var 另选目录 / a demo already runs in {places.home}: "
            "end it, or choose another directory with --var"
        )
        return 1
    children = Children(places.home / "logs")
    atexit.register(children.stop)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        places.card.unlink(missing_ok=True)  # of an earlier demo that was killed
        demo = start(places, wishes, children, _say)
        return _ask_once(places, demo, raw) if once else _stay(places, demo, children)
    except _Ended:
        _say("\n正在停止 / stopping")
        return 0 if not once else 1
    except (NotReady, OSError) as error:
        _say(f"启动失败 / could not start: {error}")
        return 1
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it running
        children.stop()
        places.card.unlink(missing_ok=True)
        lock.close()


def product(places: Places, words: list[str]) -> int:
    """`yimen` with the settings the demo's own gateway has; also while it is stopped. 1 where none has run."""
    state = places.home / "state-cc"
    if not state.is_dir():
        _say("这里没有运行过演示, 先启动: script/demo / no demo has run here, start one: script/demo")
        return 1
    try:
        port = urlsplit(read_card(places)["gateway"]).port or 0
    except FileNotFoundError:
        port = Wishes().port
    policy = places.sub("ledger") / "policy-cc"
    plan = GatewayPlan("cc", port, places.sub("manifests"), policy=policy if policy.exists() else None)
    command = (sys.executable, "-m", "gateway.cli", *words)
    return subprocess.run(command, env=environment(places, plan), check=False).returncode


def _end(number: int, frame: FrameType | None) -> None:
    raise _Ended


def _ask_once(places: Places, demo: Demo, raw: bool) -> int:
    question = demo.card["queries"]["reception"]["variables"]
    _say(f"接待查询 / reception query: {question['name']}")
    try:
        ask(places, demo.card, "catalogue")  # the officer logs in; what is measured is the question
        began = time.monotonic()
        answer = ask(places, demo.card, "reception")
    except NoAnswer as error:
        _say(f"网关没有应答 / the gateway did not answer: {error}")
        return 1
    took_ms = (time.monotonic() - began) * 1000
    print(readable(answer))
    if raw:
        print(json.dumps(answer, ensure_ascii=False, indent=2))
    faults = unexpected(answer)
    for fault in faults:
        print(f"不符合预期 / not as expected: {fault}")
    print(f"\n用时 / took {took_ms:.0f} ms; " + ("与预期不符 / not as expected" if faults else "全部到齐 / all there"))
    if faults:
        _say(f"日志 / logs: {places.home / 'logs'} (gateway-cc.log 网关 / the gateway's own)")
    return 1 if faults else 0


def _stay(places: Places, demo: Demo, children: Children) -> int:
    card = demo.card
    lin = card["accounts"][0]
    print(
        f"""
一门已就绪 / yimen is ready

  打开查询页面 / open the query page     {card["graphql"]}
  登录 / log in there as                 {lin["login"]}  {lin["password"]}
  动态码 / the code that it wants then   script/demo accounts
  问一个人 / ask about a person          script/demo query reception
  被拒的查询 / one that is refused       script/demo query refused
  银行经本人同意查询 / the bank's, with the person's consent
                                         script/demo consent bank --agree && script/demo query bank
  领取居住证明 (张三的手机) / get his documents (Zhang San's phone)
                                         {card.get("wallet") or "script/demo wallet"}
  到银行出示 / show them to the bank     {card.get("bank") or "-"}
  流管办改登记, 证照失效 / his record changes, the document dies
                                         script/demo move away
  第二个应用 / the second application    script/demo query legalaid
  五个见证方 / the five witnesses        script/demo witness; script/demo witness stop GA JCY
  存证日志 / the ledger, for anybody     {card["gateway"]}/ledger
  手机上的短信 / what phones show        {card["inbox"]}
  关闭社保再问 / close SB and ask again  script/demo fault SB closed && script/demo query reception
  恢复 / put it right                    script/demo fault all none
  测试人员 / the test people             script/demo people
  供脚本使用 / for scripts               {places.card}
  全部命令 / all commands                script/demo --help

Ctrl-C 结束, 不留任何进程 / Ctrl-C ends it and leaves nothing running""",
        flush=True,
    )
    while True:
        if demo.witnesses is not None:
            demo.witnesses.attend()
        if ended := children.ended():
            break
        time.sleep(0.5)
    for name, code in ended.items():
        _say(f"{name} 意外结束 / ended by itself, code {code}\n{children.log_of(name)}")
    return 1
