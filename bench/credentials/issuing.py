"""What a credential costs an issuer over HTTP: a nonce, then a credential for a proof with it. CPU of the server alone.

`measure` is for any issuer of OpenID4VCI 1.0; `yimen` starts ours. `python -m bench.credentials.issuing [COUNT]` prints one run.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp

from bench.cost import cpu_s
from credentials.jose import LocalSigner, dumps, sign

_PRE_AUTHORIZED = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
_KEYS = 16
_READY_S = 30.0


@dataclass(frozen=True, slots=True)
class Issuer:
    """A running issuer, and a token for as many credentials as one likes. `pid`: its process, children included."""

    pid: int
    issuer: str
    configuration_id: str
    token: str = field(repr=False)
    nonce_url: str = ""
    credential_url: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one nonce and one credential together."""

    cpu_ms: float
    per_second: float


class WrongAnswer(Exception):
    """No credential where one was due."""


async def measure(one: Issuer, count: int, *, connections: int = 4) -> Cost:
    """`count` times a nonce and a credential. Proofs are signed between the two requests, by this process."""
    keys = [LocalSigner.generate() for _ in range(_KEYS)]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections), trust_env=False) as session:
        left = iter(range(count))

        async def one_connection() -> None:
            for number in left:
                await _credential(session, one, keys[number % _KEYS])

        await _credential(session, one, keys[0])
        cpu, begun = cpu_s(one.pid), time.perf_counter()
        async with asyncio.timeout(300), asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(one_connection())
        took = time.perf_counter() - begun
        return Cost((cpu_s(one.pid) - cpu) / count * 1000, count / took)


@asynccontextmanager
async def yimen(database_url: str | None = None) -> AsyncIterator[Issuer]:
    """Our issuer in a process of its own, on SQLite unless `database_url` says otherwise."""
    folder = tempfile.mkdtemp(prefix="yimen-bench-issuer-")
    command = [sys.executable, "-m", "bench.credentials.issuer_server", "0", folder]
    child = subprocess.Popen([*command, *([database_url] if database_url else [])], stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        told = json.loads(await asyncio.to_thread(child.stdout.readline))
        yield await _redeemed(child.pid, told["issuer"], told["link"])
    finally:
        child.terminate()
        await asyncio.to_thread(child.wait)


async def _redeemed(pid: int, issuer: str, link: str) -> Issuer:
    async with aiohttp.ClientSession(trust_env=False) as session:
        said = await _said(session, f"{issuer}/.well-known/openid-credential-issuer")
        offer = await _said(session, parse_qs(urlsplit(link).query)["credential_offer_uri"][0])
        form = {"grant_type": _PRE_AUTHORIZED, **offer["grants"][_PRE_AUTHORIZED]}
        async with session.post(f"{issuer}/oauth/token", data=form) as response:
            token = (await response.json())["access_token"]
    (configuration_id,) = offer["credential_configuration_ids"]
    return Issuer(pid, issuer, configuration_id, token, said["nonce_endpoint"], said["credential_endpoint"])


async def _said(session: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    """The JSON at `url`, once whoever serves it listens."""
    until = time.monotonic() + _READY_S
    while True:
        try:
            async with session.get(url) as response:
                return dict(await response.json())
        except aiohttp.ClientConnectionError:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(0.1)


async def _credential(session: aiohttp.ClientSession, one: Issuer, key: LocalSigner) -> None:
    async with session.post(one.nonce_url) as response:
        nonce = (await response.json())["c_nonce"]
    claims = {"aud": one.issuer, "iat": int(time.time()), "nonce": nonce}
    proof = sign(key, {"typ": "openid4vci-proof+jwt", "jwk": dict(key.public.jwk)}, dumps(claims))
    body = {"credential_configuration_id": one.configuration_id, "proofs": {"jwt": [proof]}}
    headers = {"Authorization": f"Bearer {one.token}", "Content-Type": "application/json"}
    async with session.post(one.credential_url, data=dumps(body), headers=headers) as response:
        told = await response.json(content_type=None)
        if response.status != 200 or not told["credentials"][0]["credential"]:
            raise WrongAnswer(f"{response.status} {told}")


async def _main(count: int) -> None:
    async with yimen() as one:
        await measure(one, max(50, count // 5))  # caches and compiled statements
        found = await measure(one, count)
    print(f"nonce + credential: {found.cpu_ms:.2f} CPU ms, {found.per_second:.0f} a second")


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]) if len(sys.argv) > 1 else 500))
