"""The load: a closed loop over a few keep-alive connections, a fixed number of requests, every answer looked at."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle
from statistics import median, quantiles

import aiohttp

from bench.contenders import Contender
from bench.cost import cpu_s
from bench.questions import Question

CONNECTIONS = 4
MANY = 64  # in flight at once at a thousand questions a second and departments that take 64 ms
_BLOCK_S = 120.0  # a block that takes longer than this is given up


class WrongAnswer(Exception):
    """A contender answered something else than it should; its figures would mean nothing."""


@dataclass(frozen=True, slots=True)
class Block:
    """One contender's turn with one question."""

    requests: int
    cpu_ms: float  # per request
    wall_s: float
    database_ms: float | None = None  # CPU of the database server per request, where it has one of its own


async def block(contender: Contender, question: Question, requests: int, *, connections: int = CONNECTIONS) -> Block:
    """`requests` answers, all right. Raises WrongAnswer; TimeoutError where the contender stops answering."""
    async with _session(contender, connections) as session, asyncio.timeout(_BLOCK_S):
        urls = cycle(contender.urls)
        for url in contender.urls:
            _look_at(contender, question, await _ask(session, contender, question, url, headers=contender.headers()))
        # Signed beforehand: what a client spends on a proof between two requests would else push the gateway off its core.
        made = iter([contender.headers() for _ in range(requests)])

        async def one_connection() -> None:
            for headers in made:
                await _ask(session, contender, question, next(urls), headers=headers)

        cpu, database, wall = _cpu_s(contender), _database_s(contender), time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(one_connection())
        wall = time.perf_counter() - wall
        spent, beside = _cpu_s(contender) - cpu, _database_s(contender) - database
        each = beside / requests * 1000 if contender.database_pid is not None else None
        return Block(requests, spent / requests * 1000, wall, each)


async def latencies_ms(contender: Contender, question: Question, requests: int) -> list[float]:
    """How long each of `requests` took, one at a time on one connection, after five that do not count. What the client
    does for itself, signing its proof and looking at the answer, is not counted: nobody else's client does it."""
    taken = []
    async with _session(contender, 1) as session, asyncio.timeout(_BLOCK_S):
        for number in range(requests + 5):
            headers = contender.headers()
            start = time.perf_counter()
            body = await _ask(session, contender, question, contender.url, headers=headers)
            taken_ms = (time.perf_counter() - start) * 1000
            _look_at(contender, question, body)
            if number >= 5:
                taken.append(taken_ms)
    return taken


async def direct_latencies_ms(url: str, body: bytes, requests: int) -> list[float]:
    """The same for a department itself."""
    taken = []
    async with aiohttp.ClientSession(headers={"content-type": "application/json"}) as session:
        for number in range(requests + 5):
            start = time.perf_counter()
            async with session.post(url, data=body) as response:
                await response.read()
            if number >= 5:
                taken.append((time.perf_counter() - start) * 1000)
    return taken


def p50(values: list[float]) -> float:
    return median(values)


def p95(values: list[float]) -> float:
    return quantiles(values, n=20)[-1]


def _session(contender: Contender, connections: int) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        headers={"content-type": "application/json"},
        connector=aiohttp.TCPConnector(limit=connections),
    )


def _cpu_s(contender: Contender) -> float:
    return sum(map(cpu_s, contender.pids))


def _database_s(contender: Contender) -> float:
    return cpu_s(contender.database_pid) if contender.database_pid is not None else 0.0


async def _ask(
    session: aiohttp.ClientSession, contender: Contender, question: Question, url: str, *, headers: Mapping[str, str]
) -> bytes:
    async with session.post(url, data=question.body, headers=headers) as response:
        body = await response.read()
    if response.status != 200 or b'"errors"' in body:
        raise WrongAnswer(f"{contender.name} {question.name}: {response.status} {body[:300]!r}")
    return body


def _look_at(contender: Contender, question: Question, body: bytes) -> None:
    if wrong := question.wrong(body):
        raise WrongAnswer(f"{contender.name} {question.name}: {wrong}")
