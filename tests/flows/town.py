"""Every department of the demo and the gateways beside them, on free ports in the test's loop, without latency."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from demo.department import Options
from demo.departments import TABLE
from demo.people import register
from demo.pki import make_pki
from demo.places import TEMPLATES, TEMPLATES_SD, write_private
from demo.registrations import NEIGHBOUR, client_key, shunde_clients
from demo.render import render_manifests, secret_names, write_secrets
from demo.serving import Running, serving
from demo.shunde import write_shunde
from gateway.oauth.terms import terms_for
from gateway.policy.purposes import read_register
from gateway.services.clients import ManageClients
from tests.flows.house import House, house

SEEN_WITHIN_S = 2.0
SEED, COUNT = 1, 60


@dataclass
class Town:
    """The departments; `values` is what their manifests' templates name."""

    home: Path
    running: Mapping[str, Running]
    values: dict[str, str]
    admin: aiohttp.ClientSession
    _tls: ssl.SSLContext = field(repr=False)

    async def fault(self, code: str, **faults: object) -> None:
        """Set just these faults by the switch a visitor uses; `too_many` is the 429 one."""
        await self._admin("DELETE", code, "/_fault")
        if faults:
            wanted = {("429" if name == "too_many" else name): value for name, value in faults.items()}
            await self._admin("PUT", code, "/_fault", wanted)

    async def heal(self) -> None:
        """Everything right again, and everything counted from nought."""
        for code in self.running:
            if self.running[code].department.faults.active():
                await self.fault(code)
        await self.forget()

    async def calls(self, code: str) -> dict[str, int]:
        found: dict[str, int] = await self._admin("GET", code, "/_counters")
        return found

    async def most_asked(self, code: str) -> dict[str, int]:
        """Operation -> how often its most asked key was asked."""
        found: dict[str, int] = await self._admin("GET", code, "/_counters?keys=1")
        return found

    async def forget(self) -> None:
        for code in self.running:
            await self._admin("DELETE", code, "/_counters")

    async def _admin(self, method: str, code: str, path: str, body: object = None) -> Any:
        url = self.running[code].url + path
        async with self.admin.request(method, url, json=body, ssl=self._tls) as reply:
            assert reply.status == 200, await reply.text()
            return await reply.json()


@asynccontextmanager
async def town_of(home: Path, **options: Any) -> AsyncIterator[Town]:
    """All departments; their drops, keys and secrets under `home`."""
    pki = make_pki(home / "pki")
    (home / "secrets").mkdir()
    secrets = write_secrets(home / "secrets", secret_names(TEMPLATES, TEMPLATES_SD))
    values = {"PKI": str(pki.directory), "SECRETS": str(home / "secrets")}
    running = {}
    async with AsyncExitStack() as stack:
        for code in TABLE:
            directory = home / "drops" / code
            directory.mkdir(parents=True)
            office = Options(
                seed=SEED,
                count=COUNT,
                latency=0,
                directory=directory,
                pki=pki.directory,
                secrets=secrets,
                **options,
            )
            running[code] = await stack.enter_async_context(serving(code, office))
            values |= {f"{code}_URL": running[code].url, f"{code}_DIR": str(directory)}
        tls = ssl.create_default_context(cafile=str(pki.ca))
        tls.load_cert_chain(pki.cert("yimen"), pki.key("yimen"))
        admin = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False))
        yield Town(home, running, values, admin, tls)


@asynccontextmanager
async def shunde(town: Town) -> AsyncIterator[House]:
    """The neighbour's gateway; from then on the town's templates can name it."""
    home = town.home / "shunde"
    home.mkdir()
    database = write_shunde(home / "shunde.db", register(SEED, COUNT))
    (home / "manifests").mkdir()
    render_manifests(TEMPLATES_SD, home / "manifests", {"SD_DATABASE": str(database)})
    async with house(home / "manifests", home, org_kind="CORRECTION_AGENCY") as neighbour:
        await register_neighbour(town, neighbour)
        town.values |= {"SD_URL": neighbour.url, "SD_POLICY": str(home / "policy-sd")}
        yield neighbour


async def register_neighbour(town: Town, neighbour: House) -> None:
    """Chancheng's gateway as a client of Shunde's, by `yimen clients import`'s own service, and its key for the manifest."""
    keys = town.home / "keys"
    keys.mkdir(exist_ok=True)
    store, terms = neighbour.gateway.store, terms_for(neighbour.url)
    manage = ManageClients(
        store.clients, store.revocations, lambda: read_register(()), scopes=terms.scopes, actor=("TOWN", "test")
    )
    await manage.import_all(shunde_clients(keys))
    write_private(town.home / "secrets" / "sd_key", json.dumps(client_key(keys, NEIGHBOUR).jwk()))


@asynccontextmanager
async def gateway_of(
    town: Town, home: Path, change: Callable[[Path], None] | None = None, **given: Any
) -> AsyncIterator[House]:
    """Chancheng's gateway on the demo's own manifests; `change` may spoil them first. Open once its drops are read."""
    manifests = home / "manifests"
    manifests.mkdir()
    render_manifests(TEMPLATES, manifests, town.values)
    if change is not None:
        change(manifests)
    async with house(manifests, home, **given) as opened:
        yield opened


def unhurried(manifests: Path) -> None:
    """No rate limits, so that a story is told as fast as it can be asked."""
    for file in manifests.glob("*.toml"):
        text = re.sub(r"(?m)^(rate_per_s|burst) = \d+", r"\1 = 1000", file.read_text(encoding="utf-8"))
        write_private(file, text)


async def until(ask: Callable[[], Any], met: Callable[[Any], bool], *, within_s: float = SEEN_WITHIN_S) -> Any:
    """The first answer that is as expected; fails, with the last one, where there is none begun within `within_s`."""
    ends = time.monotonic() + within_s
    while True:
        late = time.monotonic() > ends
        answer = await ask()
        if met(answer):
            return answer
        assert not late, answer
        await asyncio.sleep(0.05)
