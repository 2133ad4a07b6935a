"""How witnesses that others wrote answer, as their published sources have it: each in its own dialect of C2SP tlog-witness.

The deciding is the product's own core; only the words are theirs.
"""

from __future__ import annotations

from aiohttp import web

from ledger.witness.errors import OtherSize, Refused
from tests.fakes.witnesses import FakeWitness, signer

_NOSNIFF = {"x-content-type-options": "nosniff", "access-control-allow-origin": "*"}


def _decided(fake: FakeWitness, body: bytes) -> tuple[int, bytes]:
    """Status, and the lines, the size, or nothing."""
    try:
        return 200, fake.core.add_checkpoint(body)
    except OtherSize as error:
        return 409, b"%d" % error.size
    except Refused as error:
        return error.status, b""


async def litewitness(fake: FakeWitness, request: web.Request, body: bytes) -> web.StreamResponse:
    """FiloSottile/litetlog, 2025: an unknown log is 403, as a bad signature is; nothing to be looked up by origin."""
    if request.method == "GET":
        return web.Response(status=404, text="404 page not found\n", headers=_NOSNIFF)
    status, said = _decided(fake, body)
    if status == 409:
        return web.Response(status=409, body=said + b"\n", headers=_NOSNIFF | {"content-type": "text/x.tlog.size"})
    if status == 200:
        return web.Response(body=said, headers=_NOSNIFF)
    return web.Response(status=403 if status == 404 else status, text="unknown log\n", headers=_NOSNIFF)


async def omniwitness(fake: FakeWitness, request: web.Request, body: bytes) -> web.StreamResponse:
    """transparency-dev/witness: refusals have no body, answers no type, and it pushes back when it is asked too often."""
    if request.method == "GET":
        return web.Response(status=404)
    if len(fake.requests) % 3 == 1:
        return web.Response(status=429)
    status, said = _decided(fake, body)
    if status == 409:
        return web.Response(status=409, body=said + b"\n", headers={"content-type": "text/x.tlog.size"})
    return web.Response(status=status, body=said)


async def proxied(fake: FakeWitness, request: web.Request, body: bytes) -> web.StreamResponse:
    """Behind a proxy that adds a charset and trims; beside its own line stand those of keys nobody told us of."""
    if request.method == "GET":
        return web.Response(status=404)
    status, said = _decided(fake, body)
    if status == 409:
        return web.Response(status=409, body=said, headers={"content-type": "Text/X.Tlog.Size; charset=utf-8"})
    if status == 200:
        strange = str(signer("another.example/w").sign("another text\n", 1_900_000_000)).encode()
        larger = str(signer(fake.signer.name).sign("another text\n", 1_900_000_000)).encode()  # its next key, say
        return web.Response(body=strange + larger + said.rstrip(b"\n"))
    return web.Response(status=status, text="<html>no</html>", content_type="text/html")
