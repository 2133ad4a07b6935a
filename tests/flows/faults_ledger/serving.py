"""`yimen serve` processes with five witnesses beside them, killed while they answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from demo.places import TEMPLATES, write_private
from demo.render import render_manifests
from ledger.encoding import unb64
from ledger.policy import parse_policy
from ledger.proof import parse_proof, verify_proof
from tests.fakes.tokens import Asker, issuing, officer
from tests.flows.faults_ledger.scene import ASKED, WHOM, Auditor, trusted, until
from tests.flows.house import CASE
from tests.flows.sealed_house import NOBODY, Five
from tests.gateway.bootstrap.conftest import Serving

CATALOGUE = f'query @purpose(code: "CC_HELP", caseNo: "{CASE}") {{ person(idNo: "x", name: "y") {{ pid }} }}'


def manifests(folder: Path) -> Path:
    """Of departments that nobody answers for: the gateway does, and says so."""
    target = folder / "manifests"
    target.mkdir(exist_ok=True)
    if not any(target.iterdir()):
        render_manifests(TEMPLATES, target, {"ZM_URL": NOBODY, "SECRETS": str(folder)})
        write_private(folder / "zm_token", "token")
    return target


@dataclass
class Load:
    """Officers who ask as fast as they are answered, at any of some gateways. `answered`: receipts, by their id."""

    askers: list[Asker]
    answered: dict[str, str] = field(default_factory=dict)
    data: int = 0
    refused: int = 0

    async def ask(self, url: str, asker: Asker) -> None:
        """Until the gateway is gone."""
        timeout = aiohttp.ClientTimeout(10)
        async with aiohttp.ClientSession(trust_env=False, timeout=timeout) as session:
            refusals = 0
            while True:
                query = ASKED if self.data % 3 else ASKED.replace("CC_RECEPTION", "LOAN_SERVICE")
                body = {"query": query, "variables": WHOM}
                try:
                    headers = asker.headers("POST", f"{url}/graphql")
                    async with session.post(f"{url}/graphql", json=body, headers=headers) as reply:
                        answer = await reply.json(content_type=None)
                        asker.heard(reply.headers)
                except (aiohttp.ClientError, ValueError, TimeoutError):
                    return
                receipt = answer.get("extensions", {}).get("receipt")
                if receipt is None:
                    refusals += 1
                    self.refused += 1
                    assert answer.get("data") is None, answer
                    assert refusals < 500, answer
                    await asyncio.sleep(0.005)
                else:
                    self.answered[receipt["id"]] = receipt["leafHash"]
                    self.data += 1

    def begin(self, url: str) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self.ask(url, asker)) for asker in self.askers]


async def askers(serving: Serving, count: int) -> list[Asker]:
    async with issuing(serving.settings()) as parts:
        found = [await officer(parts, f"officer-{number}") for number in range(count)]
    for one in found:
        one.nonce_of = None
    return found


async def auditor_of(five: Five, keys: Any, folder: Path) -> Auditor:
    folder.mkdir()
    policy = folder / "policy"
    policy.write_text(trusted(five, keys), "utf-8")
    return Auditor(folder, policy)


async def proven(url: str, auditor: Auditor, receipts: Mapping[str, str]) -> None:
    """Each of them is in the log where its proof says, with the hash that was told, under a quorum of witnesses."""
    policy = parse_policy(auditor.policy.read_text("utf-8"))
    waits = asyncio.Semaphore(16)
    async with aiohttp.ClientSession(trust_env=False) as session:

        async def one(receipt: str, leaf: str) -> None:
            async def proof() -> bytes | None:
                async with waits, session.get(f"{url}/ledger/receipts/{receipt}/proof") as reply:
                    assert reply.status in (200, 409), (receipt, reply.status)
                    sealed = reply.headers.get("yimen-ledger-level") in (None, "SEALED")
                    return await reply.read() if reply.status == 200 and sealed else None

            async def verified() -> bool:
                found = await proof()
                if found is None:
                    return False
                with suppress(Exception):
                    verify_proof(parse_proof(found), unb64(leaf), policy)
                    return True
                return False

            assert await until(verified, 30), receipt

        await asyncio.gather(*(one(receipt, leaf) for receipt, leaf in receipts.items()))


@asynccontextmanager
async def gone(*tasks: asyncio.Task[None]) -> AsyncIterator[None]:
    yield
    await asyncio.gather(*tasks)
