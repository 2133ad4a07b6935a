"""Who is measured: how each is started, where it answers and what it is called in the table."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from itertools import product
from pathlib import Path

import aiohttp

from bench import peers_node, yimen
from bench.database import Databases
from bench.questions import Question, questions
from demo.ports import free_port
from demo.processes import Children

_FIRST_PORT = 18_710
ON_POSTGRESQL = frozenset({"yimen-pg", "yimen-2-workers", "yimen-3-replicas"})
PEERS = ("yoga", "apollo", "hive", "strawberry")
DEFAULT = ("yimen", "yimen-pg", "yimen-bare", *PEERS)
NAMES = (*DEFAULT, "yimen-open", "yimen-2-workers", "yimen-3-replicas")
_READY_S = 60.0


@dataclass(frozen=True, slots=True)
class Contender:
    """A running gateway. `questions` may hold rows of its own beside `list` and `one`."""

    name: str
    title: str
    pid: int
    url: str
    questions: Mapping[str, Question]
    headers: Callable[[], Mapping[str, str]] = dict  # asked for each request: a proof is good once
    more: tuple[tuple[str, int], ...] = ()  # further replicas behind the same name: address and pid
    database_pid: int | None = None  # a database server's, whose CPU is reported beside

    @property
    def urls(self) -> tuple[str, ...]:
        return (self.url, *(url for url, _ in self.more))

    @property
    def pids(self) -> tuple[int, ...]:
        return (self.pid, *(pid for _, pid in self.more))


@dataclass(frozen=True, slots=True)
class Field:
    """Everything that runs during the bench."""

    upstream: str
    upstream_pid: int
    contenders: tuple[Contender, ...]
    absent: Mapping[str, str]  # name -> why it is not there
    databases: Databases | None = None


class DidNotStart(Exception):
    """A contender ended, or gave no right answer in time; the message says what it wrote last."""


async def start(home: Path, children: Children, *, wanted: Collection[str] | None) -> Field:
    """Upstreams, yimen and every peer that can run; a peer that can not is left out with its reason."""
    port = next_port(set())
    upstream = f"http://127.0.0.1:{port}"
    up = children.start("upstreams", (sys.executable, "-m", "bench.upstreams", "--port", str(port)), read=False)
    await _until(children, "upstreams", partial(_answers, f"{upstream}/counts"))
    return await join(Field(upstream, up.pid, (), {}), home, children, DEFAULT if wanted is None else wanted)


async def join(field: Field, home: Path, children: Children, wanted: Collection[str]) -> Field:
    """`field` with these beside. Raises DidNotStart where one of ours does not run."""
    taken: set[int] = set()
    found, absent, databases = list(field.contenders), dict(field.absent), field.databases
    if databases is None and ON_POSTGRESQL & set(wanted):
        databases = await asyncio.to_thread(Databases.start)
    upstream = field.upstream
    starters: dict[str, Callable[[], Contender]] = {
        "yimen": lambda: _yimen(home / "yimen", upstream, next_port(taken), children),
        "yimen-pg": lambda: _on_postgresql(home / "yimen-pg", upstream, children, databases),
        "yimen-2-workers": lambda: _on_postgresql(home / "yimen-2-workers", upstream, children, databases, workers=2),
        "yimen-3-replicas": lambda: _on_postgresql(
            home / "yimen-3-replicas", upstream, children, databases, replicas=3
        ),
        "yimen-open": lambda: _bare(home / "yimen-open", upstream, next_port(taken), children, evidence=True),
        "yimen-bare": lambda: _bare(home / "yimen-bare", upstream, next_port(taken), children),
        "yoga": lambda: _node(home, "yoga", upstream, next_port(taken), children),
        "apollo": lambda: _node(home, "apollo", upstream, next_port(taken), children),
        "hive": lambda: _hive(home, upstream, next_port(taken), children),
        "strawberry": lambda: _strawberry(upstream, next_port(taken), children),
    }
    for name, starter in starters.items():
        if name not in wanted:
            continue
        try:
            contender = await asyncio.to_thread(starter)
            await until_right(children, contender)
            found.append(contender)
        except (DidNotStart, peers_node.NotInstalled) as error:
            if name not in PEERS:
                raise
            absent[name] = str(error)
    return replace(field, contenders=tuple(found), absent=absent, databases=databases)


async def until_right(children: Children, contender: Contender) -> None:
    """Until it answers every question rightly. Raises DidNotStart."""
    await _until(children, contender.name, partial(_right, contender))


def next_port(taken: set[int]) -> int:
    return free_port(_FIRST_PORT, taken, lambda _: None, "bench")


async def start_profiled(home: Path, upstream: str, samples: Path, children: Children, *, bare: bool) -> Contender:
    """One more yimen, which writes where its time goes to `samples` when it ends. Raises DidNotStart."""
    program = ("bench.profiled", str(samples), *(("bare",) if bare else ()))
    starter = partial(_bare if bare else _yimen, program=program)
    name = "profiled-bare" if bare else "profiled"
    contender = await asyncio.to_thread(starter, home / name, upstream, next_port(set()), children)
    await until_right(children, contender)
    return contender


def _yimen(
    home: Path, upstream: str, port: int, children: Children, *, program: tuple[str, ...] = ("demo.as_child",)
) -> Contender:
    prepared = yimen.prepare(home, upstream, port)
    child = children.start(home.name, (sys.executable, "-m", *program, "serve"), prepared.env, read=False)
    asked = dict(questions(purpose=True))
    for name, question in questions(purpose=True, envelope=True).items():
        asked[f"{name}+envelope"] = question
    title = f"yimen {version('yimen')}, everything on, SQLite"
    return Contender(home.name, title, child.pid, _url(port), asked, prepared.asker.headers)


def _bare(
    home: Path, upstream: str, port: int, children: Children, *, evidence: bool = False,
    program: tuple[str, ...] = ("bench.bare",),
) -> Contender:  # fmt: skip
    """With an open door: see bench.bare."""
    prepared = yimen.prepare(home, upstream, port)
    switch = ("--evidence",) if evidence else ()
    child = children.start(home.name, (sys.executable, "-m", *program, *switch, "serve"), prepared.env, read=False)
    without = "access" if evidence else "access, policy, ledger"
    title = f"yimen {version('yimen')} without {without} (bench only)"
    return Contender(home.name, title, child.pid, _url(port), questions(purpose=True))


def _on_postgresql(
    home: Path, upstream: str, children: Children, databases: Databases | None, *, workers: int = 1, replicas: int = 1
) -> Contender:
    """Everything on; one gateway, one with several workers, or several gateways on the same database."""
    assert databases is not None
    taken: set[int] = set()
    port = next_port(taken)
    prepared = yimen.prepare(home, upstream, port, database_url=databases.new(), keys_url=databases.new())
    env = {**prepared.env, "YIMEN_WORKERS": str(workers)}
    child = children.start(home.name, (*prepared.command,), env, read=False)
    more = []
    for number in range(1, replicas):
        _wait_listening(children, home.name, port)  # the first one migrates and makes the keys
        here = next_port(taken)
        name = f"{home.name}-{number}"
        other = children.start(name, prepared.command, yimen.replica_of(env, number, here), read=False)
        _wait_listening(children, name, here)
        more.append((_url(here), other.pid))
    what = {(1, 1): "", (2, 1): ", 2 workers"}.get((workers, replicas), f", {replicas} gateways on it")
    title = f"yimen {version('yimen')}, everything on, PostgreSQL {databases.version}{what}"
    return Contender(
        home.name,
        title,
        child.pid,
        _url(port),
        questions(purpose=True),
        prepared.asker.headers,
        tuple(more),
        databases.pid,
    )


def _wait_listening(children: Children, name: str, port: int) -> None:
    """Raises DidNotStart."""
    until = time.monotonic() + _READY_S
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if name in children.ended() or time.monotonic() > until:
            raise DidNotStart(f"{name} does not listen; it wrote: {children.log_of(name, 5)}")
        time.sleep(0.1)


def _strawberry(upstream: str, port: int, children: Children) -> Contender:
    child = children.start(
        "strawberry", (sys.executable, "-m", "bench.peers.stock_strawberry"), _env(upstream, port), read=False
    )
    title = f"strawberry {version('strawberry-graphql')} + aiohttp {version('aiohttp')}, caches on"
    return Contender("strawberry", title, child.pid, _url(port), questions(purpose=False))


def _node(home: Path, name: str, upstream: str, port: int, children: Children) -> Contender:
    place = peers_node.install(home, "node")
    child = children.start(name, peers_node.command(place, f"{name}.mjs"), _env(upstream, port), read=False)
    package = {"yoga": "graphql-yoga", "apollo": "@apollo/server"}[name]
    loader, client = (peers_node.installed(place, other) for other in ("dataloader", "undici"))
    title = f"{package} {peers_node.installed(place, package)} + dataloader {loader}, undici {client}"
    return Contender(name, title, child.pid, _url(port), questions(purpose=False))


def _hive(home: Path, upstream: str, port: int, children: Children) -> Contender:
    place = peers_node.install(home, "hive")
    peers_node.compose(place, upstream)
    command = peers_node.command(place, "node_modules/.bin/hive-gateway", "-c", "gateway.config.mjs", "supergraph")
    child = children.start("hive", command, _env(upstream, port), read=False)
    gateway, mesh = (peers_node.installed(place, one) for one in ("@graphql-hive/gateway", "@omnigraph/json-schema"))
    title = f"Hive Gateway {gateway} + Mesh REST (@omnigraph/json-schema {mesh})"
    return Contender("hive", title, child.pid, _url(port), questions(purpose=False))


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}/graphql"


def _env(upstream: str, port: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("YIMEN_")}
    return kept | {"UPSTREAM": upstream, "PORT": str(port), "NODE_ENV": "production"}


async def _until(children: Children, name: str, wrong: Callable[[], Awaitable[str]]) -> None:
    """Until `wrong` says nothing. Raises DidNotStart when that takes a minute, or the child ends before."""
    until = time.monotonic() + _READY_S
    while said := await wrong():
        if name in children.ended() or time.monotonic() > until:
            raise DidNotStart(f"{name} does not answer: {said}; it wrote: {children.log_of(name, 5)}")
        await asyncio.sleep(0.1)


async def _answers(url: str) -> str:
    try:
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return "" if response.status == 200 else f"status {response.status}"
    except (aiohttp.ClientError, OSError) as error:
        return type(error).__name__


async def _right(contender: Contender) -> str:
    """ "" once every question is answered rightly."""
    headers = {"content-type": "application/json"}
    try:
        async with aiohttp.ClientSession(headers=headers) as session:
            for url, question in product(contender.urls, contender.questions.values()):
                async with session.post(url, data=question.body, headers=contender.headers()) as response:
                    wrong = question.wrong(await response.read())
                    if wrong:
                        return f"{question.name}: {wrong}"
        return ""
    except (aiohttp.ClientError, OSError) as error:
        return type(error).__name__
