"""A real gateway on a real port, inside the test's event loop, on manifests the test chooses."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from gateway.bootstrap.composition import Gateway, application, open_gateway
from gateway.clock import Clock
from gateway.policy.facts import Facts
from gateway.services.tracing import Tracing
from gateway.settings import Settings
from gateway.web.serve import bind, server_for
from tests.fakes.federated import Assigned
from tests.fakes.tokens import Asker, officer

PURPOSES = frozenset({"CC_RECEPTION", "CC_TRANSFER", "CC_PLAN", "CC_HELP"})
CASE = "(2026)粤0604刑初123号"


@dataclass
class House:
    """The gateway, its address, and an officer with a token for it."""

    gateway: Gateway
    url: str
    asker: Asker
    session: aiohttp.ClientSession
    again: Callable[[], Awaitable[Asker]]  # where a test moves the clock past the token's end, the officer logs in anew

    def headers(self, method: str = "POST") -> dict[str, str]:
        """The officer's, for one request to /graphql: a proof is good once."""
        return self.asker.headers(method, f"{self.url}/graphql")

    async def ask(self, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The whole answer to one question, over HTTP."""
        body = {"query": query, "variables": dict(variables or {})}
        if self.asker.expires_at <= self.asker.clock.now():
            self.asker = await self.again()
        async with self.session.post(f"{self.url}/graphql", json=body, headers=self.headers()) as response:
            answer: dict[str, Any] = await response.json(content_type=None)
            return answer

    async def data(self, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        answer = await self.ask(query, variables)
        assert "errors" not in answer, answer["errors"]
        return dict(answer["data"])


@asynccontextmanager
async def house(
    manifests: Path,
    tmp_path: Path,
    *,
    clock: Clock | None = None,
    purposes: frozenset[str] = PURPOSES,
    org_kind: str = "JUSTICE_OFFICE",
    tracing: Tracing | None = None,
    facts: Facts | None = None,
    **settings: object,
) -> AsyncIterator[House]:
    """Opened like `yimen serve` opens it, on a free port and a fresh database. Unless `facts` says otherwise, everybody's
    case is the asker's."""
    state = tmp_path / f"state-{secrets.token_hex(4)}"
    state.mkdir()
    listener = bind("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    given = {
        "YIMEN_DEMO": "true",
        "YIMEN_MANIFESTS_DIR": str(manifests),
        "YIMEN_STATE_DIR": str(state),
        "YIMEN_DATABASE_URL": f"sqlite:///{state / 'yimen.db'}",
        "YIMEN_PUBLIC_URL": url,
        "YIMEN_RELOAD_POLL_S": "0.1",
        **{f"YIMEN_{name.upper()}": str(value) for name, value in settings.items()},
    }
    with closing(listener):
        async with open_gateway(Settings.load(given, None), clock, tracing, facts=facts or Assigned()) as gateway:
            log_in = partial(officer, gateway, org_kind=org_kind, purposes=purposes)
            asker = await log_in()
            server = server_for(application(gateway))
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            try:
                async with asyncio.timeout(20):
                    while not server.started:
                        await asyncio.sleep(0.01)
                async with aiohttp.ClientSession(trust_env=False) as session:
                    yield House(gateway, url, asker, session, log_in)
            finally:
                server.should_exit = True
                await serving
