"""Many who ask and give up at any moment, a department that does anything to its connections: nobody gets what is another's,
nobody is told twice or never, and all that was taken is given back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from stdnum.iso7064 import mod_11_2

from adapters.egress_http import HttpEgress
from adapters.errors import Reason
from adapters.http_pool import Pool
from adapters.registry import OpenSource
from adapters.resilience import Guarded
from adapters.source import Answer, Failed, Found, Key, Lookup
from tests.fakes.waiting import until

from .conftest import Pki
from .lab import open_lab

pytestmark = pytest.mark.anyio
_STEMS = [f"44060619900307{number:03d}" for number in range(8)]
NUMBERS = [stem + mod_11_2.calc_check_digit(stem) for stem in _STEMS]
PERSONS: list[Key] = [(number,) for number in NUMBERS]
Talk = Callable[[list[str], asyncio.StreamWriter], Awaitable[None]]


def listing(asked: Sequence[str]) -> bytes:
    return json.dumps({"list": [{"djbh": f"R{number}", "sfzh": number} for number in asked]}).encode()


def reply(asked: Sequence[str]) -> bytes:
    body = listing(asked)
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


@asynccontextmanager
async def department(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Reads requests whole, and says what `talk` says to the numbers asked for."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(OSError, RuntimeError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                keys = json.loads(await reader.readexactly(length))["keys"]
                await talk([one["sfzh"] for one in keys], writer)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            with contextlib.suppress(AttributeError):  # what is gone already, in asyncio of Python 3.11.2
                writer.transport.abort()


def opened(egress: HttpEgress, folder: Path, port: int, ca_file: str = "", **limits: Any) -> OpenSource:
    endpoint = f"{'https' if ca_file else 'http'}://127.0.0.1:{port}"
    return open_lab(egress, folder, endpoint, "idNo", ca_file=ca_file, **{"concurrency": 3, **limits})


def lookup(*keys: Key) -> Lookup:
    return Lookup("residence", ("idNo",), keys, frozenset({"regNo"}))


def hostile(rng: random.Random, heard: list[list[str]]) -> Talk:
    """A department that has a record of everybody, and keeps no promise of HTTP."""

    async def talk(asked: list[str], writer: asyncio.StreamWriter) -> None:
        heard.append(asked)
        good, other = reply(asked), reply(NUMBERS[:1])
        what = rng.randrange(16)
        await asyncio.sleep(rng.choice((0, 0, 0.002, 0.01)))
        if what < 5:
            writer.write(good)
        elif what == 5:  # two at once, the second about somebody else or nobody
            writer.write(good + rng.choice((other, reply([]), b"H", b"\0", b"HTTP/1.1 100 Continue\r\n\r\n")))
        elif what == 6:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + good)
        elif what == 7:  # closes behind a good answer: just as the next question leaves
            writer.write(good)
            writer.close()
        elif what == 8:
            writer.close()
        elif what == 9:
            writer.transport.abort()
        elif what == 10:
            writer.write(good[: rng.randrange(len(good))])
            writer.close()
        elif what == 11:
            for byte in good:
                writer.write(bytes((byte,)))
                if rng.random() < 0.1:
                    await asyncio.sleep(0.001)
        elif what == 12:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + good)
        elif what == 13:
            writer.write(
                rng.choice((b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n"))
            )
        elif what == 14:
            await asyncio.sleep(0.2)  # too late for all
            writer.write(good)
        else:
            body = listing(asked)
            writer.write(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x;x=y\r\n%b\r\n0\r\nTrailer: x\r\n\r\n"
                % (len(body), body)
            )

    return talk


async def at_rest(guarded: Guarded) -> None:
    """Nothing is out, and no turn is held: of those before the guard, and of those before the department."""
    source: Any = guarded._source
    turns, inner = guarded._tries._turns, source._source._turns
    await until(lambda: (turns._free, inner._free, guarded.health().in_flight) == (3, 3, 0))


def pool_of(opened: OpenSource) -> Pool:
    channel: Any = opened.channel
    pool: Pool = channel._pool
    return pool


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_a_department_does_to_its_connections(
    egress: HttpEgress, tmp_path: Path, pki: Pki, seed: int
) -> None:
    rng = random.Random(seed)
    faults: list[dict[str, Any]] = []
    heard: list[list[str]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    async with department(hostile(rng, heard), pki.server if seed > 1 else None) as port:
        here = opened(
            egress,
            tmp_path,
            port,
            pki.ca_file if seed > 1 else "",
            timeout_s=0.1,
            retries=seed % 2,
            breaker_failures=10_000,
        )
        guarded = here.source
        assert isinstance(guarded, Guarded)

        async def asks() -> None:
            keys = tuple(rng.sample(PERSONS, rng.randrange(1, 4)))
            told: list[Sequence[Answer]] = []
            over = asyncio.Event()

            def hears(answers: Sequence[Answer]) -> None:
                told.append(answers)
                over.set()

            begun = guarded.ask(lookup(*keys), timeout_s=rng.choice((0.03, 0.1, 1.0)), told=hears)
            if rng.random() < 0.3:
                await asyncio.sleep(rng.choice((0, 0, 0.001, 0.005, 0.02)))
                begun.cancel()
                before = len(told)
                await asyncio.sleep(0.15)  # past its time and the request's: nothing is to come
                assert len(told) == before <= 1
                return
            async with asyncio.timeout(3):
                await over.wait()
            (answers,) = told
            for key, answer in zip(keys, answers, strict=True):
                assert isinstance(answer, Found | Failed), "the department has a record of each"
                if isinstance(answer, Found):
                    assert [row.values for row in answer.rows] == [{"regNo": f"R{key[0]}"}]

        for _ in range(12):
            await asyncio.gather(*(asks() for _ in range(rng.randrange(1, 13))))
        await at_rest(guarded)
        assert guarded._flights._by_about == {}
        pool = pool_of(here)
        await until(
            lambda: (
                (len(pool._busy), pool._left + sum(map(len, pool._idle.values())), len(pool._line))
                == (0, pool._rule.connections, 0)
            )
        )
        assert 12 < len(heard) <= guarded.health().calls, "nothing is sent a second time that no one counted"
        await here.close()
    assert faults == []


@pytest.mark.parametrize("waits_s", [0.0, 0.02])
async def test_what_is_closed_while_many_ask_tells_them_all(egress: HttpEgress, tmp_path: Path, waits_s: float) -> None:
    """As a set of manifests that has been replaced: those in line, those without a task and those that are connecting."""
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    silent = False

    async def talk(asked: list[str], writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30 if silent else 0)
        writer.write(reply(asked))

    async with department(talk) as port:
        here = opened(egress, tmp_path, port, timeout_s=20)
        guarded = here.source
        assert isinstance(guarded, Guarded)
        assert isinstance((await guarded.fetch(lookup(PERSONS[0]), timeout_s=5))[0], Found)
        silent = True
        told: list[Sequence[Answer]] = []
        begun = [guarded.ask(lookup(one), timeout_s=20, told=told.append) for one in PERSONS]
        await asyncio.sleep(waits_s)
        async with asyncio.timeout(2):
            await here.close()
        assert [answer.reason for answers in told for answer in answers if isinstance(answer, Failed)] == [
            Reason.DOWN
        ] * len(PERSONS)
        guarded.ask(lookup(PERSONS[0]), timeout_s=5, told=told.append)
        assert len(told) == len(PERSONS) + 1
        for one in begun:
            one.cancel()
        pool = pool_of(here)
        await until(lambda: (pool._busy, pool._idle, pool._origin_of, list(pool._line)) == (set(), {}, {}, []))
        await at_rest(guarded)
    assert faults == []
