"""Who is measured: how each is started, where it answers and what it is called in the table."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import aiohttp

from bench import peers_node, yimen
from bench.questions import Question, questions
from demo.ports import free_port
from demo.processes import Children

_FIRST_PORT = 18_710
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


@dataclass(frozen=True, slots=True)
class Field:
    """Everything that runs during the bench."""

    upstream: str
    upstream_pid: int
    contenders: tuple[Contender, ...]
    absent: Mapping[str, str]  # name -> why it is not there


class DidNotStart(Exception):
    """A contender ended, or gave no right answer in time; the message says what it wrote last."""


async def start(home: Path, children: Children, *, wanted: frozenset[str] | None) -> Field:
    """Upstreams, yimen and every peer that can run; a peer that can not is left out with its reason."""
    taken: set[int] = set()
    upstream_port = next_port(taken)
    upstream = f"http://127.0.0.1:{upstream_port}"
    up = children.start(
        "upstreams", (sys.executable, "-m", "bench.upstreams", "--port", str(upstream_port)), read=False
    )
    await _until(children, "upstreams", partial(_answers, f"{upstream}/counts"))

    found: list[Contender] = []
    absent: dict[str, str] = {}
    starters: dict[str, Callable[[], Contender]] = {
        "yimen": lambda: _yimen(home / "yimen", upstream, next_port(taken), children),
        "yimen-bare": lambda: _bare(home / "yimen-bare", upstream, next_port(taken), children),
        "strawberry": lambda: _strawberry(upstream, next_port(taken), children),
        "yoga": lambda: _node(home, "yoga", upstream, next_port(taken), children),
        "apollo": lambda: _node(home, "apollo", upstream, next_port(taken), children),
        "hive": lambda: _hive(home, upstream, next_port(taken), children),
    }
    for name, starter in starters.items():
        if wanted is not None and name not in wanted:
            continue
        try:
            contender = await asyncio.to_thread(starter)
            await until_right(children, contender)
            found.append(contender)
        except (DidNotStart, peers_node.NotInstalled) as error:
            if name == "yimen":
                raise
            absent[name] = str(error)
    return Field(upstream, up.pid, tuple(found), absent)


async def until_right(children: Children, contender: Contender) -> None:
    """Until it answers every question rightly. Raises DidNotStart."""
    await _until(children, contender.name, partial(_right, contender))


def next_port(taken: set[int]) -> int:
    return free_port(_FIRST_PORT, taken, lambda _: None, "bench")


async def start_profiled(home: Path, upstream: str, samples: Path, children: Children) -> Contender:
    """A second yimen, which writes where its time goes to `samples` when it ends. Raises DidNotStart."""
    profiled = (sys.executable, "-m", "bench.profiled", str(samples), "serve")
    contender = await asyncio.to_thread(_yimen, home / "profiled", upstream, next_port(set()), children, profiled)
    await until_right(children, contender)
    return contender


def _yimen(
    home: Path, upstream: str, port: int, children: Children, instead: tuple[str, ...] | None = None
) -> Contender:
    command, env, asker = yimen.prepare(home, upstream, port)
    child = children.start(home.name, instead or command, env, read=False)
    asked = dict(questions(purpose=True))
    for name, question in questions(purpose=True, envelope=True).items():
        asked[f"{name}+envelope"] = question
    title = f"yimen {version('yimen')}"
    return Contender(home.name, title, child.pid, _url(port), asked, asker.headers)


def _bare(home: Path, upstream: str, port: int, children: Children) -> Contender:
    """Without access: see bench.bare."""
    command, env, _ = yimen.prepare(home, upstream, port)
    child = children.start(home.name, (sys.executable, "-m", "bench.bare", *command[-1:]), env, read=False)
    title = f"yimen {version('yimen')}, without access (bench only)"
    return Contender(home.name, title, child.pid, _url(port), questions(purpose=True))


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
            for question in contender.questions.values():
                async with session.post(contender.url, data=question.body, headers=contender.headers()) as response:
                    wrong = question.wrong(await response.read())
                    if wrong:
                        return f"{question.name}: {wrong}"
        return ""
    except (aiohttp.ClientError, OSError) as error:
        return type(error).__name__
