"""What it costs to check a request that carries a token bound to a key: token, proof, and the door of a real store.

In one process, on SQLite: `alone` is one request at a time, `together` four at once, as they share the door's commit.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import tempfile
import time
from pathlib import Path
from statistics import median

from bench.asker import Asker
from gateway.bootstrap.oauth_parts import oauth_parts
from gateway.caller import Authenticator, Presented
from gateway.clock import SystemClock
from gateway.oauth.jose import PrivateKey
from gateway.oauth.nonce import Nonces
from gateway.oauth.ports import Grant
from gateway.oauth.terms import SCOPE
from gateway.settings import Settings
from gateway.store import open_store

_CLAIMS = {
    "kind": "OFFICER", "org_id": "o", "org_kind": "CORRECTION_AGENCY", "jurisdiction": "440604", "roles": [], "posts": [],
    "purposes": ["CC_RECEPTION"], "level": 2,
}  # fmt: skip
_EACH, _ROUNDS = 200, 7


async def figures() -> dict[str, float]:
    """Median CPU milliseconds of a request, threads of the store included; `alone` and `together`."""
    with tempfile.TemporaryDirectory(prefix="yimen-dpop-") as folder:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("YIMEN_")} | {
            "YIMEN_DEMO": "true",
            "YIMEN_STATE_DIR": folder,
            "YIMEN_DATABASE_URL": f"sqlite:///{Path(folder) / 'yimen.db'}",
        }
        settings, clock = Settings.load(environ, None), SystemClock()
        store = await open_store(settings, clock)
        try:
            parts = oauth_parts(settings, store, clock)
            url, key = f"{settings.base_url}/graphql", PrivateKey.generate()
            grant = Grant(secrets.token_hex(16), "bench", "officer-bench", frozenset({SCOPE}), (), _CLAIMS)
            issued = await parts.tokens.issue(grant, audience=url, cnf={"jkt": key.public.thumbprint})
            asker = Asker(url, issued.token, key, Nonces(store.keys.derive("dpop-nonce/graphql/v1"), clock))
            return {
                name: median([await _round(parts.authenticate, asker, at_once) for _ in range(_ROUNDS)])
                for name, at_once in (("alone", 1), ("together", 4))
            }
        finally:
            await store.close()


async def _round(authenticate: Authenticator, asker: Asker, at_once: int) -> float:
    shown = [Presented(headers["authorization"], dpop=headers["dpop"]) for headers in _headers(asker)]
    left = iter(shown)

    async def one() -> None:
        for presented in left:
            await authenticate(presented)

    began = time.process_time_ns()
    await asyncio.gather(*(one() for _ in range(at_once)))
    return (time.process_time_ns() - began) / 1e6 / len(shown)


def _headers(asker: Asker) -> list[dict[str, str]]:
    return [dict(asker.headers()) for _ in range(_EACH)]


if __name__ == "__main__":
    print({name: round(value, 3) for name, value in asyncio.run(figures()).items()})
