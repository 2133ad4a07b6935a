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
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp

from bench.cost import cpu_s
from bench.token_server import DatabaseServer
from credentials.jose import LocalSigner, dumps, sign

PRE_AUTHORIZED = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
_KEYS = 16
CONNECTIONS = 16
_READY_S = 30.0


@dataclass(frozen=True, slots=True)
class Issuer:
    """A running issuer, and tokens of several persons, each for as many credentials as one likes. `pid`: its process,
    children included; `database_pid`: of the database beside it."""

    pid: int
    issuer: str
    configuration_id: str
    tokens: Sequence[str] = field(repr=False)
    nonce_url: str = ""
    credential_url: str = ""
    database_pid: int | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one nonce and one credential together. `database_ms`: CPU of the database beside the issuer."""

    cpu_ms: float
    per_second: float
    database_ms: float = 0.0


class WrongAnswer(Exception):
    """No credential where one was due."""


async def measure(one: Issuer, count: int, *, connections: int = CONNECTIONS) -> Cost:
    """`count` times a nonce and a credential. Proofs are signed between the two requests, by this process."""
    keys = [LocalSigner.generate() for _ in range(_KEYS)]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections), trust_env=False) as session:
        left = iter(range(count))

        async def one_connection() -> None:
            for number in left:
                await _credential(session, one, keys[number % _KEYS], one.tokens[number % len(one.tokens)])

        await _credential(session, one, keys[0], one.tokens[0])
        cpu, beside, begun = cpu_s(one.pid), _database_s(one), time.perf_counter()
        async with asyncio.timeout(300), asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(one_connection())
        took = time.perf_counter() - begun
        beside = (_database_s(one) - beside) / count * 1000
        return Cost((cpu_s(one.pid) - cpu) / count * 1000, count / took, beside)


@asynccontextmanager
async def yimen(database: DatabaseServer | None = None) -> AsyncIterator[Issuer]:
    """Our issuer in a process of its own, on SQLite unless there is a `database`."""
    folder = tempfile.mkdtemp(prefix="yimen-bench-issuer-")
    command = [sys.executable, "-m", "bench.credentials.issuer_server", "0", folder]
    # What it logs goes nowhere, but is made.
    child = subprocess.Popen(
        [*command, *([database.url] if database else [])], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert child.stdout is not None
        told = json.loads(await asyncio.to_thread(child.stdout.readline))
        offers = [parse_qs(urlsplit(link).query)["credential_offer_uri"][0] for link in told["links"]]
        one = await redeemed(child.pid, told["issuer"], offers, "/oauth/token")
        yield replace(one, database_pid=database.pid if database else None)
    finally:
        child.terminate()
        await asyncio.to_thread(child.wait)


async def redeemed(pid: int, issuer: str, offers: Sequence[str], token_path: str) -> Issuer:
    """`offers`: where they are to be fetched, all of the same configuration."""
    tokens, configurations = [], set()
    async with aiohttp.ClientSession(trust_env=False) as session:
        said = await _said(session, f"{issuer}/.well-known/openid-credential-issuer")
        for url in offers:
            offer = await _said(session, url)
            form = {"grant_type": PRE_AUTHORIZED, **offer["grants"][PRE_AUTHORIZED]}
            async with session.post(issuer + token_path, data=form) as response:
                tokens.append((await response.json())["access_token"])
            configurations.update(offer["credential_configuration_ids"])
    (configuration_id,) = configurations
    return Issuer(pid, issuer, configuration_id, tokens, said["nonce_endpoint"], said["credential_endpoint"])


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


def _database_s(one: Issuer) -> float:
    return cpu_s(one.database_pid) if one.database_pid is not None else 0.0


async def _credential(session: aiohttp.ClientSession, one: Issuer, key: LocalSigner, token: str) -> None:
    async with session.post(one.nonce_url) as response:
        nonce = (await response.json())["c_nonce"]
    claims = {"aud": one.issuer, "iat": int(time.time()), "nonce": nonce}
    proof = sign(key, {"typ": "openid4vci-proof+jwt", "jwk": dict(key.public.jwk)}, dumps(claims))
    body = {"credential_configuration_id": one.configuration_id, "proofs": {"jwt": [proof]}}
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
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
