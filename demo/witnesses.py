"""The five agencies that watch the demo's ledgers, as five processes with keys and memories of their own.

A visitor stops and starts them from a second terminal by a file the conductor looks at: whoever starts a process must be the
one who ends it.
"""

from __future__ import annotations

import http.client
import json
import shutil
import signal
import sqlite3
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.gateway_process import GatewayPlan, NotReady
from demo.places import Places, write_private
from demo.ports import free_port
from demo.processes import Children
from gateway.bootstrap.witness_command import add_log, initialize, list_logs, new_key, show_key
from ledger.errors import LedgerError
from ledger.note import parse_note, parse_vkey
from ledger.witness.config import read_config
from ledger.witness.witness import name_of

AGENCIES: Mapping[str, str] = {"GA": "公安", "JCY": "检察院", "FY": "法院", "SFJ": "司法局", "JY": "监狱"}
QUORUM = 4
_OFF = "off"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Agency:
    """One witness: where its files are and where it listens."""

    code: str
    home: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def config(self) -> Path:
        return self.home / "witness.conf"

    @property
    def child(self) -> str:
        return f"witness-{self.code}"

    @property
    def vkey(self) -> str:
        return show_key(self.home / "witness.key")

    def off(self) -> bool:
        return (self.home / _OFF).exists()


class Witnesses:
    """Started, introduced to the ledgers, and attended while the demo runs."""

    def __init__(self, places: Places, first_port: int, taken: set[int], children: Children, say: Say) -> None:
        self._children, self._say = children, say
        self.agencies = [
            Agency(code, _home(places, code), free_port(first_port + number, taken, say, f"witness {code}"))
            for number, code in enumerate(AGENCIES)
        ]

    def start(self, known: Sequence[str]) -> None:
        """All of them, not waited for. `known`: every vkey the databases ever had, none before a first start.

        Where a database was made anew its ledger is another one under the same name, which no witness would cosign: rightly.
        A visitor who threw the database away gets new witnesses, with new keys and nothing to remember.
        """
        for agency in self.agencies:
            (agency.home / _OFF).unlink(missing_ok=True)
            if _watches_another(agency, known):
                self._say(
                    f"账本是新的, 见证方 {agency.code} 也换新 / the ledger is new, and so is witness {agency.code}"
                )
                shutil.rmtree(agency.home)
            _settle(agency)
            self._run(agency)

    def introduce(self, vkeys: Sequence[str]) -> None:
        """Have each watch the ledgers with these keys, as an agency does when the operator tells it of one; they do then."""
        for agency in self.agencies:
            self._wait(agency, "alive")
            if set(vkeys) - set(list_logs(agency.config)):
                for vkey in vkeys:
                    add_log(vkey, agency.config)
                self._children.tell(agency.child, signal.SIGHUP)
        for agency in self.agencies:
            self._wait(agency, f"witness_log_keys {len(list_logs(agency.config))}")

    def attend(self) -> None:
        """Stop and start what a visitor asked for; one that ended by itself is off until somebody starts it again."""
        ended = self._children.ended()
        for agency in self.agencies:
            running = self._children.has(agency.child)
            if agency.child in ended:
                self._children.stop_one(agency.child)
                if not agency.off():
                    (agency.home / _OFF).touch()
                    self._say(f"见证方已停 / witness {agency.code} ended by itself, code {ended[agency.child]}")
            elif running and agency.off():
                self._children.stop_one(agency.child)
            elif not running and not agency.off():
                self._run(agency)

    def policy(self, path: Path, plan: GatewayPlan, vkeys: Sequence[str]) -> Path:
        """The gateway's policy file: its log, these witnesses, four of five."""
        url = f"{plan.url}/ledger"
        lines = [f"log {vkey} {url}/{parse_vkey(vkey).name.rpartition('/')[2]}" for vkey in vkeys]
        lines += [f"witness {agency.code} {agency.vkey} {agency.url}" for agency in self.agencies]
        lines += [f"group agencies {QUORUM} {' '.join(AGENCIES)}", "quorum agencies"]
        write_private(path, "".join(f"{line}\n" for line in lines))
        return path

    def card(self) -> list[dict[str, str]]:
        return [
            {"code": one.code, "zh": AGENCIES[one.code], "url": one.url, "vkey": one.vkey, "home": str(one.home)}
            for one in self.agencies
        ]

    def _run(self, agency: Agency) -> None:
        command = (sys.executable, "-m", "demo.as_child", "witness", "serve", "--port", str(agency.port))
        files = ("--directory", str(agency.home / "state"), "--config", str(agency.config))
        self._children.start(agency.child, (*command, *files), read=False)

    def _wait(self, agency: Agency, said: str, timeout_s: float = 30.0) -> None:
        """Until it says so, at /livez or /metrics."""
        path, deadline = "/livez" if said == "alive" else "/metrics", time.monotonic() + timeout_s
        while said not in _lines(f"{agency.url}{path}"):
            if agency.child in self._children.ended() or time.monotonic() > deadline:
                raise NotReady(f"{agency.child} did not start\n{self._children.log_of(agency.child)}")
            time.sleep(0.02)


def vkeys_of(places: Places, gateway: str, *, retired: bool = False) -> list[str]:
    """The keys the ledger of "cc" or "sd" signs with, read from its database while it does not run; none before its first start.

    With `retired` also those it signed with once.
    """
    database = places.sub(f"state-{gateway}") / "yimen.db"
    if not database.exists():
        return []
    query = "SELECT vkey FROM ledger_key WHERE state = 'SIGNING' OR ? ORDER BY at_us"
    with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        try:
            return [vkey for (vkey,) in connection.execute(query, (retired,))]
        except sqlite3.OperationalError:  # from before there was a ledger; the gateway brings it up to date
            return []


def switch(card: Mapping[str, Any], what: str, codes: Sequence[str]) -> Iterator[str]:
    """Stop or start some in a demo that runs; says how each is doing then. Raises ValueError for what it does not know."""
    known = {one["code"]: one for one in card.get("witnesses", ())}
    chosen = list(known) if "ALL" in codes else list(codes)
    if unknown := [code for code in chosen if code not in known]:
        raise ValueError(f"没有见证方 / no witness {', '.join(unknown)}; known: {', '.join(known) or '-'}")
    for code in chosen:
        off = Path(known[code]["home"]) / _OFF
        off.touch() if what == "stop" else off.unlink(missing_ok=True)
    deadline = time.monotonic() + 10
    for code in chosen:
        while is_up(known[code]["url"]) != (what == "start") and time.monotonic() < deadline:
            time.sleep(0.05)
    yield from show(card)


def show(card: Mapping[str, Any]) -> Iterator[str]:
    """Each witness, whether it runs, and how large the ledgers were that it cosigned last."""
    if not card.get("witnesses"):
        yield "没有见证方 (--only) / no witnesses run with --only"
    for one in card.get("witnesses", ()):
        if not is_up(one["url"]):
            yield f"{one['code']:<4} {one['zh']}\t停 stopped"
            continue
        seen = [f"{origin}: {_size(one['url'], origin)}" for origin in _origins(card)]
        yield f"{one['code']:<4} {one['zh']}\t{one['url']}\t{'; '.join(seen)}"


_LEVELS = {
    "DURABLE": "已入库, 约一秒后入日志 / durable, in the log within about a second",
    "INCLUDED": "暂定: 已入日志, 见证不足四家 / provisional: in the log, fewer than four cosigned",
    "SEALED": "已封存: 四家以上见证 / sealed: four or more cosigned",
}


def receipt(card: Mapping[str, Any], id_: str) -> Iterator[str]:
    """How far one answer has come in the log, as anybody may ask. Raises ValueError where there is no such receipt."""
    url = f"{card['gateway']}/ledger/receipts/{urllib.parse.quote(id_, safe='')}"
    body = None
    with suppress(OSError, http.client.HTTPException):
        body = _get(url)
    if body is None:
        raise ValueError(f"没有这个回执 / no such receipt: {id_}")
    found = json.loads(body)
    yield f"{found['level']}  {_LEVELS.get(found['level'], '')}".rstrip()
    if found.get("index") is None:
        return
    signed = ", ".join(f"{one['name']} {AGENCIES.get(one['name'], '')}".strip() for one in found.get("witnesses", ()))
    yield f"第 {found['index']} 条 / entry {found['index']}  {found['origin']}"
    yield f"见证 / cosigned by: {signed or '无 none'}"
    yield f"网页 / page: {card['gateway']}/ledger/{found['shard']}/entries/{found['index']}"


def _origins(card: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(parse_vkey(vkey).name for vkey in card["ledger_vkeys"]))


def is_up(url: str) -> bool:
    with suppress(OSError, http.client.HTTPException):
        return _get(f"{url}/livez") is not None
    return False


def _size(url: str, origin: str) -> str:
    with suppress(OSError, LedgerError):
        if note := _get(f"{url}/{name_of(origin)}/checkpoint"):
            return f"{parse_note(note).text.splitlines()[1]} 条 entries"
    return "尚未见过 nothing seen yet"


def _lines(url: str) -> list[str]:
    with suppress(OSError, http.client.HTTPException):
        return (_get(url) or b"").decode().splitlines()
    return []


def _get(url: str) -> bytes | None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # all of this is loopback
    try:
        with opener.open(url, timeout=2) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as refused:
        refused.close()
        return None


def _home(places: Places, code: str) -> Path:
    return places.sub("witnesses") / code


def _settle(agency: Agency) -> None:
    """Key, config and memory, where they are not there yet; by the agency's own commands."""
    if not agency.config.exists():
        agency.home.mkdir(mode=0o700, exist_ok=True)
        key = agency.home / "witness.key"
        for left in agency.home.glob("witness.key*"):  # of a start that was broken off
            left.unlink()
        new_key(f"{agency.code.lower()}.chancheng.example/witness", key)
        write_private(agency.home / "new.conf", f"# {AGENCIES[agency.code]}\nkey witness.key\n")
        shutil.rmtree(agency.home / "state", ignore_errors=True)
        initialize(agency.home / "state", agency.home / "new.conf")
        (agency.home / "new.conf").replace(agency.config)


def _watches_another(agency: Agency, known: Sequence[str]) -> bool:
    """Whether it knows a ledger of which no key is in the database."""
    if not agency.config.exists():
        return False
    present = {parse_vkey(vkey).name for vkey in known if vkey in list_logs(agency.config)}
    return any(origin not in present for origin in read_config(agency.config).logs)
