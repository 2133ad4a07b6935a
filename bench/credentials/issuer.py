"""A nonce and a credential over HTTP, ours beside an issuer built on @openid4vc/openid4vci, in turns.

Ours keeps what it issues, the record of it and the nonce in its database (SQLite in the same process, or PostgreSQL beside);
the peer has everything in memory. Facts are at hand for both: no department is asked, so of ours the query itself (policy,
federation, the record of the access) is left out, and with it the ledger's sequencer and witnesses.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench import peers_node, token_server
from bench.credentials.issuer_server import CLAIMS, PERSONS
from bench.credentials.issuing import CONNECTIONS, Cost, Issuer, measure, redeemed, yimen
from bench.credentials.table import Part
from demo.ports import free_port
from demo.processes import Children

_HOME = Path("var/bench")
_FIRST_PORT = 18_930
_BLOCK = 400
_WARM_UP = 2
_GOAL = 1.5
_PEER = "openid4vc"
_ROUNDS_LEAST = 7


@dataclass(slots=True)
class Contender:
    """`peer`: the one ours are compared with; `lean`: the least such an issuer could be."""

    title: str
    issuer: Issuer
    ours: bool = False
    costs: list[Cost] = field(default_factory=list)

    @property
    def cpu_ms(self) -> float:
        return median(one.cpu_ms for one in self.costs)


def measured(rounds: int) -> Part:
    """Raises WrongAnswer. Where npm is out of reach, ours alone."""
    return asyncio.run(_measured(max(rounds, _ROUNDS_LEAST)))


async def _measured(rounds: int) -> Part:
    children = Children(_HOME / "logs")
    try:
        async with AsyncExitStack() as stack:
            ours = [
                Contender("yimen, SQLite", await stack.enter_async_context(yimen()), ours=True),
                Contender(
                    "yimen, PostgreSQL",
                    await stack.enter_async_context(yimen(token_server.database_server())),
                    ours=True,
                ),
            ]
            contenders = [*ours, *await _peers(children)]
            for number in range(-_WARM_UP, rounds):
                print(f"bench: round {number + 1} of {rounds}", file=sys.stderr, flush=True)
                start = number % len(contenders)
                for one in [*contenders[start:], *contenders[:start]]:
                    cost = await measure(one.issuer, _BLOCK)
                    if number >= 0:
                        one.costs.append(cost)
    finally:
        children.stop()
    return part(contenders)


async def _peers(children: Children) -> list[Contender]:
    try:
        place = peers_node.install(_HOME, _PEER)
        version = peers_node.installed(place, "@openid4vc/openid4vci")
    except peers_node.NotInstalled as error:
        print(f"bench: without @openid4vc: {error}", file=sys.stderr)
        return []
    taken: set[int] = set()
    found = []
    for title, tokens in (
        (f"issuer on @openid4vc/openid4vci {version}, in memory", "jwt"),
        ("the same with opaque tokens in a Map", "opaque"),
    ):
        port = free_port(_FIRST_PORT, taken, lambda _: None, "bench")
        env = {
            **os.environ, "PORT": str(port), "CLAIMS": json.dumps(CLAIMS), "TOKENS": tokens, "NODE_ENV": "production",
            "X5C": json.dumps([secrets.token_hex(450)]),  # as long as a certificate of ours
        }  # fmt: skip
        child = children.start(f"{_PEER}-{tokens}", peers_node.command(place, "issuer.mjs"), env, read=False)
        base = f"http://127.0.0.1:{port}"
        found.append(Contender(title, await redeemed(child.pid, base, [f"{base}/offer"] * PERSONS, "/token")))
    return found


def part(contenders: Sequence[Contender]) -> Part:
    """The first that is not ours is the peer."""
    peer = next((one for one in contenders if not one.ours), None)
    lines = [
        f"CPU milliseconds of the server's whole process for one nonce and one credential (ES256, ten selectively disclosable "
        f"claims, x5c, status), {_BLOCK} pairs a block on {CONNECTIONS} keep-alive connections, {PERSONS} persons' tokens in turn; the "
        "client signs the proofs. In brackets the least and most of a block.",
        "",
        "Ours: the real token check, strict reading of request and proof, nonce spent, places in a status list, signature, and in "
        "one transaction the credential with its facts sealed under the person's key, the change's record, its row in the "
        "ledger's outbox and the offer's timeline; a log line a request. Left out: the question to the departments (policy, "
        "federation, access record), the sequencer and witnesses. The peer: node:http, the library's parsing, proof check and "
        "answers; nonces, tokens and places in Maps.",
        "",
        "| | CPU ms | a CPU-second | of the peer's rate | database beside, CPU ms |",
        "|---|---|---|---|---|",
    ]
    missed = []
    for one in contenders:
        spread = f"{one.cpu_ms:.2f} ({min(c.cpu_ms for c in one.costs):.2f} to {max(c.cpu_ms for c in one.costs):.2f})"
        times = "" if peer is None else f"{ratio(one, peer):.2f}"
        database = median(cost.database_ms for cost in one.costs)
        beside = f"{database:.2f}" if one.issuer.database_pid is not None else ""
        lines.append(f"| {one.title} | {spread} | {1000 / one.cpu_ms:,.0f} | {times} | {beside} |")
        if one.ours and peer is not None and ratio(one, peer) < _GOAL:
            missed.append(f"{one.title}: {ratio(one, peer):.2f} < {_GOAL} times {peer.title}")
    lines += ["", f"Wanted: at least {_GOAL} times the peer's rate."]
    return Part("A nonce and a credential over HTTP", "\n".join(lines), tuple(missed))


def ratio(one: Contender, peer: Contender) -> float:
    """The median of what each round says: neighbours in time had the same machine."""
    return median(theirs.cpu_ms / mine.cpu_ms for mine, theirs in zip(one.costs, peer.costs, strict=True))
