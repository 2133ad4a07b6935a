"""One page of metrics for all workers: each offers its own on a socket in a private folder, and whoever is asked collects.

Behind one port a scrape reaches any of them; without this, counters would jump with every answer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

_ANSWER_S = 1.0  # a worker that is stuck is left out of the page, not waited for


@asynccontextmanager
async def offered(folder: Path, slot: int, own: Callable[[], bytes]) -> AsyncIterator[None]:
    """While the block runs, `gathered` finds what `own` says, under the name `slot`."""
    path = folder / str(slot)
    path.unlink(missing_ok=True)  # of a worker that was killed here

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            writer.write(own())
            writer.close()
            await writer.wait_closed()

    async with await asyncio.start_unix_server(answer, path):
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


async def gathered(folder: Path) -> bytes:
    """What every worker offers now, each line with the label `worker`."""
    paths = sorted(folder.iterdir(), key=lambda path: int(path.name))  # noqa: ASYNC240  (a handful of names in memory)
    texts = await asyncio.gather(*map(_asked, paths))
    return merged({path.name: text for path, text in zip(paths, texts, strict=True) if text})


def merged(texts: Mapping[str, str]) -> bytes:
    """Prometheus texts by worker as one, the samples of a family together as the format demands."""
    families: dict[str, list[str]] = {}
    for worker, text in texts.items():
        family: list[str] = []
        headed = False
        for line in text.splitlines():
            if line.startswith("# HELP "):
                name = line.split(" ", 3)[2]
                headed = name not in families
                family = families.setdefault(name, [])
            if not line.startswith("#"):
                family.append(_labelled(line, worker))
            elif headed:
                family.append(line)
    return "".join(f"{line}\n" for lines in families.values() for line in lines).encode()


def _labelled(sample: str, worker: str) -> str:
    name, brace, rest = sample.partition("{")
    if brace:
        return f'{name}{{worker="{worker}",{rest}'
    name, _, value = sample.partition(" ")
    return f'{name}{{worker="{worker}"}} {value}'


async def _asked(path: Path) -> str:
    try:
        async with asyncio.timeout(_ANSWER_S):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                return (await reader.read()).decode()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return ""
