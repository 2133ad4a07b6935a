"""`python -m bench.token_endpoint`: a token by client_credentials, private_key_jwt and DPoP, ours beside oidc-provider's.

Both check the client's signature, a DPoP proof, and replay of both; both sign a JWT access token with ES256. oidc-provider
keeps everything in memory; ours keeps it in its database, on SQLite in the same process and on PostgreSQL beside it.
Requests are signed beforehand; CPU is of the servers alone. Writes bench/TOKENS.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import aiohttp
from joserfc.jwk import ECKey

from bench import peers_node, token_server
from bench.cost import cpu_s, rss_mib
from bench.machine import machine
from bench.token_requests import TokenRequest, new_key, public_jwk, right, token_requests
from demo.ports import free_port
from demo.processes import Children

_HOME = Path("var/bench")
_RESULTS = Path(__file__).parent / "TOKENS.md"
_CONNECTIONS = 4
_FIRST_PORT = 18_910
_READY_S = 60.0
_GOAL = 0.8
_CLIENT = "bench"


@dataclass(slots=True)
class Contender:
    """A running authorization server and what it has cost: CPU ms a request in each round."""

    title: str
    pid: int
    issuer: str
    token_url: str
    key: ECKey
    parameters: Mapping[str, str]
    database_pid: int | None = None
    nonce: str | None = None
    cpu_ms: list[float] = field(default_factory=list)
    database_ms: list[float] = field(default_factory=list)


class WrongAnswer(Exception):
    """No token where one was due."""


async def _block(one: Contender, proof_key: ECKey, count: int) -> tuple[float, float]:
    """CPU ms a request: of the server, of its database."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_CONNECTIONS)) as session:
        await _token(session, one, proof_key)
        left = iter(list(_made(one, proof_key, count)))

        async def one_connection() -> None:
            for request in left:
                status, body, _ = await _post(session, one, request)
                if not right(status, body):
                    raise WrongAnswer(f"{one.title}: {status} {body[:200]!r}")

        cpu, database = cpu_s(one.pid), _database_s(one)
        async with asyncio.timeout(120), asyncio.TaskGroup() as group:
            for _ in range(_CONNECTIONS):
                group.create_task(one_connection())
        return (cpu_s(one.pid) - cpu) / count * 1000, (_database_s(one) - database) / count * 1000


def _database_s(one: Contender) -> float:
    return cpu_s(one.database_pid) if one.database_pid is not None else 0.0


async def _token(session: aiohttp.ClientSession, one: Contender, proof_key: ECKey) -> None:
    """One token, with the nonce the server may ask for. Raises WrongAnswer."""
    status, body = 0, b""
    for _ in range(3):
        status, body, nonce = await _post(session, one, next(_made(one, proof_key, 1)))
        if nonce is not None:
            one.nonce = nonce
        if right(status, body):
            return
    raise WrongAnswer(f"{one.title}: {status} {body[:300]!r}")


def _made(one: Contender, proof_key: ECKey, count: int) -> Iterator[TokenRequest]:
    return token_requests(
        count, issuer=one.issuer, token_url=one.token_url, client_id=_CLIENT, key=one.key, proof_key=proof_key,
        parameters=one.parameters, nonce=one.nonce,
    )  # fmt: skip


async def _post(session: aiohttp.ClientSession, one: Contender, request: TokenRequest) -> tuple[int, bytes, str | None]:
    async with session.post(one.token_url, data=request.body, headers=dict(request.headers)) as response:
        return response.status, await response.read(), response.headers.get("dpop-nonce")


def _start(children: Children) -> list[Contender]:
    taken: set[int] = set()

    def port() -> int:
        return free_port(_FIRST_PORT, taken, lambda _: None, "bench")

    found = []
    for name, database in (("SQLite", None), ("PostgreSQL", token_server.database_server())):
        here, key = port(), new_key("c1")
        env = token_server.prepare(_HOME / "tokens", here, key, _CLIENT, database.url if database else None)
        child = children.start(f"tokens-{name}", (sys.executable, "-m", "demo.as_child", "serve"), env, read=False)
        issuer = f"http://127.0.0.1:{here}"
        found.append(
            Contender(
                f"yimen, {name}", child.pid, issuer, f"{issuer}/oauth/token", key, {},
                database_pid=database.pid if database else None,
            )
        )  # fmt: skip
    place = peers_node.install(_HOME, "oidc")
    here, key, resource = port(), new_key("c1"), "http://127.0.0.1:1/graphql"
    env = {
        **os.environ, "PORT": str(here), "CLIENT_JWK": json.dumps(public_jwk(key)), "RESOURCE": resource,
        "NODE_ENV": "production",
    }  # fmt: skip
    child = children.start("oidc-provider", peers_node.command(place, "provider.mjs"), env, read=False)
    issuer = f"http://127.0.0.1:{here}"
    title = f"oidc-provider {peers_node.installed(place, 'oidc-provider')}, in memory"
    found.append(Contender(title, child.pid, issuer, f"{issuer}/token", key, {"resource": resource}))
    return found


async def _ready(contenders: list[Contender], proof_key: ECKey) -> None:
    until = time.monotonic() + _READY_S
    for one in contenders:
        async with aiohttp.ClientSession() as session:
            while True:
                with suppress(aiohttp.ClientError, OSError):
                    await _token(session, one, proof_key)
                    break
                if time.monotonic() > until:
                    raise WrongAnswer(f"{one.title} does not answer")
                await asyncio.sleep(0.1)


async def measured(rounds: int, count: int, warm_up: int, children: Children) -> list[Contender]:
    contenders, proof_key = _start(children), new_key("p1")
    await _ready(contenders, proof_key)
    for number in range(-warm_up, rounds):
        print(f"bench: round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        start = number % len(contenders)
        for one in [*contenders[start:], *contenders[:start]]:
            server, database = await _block(one, proof_key, count)
            if number >= 0:
                one.cpu_ms.append(server)
                one.database_ms.append(database)
    return contenders


def _written(contenders: list[Contender], rounds: int, count: int) -> str:
    peer = median(contenders[-1].cpu_ms)
    lines = [
        "# A token, beside oidc-provider",
        "",
        "Written by `python -m bench.token_endpoint`; do not edit, run it again. client_credentials, private_key_jwt (ES256), DPoP,",
        f"a JWT access token signed with ES256. Server CPU ms a request, median of {rounds} interleaved rounds of {count} requests on",
        f"{_CONNECTIONS} keep-alive connections (lowest and highest round in brackets); goal: at most {_GOAL} of oidc-provider's.",
        "",
        f"Machine: {machine()}.",
        "",
        "| | CPU ms | of oidc-provider's | database CPU ms beside | RSS MiB |",
        "|---|---|---|---|---|",
    ]
    for one in contenders:
        mine = median(one.cpu_ms)
        beside = f"{median(one.database_ms):.2f}" if one.database_pid is not None else "in the same process"
        if one is contenders[-1]:
            beside = "none"
        spread = f"{mine:.2f} ({min(one.cpu_ms):.2f} - {max(one.cpu_ms):.2f})"
        lines.append(f"| {one.title} | {spread} | {mine / peer:.2f} | {beside} | {rss_mib(one.pid):.0f} |")
    return "\n".join(lines) + "\n"


def keep(contenders: list[Contender], rounds: int, count: int) -> str:
    """Writes the page and returns it; to be called before the contenders are stopped."""
    text = _written(contenders, rounds, count)
    _RESULTS.write_text(text, encoding="utf-8")
    return text


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.token_endpoint", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="rounds that count (default 7)")
    parser.add_argument("--requests", type=int, default=300, help="requests in a block (default 300)")
    parser.add_argument("--warm-up", type=int, default=2, help="rounds that do not count (default 2)")
    given = parser.parse_args()
    if not (1 <= given.rounds <= 50 and 1 <= given.requests <= 2000 and 0 <= given.warm_up <= 20):
        parser.error("rounds 1 to 50, requests 1 to 2000, warm-up 0 to 20")
    children = Children(_HOME / "logs")
    try:
        contenders = asyncio.run(measured(given.rounds, given.requests, given.warm_up, children))
        text = keep(contenders, given.rounds, given.requests)
    except (WrongAnswer, peers_node.NotInstalled, TimeoutError) as error:
        print(f"bench: {error or type(error).__name__}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        children.stop()
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
