"""Witnesses as real servers on free loopback ports: one that does its duty, and every other kind there is.

    async with witness("GA") as ga:
        ga.trust(log_vkey)          # which log it knows; may be called again
        ... ga.url, ga.vkey ...     # for a policy file: ga.policy_line()
        ga.behave = hanging         # from now on; `ga.behave = honest` puts it right
        ga.forget()                 # its disk was replaced: the next answer is 409 with 0

`requests` are the bodies it was sent. Behaviours that need a figure are made: `slow(0.3)`, `claims_ahead(1000)`,
`ahead_with_proof(note)`, `status(500)`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256

from aiohttp import web

from ledger.encoding import b64
from ledger.note import COSIGNATURE, Signer, VerifierKey
from ledger.witness.errors import OtherSize, Refused
from ledger.witness.memory import MemoryStates
from ledger.witness.request import parse_request
from ledger.witness.witness import Witness

Behaviour = Callable[["FakeWitness", web.Request, bytes], Awaitable[web.StreamResponse]]
"""Answers a request; the body was read already, for a GET it is empty."""


@dataclass
class FakeWitness:
    """A witness that listens. `states` and `core` are the product's own; only `behave` is not."""

    name: str
    url: str
    signer: Signer
    core: Witness
    states: MemoryStates
    behave: Behaviour
    requests: list[bytes] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    @property
    def vkey(self) -> str:
        return str(self.signer.key)

    def policy_line(self) -> str:
        return f"witness {self.name} {self.vkey} {self.url}"

    def trust(self, *keys: VerifierKey) -> None:
        known = {origin: list(held) for origin, held in self.core.logs.items()}
        for key in keys:
            known.setdefault(key.name, []).append(key)
        self.core.logs = known

    def forget(self) -> None:
        self.states.forget()

    @property
    def sizes(self) -> dict[str, int]:
        """Origin -> the size it cosigned last."""
        return {
            origin: self.states.last(origin).checkpoint.size for origin in self.core.logs if self.states.last(origin)
        }  # type: ignore[union-attr]


def signer(name: str, kind: int = COSIGNATURE) -> Signer:
    """A fresh key."""
    return Signer(name, kind, os.urandom(32))


async def honest(fake: FakeWitness, request: web.Request, body: bytes) -> web.StreamResponse:
    """The product's core behind the protocol."""
    if request.method == "GET":
        newest = fake.core.newest(request.path.split("/")[-2])
        return web.Response(status=200 if newest else 404, body=newest or b"")
    try:
        return web.Response(body=fake.core.add_checkpoint(body), content_type="text/plain", charset="utf-8")
    except OtherSize as error:
        return web.Response(status=409, body=f"{error.size}\n".encode(), content_type="text/x.tlog.size")
    except Refused as error:
        return web.Response(status=error.status, text=f"{error}\n")


async def blind(fake: FakeWitness, request: web.Request, body: bytes) -> web.StreamResponse:
    """Colludes: cosigns whatever it is sent, whichever tree came before."""
    if request.method == "GET":
        return web.Response(status=404)
    note = parse_request(body).note
    return web.Response(text=str(fake.signer.sign(note.text, 1_900_000_000)))


async def signs_another_root(fake: FakeWitness, request: web.Request, body: bytes) -> web.StreamResponse:
    """A real signature by the right key, over a root nobody asked for."""
    checkpoint = parse_request(body or b"").checkpoint
    other = replace(checkpoint, root=sha256(checkpoint.root).digest())
    return web.Response(text=str(fake.signer.sign(other.text, 1_900_000_000)))


def at_no_time(seconds: int) -> Behaviour:
    """Signs what it was asked to, and says it did so when no calendar has a day."""

    async def answer(fake: FakeWitness, request: web.Request, body: bytes) -> web.StreamResponse:
        return web.Response(text=str(fake.signer.sign(parse_request(body).note.text, seconds)))

    return answer


async def wrong_key(fake: FakeWitness, request: web.Request, body: bytes) -> web.StreamResponse:
    """Signs under its name with a key the policy does not hold."""
    note = parse_request(body).note
    return web.Response(text=str(signer(fake.name).sign(note.text, 1_900_000_000)))


async def forged(fake: FakeWitness, request: web.Request, body: bytes) -> web.StreamResponse:
    """The right name and key id, and 72 bytes of nothing."""
    value = (1_900_000_000).to_bytes(8, "big") + bytes(64)
    return web.Response(text=f"— {fake.signer.name} {b64(fake.signer.key.id + value)}\n")


async def hanging(fake: FakeWitness, request: web.Request, body: bytes) -> web.StreamResponse:
    """Takes the request and says nothing, for an hour."""
    await asyncio.sleep(3600)
    return web.Response(status=504)


async def garbage(fake: FakeWitness, request: web.Request, body: bytes) -> web.StreamResponse:
    """200, and bytes that are no signature line."""
    return web.Response(body=b"\xff\xfe<html>\0\n\n" + os.urandom(64))


async def empty(fake: FakeWitness, request: web.Request, body: bytes) -> web.StreamResponse:
    return web.Response(body=b"")


async def huge_body(fake: FakeWitness, request: web.Request, body: bytes) -> web.StreamResponse:
    """Never stops sending."""
    response = web.StreamResponse(headers={"content-type": "text/plain"})
    await response.prepare(request)
    with suppress(ConnectionError):
        while True:
            await response.write(b"\xe2\x80\x94 x " + b"A" * 65536)
    return response


async def trickling(fake: FakeWitness, request: web.Request, body: bytes) -> web.StreamResponse:
    """A byte every tenth of a second, so that no read ever times out."""
    response = web.StreamResponse()
    await response.prepare(request)
    with suppress(ConnectionError):
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.1)
    return response


async def hanging_up(fake: FakeWitness, request: web.Request, body: bytes) -> web.StreamResponse:
    """Promises a body and closes in the middle of it."""
    response = web.StreamResponse(headers={"content-length": "200"})
    await response.prepare(request)
    await response.write(b"half")
    assert request.transport is not None
    request.transport.close()
    return response


async def redirecting(fake: FakeWitness, request: web.Request, body: bytes) -> web.StreamResponse:
    """To another place of its own; whoever follows shows up in `paths` as /elsewhere."""
    if request.path == "/elsewhere":
        return await honest(fake, request, body)
    return web.Response(status=307, headers={"location": f"{fake.url}/elsewhere"})


async def odd_conflict(fake: FakeWitness, request: web.Request, body: bytes) -> web.StreamResponse:
    """A 409 that is no size of a tree: the wrong content type. A client must not resync by it."""
    return web.Response(status=409, text="3\n", content_type="text/plain")


async def conflict_without_end(fake: FakeWitness, request: web.Request, body: bytes) -> web.StreamResponse:
    """409 each time, with a size that is never the one it was just sent. A client must not try for ever."""
    size = max(parse_request(body).old - 1, 0) if body else 0
    return web.Response(status=409, body=f"{size}\n".encode(), content_type="text/x.tlog.size")


def taken_along(times: int) -> Behaviour:
    """409 with a size one larger than the one it was sent, so many times, as where another leader of the same log is asking
    too; then it cosigns."""
    left = [times]

    async def behave(fake: FakeWitness, request: web.Request, body: bytes) -> web.StreamResponse:
        if request.method == "GET":
            return await honest(fake, request, body)
        if left[0] == 0:
            return await blind(fake, request, body)
        left[0] -= 1
        return web.Response(
            status=409, body=f"{parse_request(body).old + 1}\n".encode(), content_type="text/x.tlog.size"
        )

    return behave


async def sizes_of_nonsense(fake: FakeWitness, request: web.Request, body: bytes) -> web.StreamResponse:
    """409 of the right type, and a number that is none."""
    return web.Response(status=409, body=b"-00" + b"9" * 400 + b"\n", content_type="text/x.tlog.size")


def status(code: int) -> Behaviour:
    async def behave(fake: FakeWitness, request: web.Request, body: bytes) -> web.StreamResponse:
        return web.Response(status=code, text="no\n")

    return behave


def slow(seconds: float, then: Behaviour = honest) -> Behaviour:
    async def behave(fake: FakeWitness, request: web.Request, body: bytes) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await then(fake, request, body)

    return behave


def claims_ahead(by: int) -> Behaviour:
    """409 with a size above ours, and nothing to show for it at the monitoring address."""

    async def behave(fake: FakeWitness, request: web.Request, body: bytes) -> web.StreamResponse:
        if request.method == "GET":
            return web.Response(status=404)
        size = parse_request(body).checkpoint.size + by
        return web.Response(status=409, body=f"{size}\n".encode(), content_type="text/x.tlog.size")

    return behave


def ahead_with_proof(note: bytes) -> Behaviour:
    """409 with the size of `note`, which it shows at the monitoring address: a checkpoint the log signed and then lost."""
    size = note.split(b"\n")[1].decode()

    async def behave(fake: FakeWitness, request: web.Request, body: bytes) -> web.StreamResponse:
        if request.method == "GET":
            return web.Response(body=note)
        return web.Response(status=409, body=f"{size}\n".encode(), content_type="text/x.tlog.size")

    return behave


@asynccontextmanager
async def witness(name: str, *, behave: Behaviour = honest, key: Signer | None = None) -> AsyncIterator[FakeWitness]:
    """One that listens on 127.0.0.1. Its key's name is `name`.example."""
    states = MemoryStates()
    own = key or signer(f"{name.lower()}.example")
    fake = FakeWitness(name, "", own, Witness(own, {}, states), states, behave)

    async def answer(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        fake.paths.append(request.path)
        if request.method == "POST":
            fake.requests.append(body)
        try:
            return await fake.behave(fake, request, body)
        except Refused:  # what only cosigns has nothing to show, and no use for what is no request
            return web.Response(status=404 if request.method == "GET" else 400)

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        fake.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[union-attr]
        yield fake
    finally:
        await runner.cleanup()
