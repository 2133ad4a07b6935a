"""A real gateway on a real port, inside the test's event loop, on manifests the test chooses."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from gateway.bootstrap.composition import Gateway, application, open_gateway
from gateway.clock import Clock
from gateway.policy.facts import Facts
from gateway.services.tracing import Tracing
from gateway.settings import Settings
from gateway.store import Officer
from gateway.web.serve import bind, server_for
from tests.fakes.federated import Assigned

PURPOSES = frozenset({"CC_RECEPTION", "CC_TRANSFER", "CC_PLAN", "CC_HELP"})
CASE = "(2026)粤0604刑初123号"


@dataclass
class House:
    """The gateway, its address, and an officer's token for it."""

    gateway: Gateway
    url: str
    token: str
    session: aiohttp.ClientSession

    async def ask(self, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The whole answer to one question, over HTTP."""
        body = {"query": query, "variables": dict(variables or {})}
        headers = {"authorization": f"Bearer {self.token}"}
        async with self.session.post(f"{self.url}/graphql", json=body, headers=headers) as response:
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
    given = {
        "YIMEN_DEMO": "true",
        "YIMEN_MANIFESTS_DIR": str(manifests),
        "YIMEN_STATE_DIR": str(state),
        "YIMEN_DATABASE_URL": f"sqlite:///{state / 'yimen.db'}",
        "YIMEN_PORT": "0",
        "YIMEN_RELOAD_POLL_S": "0.1",
        **{f"YIMEN_{name.upper()}": str(value) for name, value in settings.items()},
    }
    async with open_gateway(Settings.load(given, None), clock, tracing, facts=facts or Assigned()) as gateway:
        officer = Officer("officer-lin", "cc-jo-zumiao", org_kind, frozenset({"JUSTICE_OFFICER"}), purposes)
        token = await gateway.store.tokens.seed(officer, expires_at=datetime.now(UTC) + timedelta(days=30))
        listener = bind("127.0.0.1", 0)
        server = server_for(application(gateway))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            async with asyncio.timeout(20):
                while not server.started:
                    await asyncio.sleep(0.01)
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            async with aiohttp.ClientSession(trust_env=False) as session:
                yield House(gateway, url, token, session)
        finally:
            server.should_exit = True
            await serving
            listener.close()
