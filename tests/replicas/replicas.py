"""Several `yimen serve` on one database, and officers who ask them. Nobody who asks here asks twice."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import aiohttp

from gateway.clock import SystemClock
from gateway.settings import Settings
from gateway.store import Store, open_store
from tests.fakes.tokens import Asker, issuing, officer
from tests.flows.faults_ledger.scene import ASKED, WHOM
from tests.flows.faults_ledger.serving import Load as Answered
from tests.flows.faults_ledger.test_killed import lost_or_doubled
from tests.gateway.bootstrap.conftest import Serve, Serving
from tests.gateway.bootstrap.test_ledger_serving import leading
from tests.gateway.bootstrap.test_serving import in_care
from tests.replicas.balancer import Balancer, balancing


@dataclass
class Replicas:
    """`given` are the settings all of them share."""

    serve: Serve
    given: dict[str, Any]
    balancer_: Balancer
    stack: AsyncExitStack
    running: list[Serving] = field(default_factory=list)

    @staticmethod
    def balancer() -> AbstractAsyncContextManager[Balancer]:
        return balancing()

    @property
    def url(self) -> str:
        """Of all of them."""
        return self.balancer_.url

    async def start(self, **more: Any) -> Serving:
        """One more; it gets requests once it says that it is ready."""
        serving = await self.stack.enter_async_context(self.serve(**self.given, **more))
        self.running.append(serving)
        self.balancer_.behind[serving.url] = False
        await self.balancer_.until_ready(serving.url)
        return serving

    async def start_all(self, number: int, **more: Any) -> list[Serving]:
        """The first migrates; the others come together."""
        await self.start(**more)
        await self.prepare()
        await asyncio.gather(*(self.start(**more) for _ in range(number - 1)))
        return self.running

    async def prepare(self) -> None:
        """The person officers ask about is in the asking office's care."""
        store = await self.store()
        await in_care(store)
        await store.close()

    async def stop(self, serving: Serving) -> int:
        """As a service manager does; its exit code."""
        serving.signal(signal.SIGTERM)
        code = await serving.end()
        self.forget(serving)
        return code

    async def kill(self, serving: Serving) -> None:
        serving.signal(signal.SIGKILL)
        await serving.process.wait()
        self.forget(serving)

    def forget(self, serving: Serving) -> None:
        self.running.remove(serving)
        del self.balancer_.behind[serving.url]

    async def leader(self) -> Serving | None:
        """The one that says it leads; None where none does, or more than one."""
        said = await asyncio.gather(*map(leading, self.running))
        found = [serving for serving, says in zip(self.running, said, strict=True) if says]
        return found[0] if len(found) == 1 else None

    def everywhere(self, path: str, times: int) -> list[str]:
        """An address at each of them, so many times, in turns."""
        return [one.url + path for one in self.running] * times

    def settings(self) -> Settings:
        return Settings.load(dict(self.running[0].environ), None)

    async def load(self, officers: int) -> Load:
        async with issuing(self.settings()) as parts:
            found = [await officer(parts, f"officer-{number}") for number in range(officers)]
        for one in found:
            one.nonce_of = None
        return Load(self.url, found)

    def direct(self) -> Callable[[], str]:
        """For `Load.begin`: one replica after the other, whether it says that it is ready or not."""
        turn = count()
        return lambda: self.running[next(turn) % len(self.running)].url

    async def store(self) -> Store:
        """The same store, in this process, which keeps nothing."""
        return await open_store(self.settings(), SystemClock())


@dataclass
class Load:
    """Officers who ask as fast as they are answered, each on a connection that is kept as long as the server keeps it.

    `answered`: leaf hash by receipt. `failed`: whatever else came, by what it was. `longest_s`: the longest time in which
    nobody was answered.
    """

    public_url: str  # what proofs are made for, whichever replica is asked
    askers: list[Asker]
    answered: dict[str, str] = field(default_factory=dict)
    failed: Counter[str] = field(default_factory=Counter)
    closed: int = 0  # connections the server said it would close
    last_at: float = field(default_factory=time.monotonic)
    longest_s: float = 0.0
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _stopping: bool = False

    def begin(self, where: Callable[[], str]) -> None:
        """`where` tells for each request whom to ask."""
        self.last_at = time.monotonic()
        self._tasks = [asyncio.create_task(self._ask(where, asker)) for asker in self.askers]

    async def end(self) -> None:
        self._stopping = True
        await asyncio.gather(*self._tasks)

    async def more(self, number: int, *, within_s: float = 30.0) -> None:
        """Until so many more are answered."""
        wanted, end = len(self.answered) + number, time.monotonic() + within_s
        while len(self.answered) < wanted:
            assert not any(task.done() for task in self._tasks)
            assert time.monotonic() < end, (len(self.answered), self.failed)
            await asyncio.sleep(0.01)

    async def lost_or_doubled(self, store: Store) -> set[str]:
        """Which receipts are not in the log exactly once, with the hash that was told."""
        return await lost_or_doubled(store, Answered([], self.answered))

    async def _ask(self, where: Callable[[], str], asker: Asker) -> None:
        timeout = aiohttp.ClientTimeout(15)
        async with aiohttp.ClientSession(trust_env=False, timeout=timeout) as session:
            while not self._stopping:
                await self._once(session, where(), asker)

    async def _once(self, session: aiohttp.ClientSession, url: str, asker: Asker) -> None:
        headers = asker.headers("POST", f"{self.public_url}/graphql")
        body = {"query": ASKED, "variables": WHOM}
        try:
            async with session.post(f"{url}/graphql", json=body, headers=headers) as reply:
                asker.heard(reply.headers)
                answer = await reply.json(content_type=None)
                self.closed += reply.headers.get("connection") == "close"
                receipt = (answer.get("extensions") or {}).get("receipt")
                assert bool(receipt) == (answer.get("data") is not None), (
                    "an answer comes with its receipt, or not at all"
                )
                if receipt is None:
                    errors = answer.get("errors") or [answer]
                    code = errors[0].get("extensions", {}).get("code") or errors[0].get("code")
                    self.failed[f"{reply.status} {code}"] += 1
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            receipt = None
            self.failed[type(error).__name__] += 1
        if receipt is None:
            await asyncio.sleep(0.02)
            return
        now = time.monotonic()
        self.longest_s, self.last_at = max(self.longest_s, now - self.last_at), now
        self.answered[receipt["id"]] = receipt["leafHash"]
