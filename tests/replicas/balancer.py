"""One address before several replicas: connections go to whoever says it is ready, and stay there. It repeats nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_LOOK_S = 0.1


@dataclass(eq=False)
class Balancer:
    """`behind`: address of a replica -> whether it is ready, as it said last."""

    url: str = ""
    behind: dict[str, bool] = field(default_factory=dict)
    _turn: int = 0
    _open: set[asyncio.Task[None]] = field(default_factory=set)

    def ready(self) -> list[str]:
        return [url for url, ready in self.behind.items() if ready]

    async def until_ready(self, url: str, *, within_s: float = 30.0) -> None:
        async with asyncio.timeout(within_s):
            while not self.behind.get(url):
                await asyncio.sleep(_LOOK_S / 2)

    async def look(self) -> None:
        """Ask each of them, again and again, until cancelled."""
        while True:
            urls = list(self.behind)
            for url, ready in zip(urls, await asyncio.gather(*map(_says_ready, urls)), strict=True):
                if url in self.behind:
                    self.behind[url] = ready
            await asyncio.sleep(_LOOK_S)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            if urls := self.ready():
                self._turn += 1
                there = urlsplit(urls[self._turn % len(urls)])
                up, down = await asyncio.open_connection(there.hostname, there.port)
                try:
                    await asyncio.gather(_copy(reader, down), _copy(up, writer))
                finally:
                    down.close()
        except (OSError, asyncio.CancelledError):  # cancelled at the end only; asyncio would log it
            pass
        finally:
            writer.close()
            self._open.discard(task)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


async def _says_ready(url: str) -> bool:
    there = urlsplit(url)
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection(there.hostname, there.port)
            try:
                writer.write(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
                return (await reader.readline()).split()[1:2] == [b"200"]
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


@asynccontextmanager
async def balancing() -> AsyncIterator[Balancer]:
    balancer = Balancer()
    listening = await asyncio.start_server(balancer.serve, "127.0.0.1", 0)
    balancer.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    looking = asyncio.create_task(balancer.look())
    try:
        yield balancer
    finally:
        looking.cancel()
        listening.close()
        for task in list(balancer._open):
            task.cancel()
        await asyncio.gather(looking, *balancer._open, return_exceptions=True)
