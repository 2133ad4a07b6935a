"""The link 张三 gets on his phone, the bank he shows his document to, and his record at the 流管办 that changes meanwhile."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from demo.bodies import AGENCY
from demo.department import SHANGHAI
from demo.gateway_process import GatewayPlan, NotReady, environment
from demo.people import cast
from demo.places import Places, write_private
from demo.processes import Children
from demo.talk import ask

WHO = "zhang-san-017"
DOCUMENTS = ("residence", "stable-income")
_LINK = re.compile(r"http\S+/wallet\?credential_offer_uri=\S+")
_CODE = re.compile(r"code: (\d+)")


def start_bank(places: Places, port: int, gateway: str, children: Children) -> None:
    told = places.sub("keys") / "bank.json"
    write_private(told, json.dumps({"gateway": gateway, "home": str(places.home.resolve()), "port": port}))
    children.start("bank", (sys.executable, "-m", "demo.bank", str(told)), read=False)


def first_offer(places: Places, plan: GatewayPlan, say: Callable[[str], None]) -> str:
    """A fresh link for 张三, made by the product's own command; it also lies in the inbox of the demo's phones."""
    say("向张三发出领取链接 / offering Zhang San his documents")
    try:
        return offer(places, plan, WHO, DOCUMENTS)
    except NotReady as error:
        say(str(error))
        return ""


def offer(places: Places, plan: GatewayPlan, key: str, documents: Sequence[str], *more: str) -> str:
    """The link; with `--tx-code` a second line with the code that is told by another road. Raises NotReady with what the
    command said."""
    person = next(one for one in cast() if one.key == key)
    words = ["offers", "create", "--person", person.id_no, "--name", person.name, "--org", AGENCY, "--send", *more]
    for one in documents:
        words += ["--credential", one]
    command = [sys.executable, "-m", "gateway.cli", *words]
    done = subprocess.run(command, env=environment(places, plan), capture_output=True, text=True, check=False)
    found = _LINK.search(done.stdout)
    if done.returncode or found is None:
        raise NotReady(f"yimen offers create: {done.returncode}\n{done.stdout}{done.stderr}")
    code = _CODE.search(done.stdout)
    return found[0] if code is None else f"{found[0]}\n领取码 / the code, told at the counter: {code[1]}"


def another(places: Places, card: Mapping[str, Any], *, tx_code: bool) -> str:
    """A new link while the demo runs. Raises ValueError with what the command said."""
    return _again(places, card, DOCUMENTS, *(["--tx-code"] if tx_code else []))


def _again(places: Places, card: Mapping[str, Any], documents: Sequence[str], *more: str) -> str:
    policy = places.sub("ledger") / "policy-cc"
    port = urlsplit(card["gateway"]).port or 0
    plan = GatewayPlan("cc", port, places.sub("manifests"), policy=policy if policy.exists() else None)
    try:
        return offer(places, plan, WHO, documents, *more)
    except NotReady as error:
        raise ValueError(str(error)) from None


def move(places: Places, card: Mapping[str, Any], *, away: bool) -> str:
    """张三 is registered out of Chancheng at the 流管办, or back in; what became of it, and where he gets a new document.

    Raises NoAnswer, and ValueError with what the command said."""
    person = next(one for one in cast() if one.key == WHO)
    url = next(source["url"] for source in card["sources"] if source["code"] == "LGB")
    left = datetime.now(SHANGHAI).date().isoformat() if away else None
    ask(places, "PUT", f"{url}/_facts", {"id_no": person.id_no, "left_on": left})
    if away:
        return "流管办：张三今日离开禅城；十几秒内他的居住证明失效 / registered as gone; within seconds his document is revoked"
    link = _again(places, card, DOCUMENTS[:1])
    return (
        "流管办：张三仍住禅城，新的领取链接已发到他手机 / registered as living there; a fresh link is on his phone\n"
        f"  {link}\n短信 / messages: {card['inbox']}"
    )
