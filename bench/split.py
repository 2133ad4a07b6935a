"""Where yimen's CPU time goes for one question, by package: a run of its own, so that sampling disturbs no figure."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.contenders import start_profiled
from bench.load import block
from demo.processes import Children

_ENDS_S = 30.0


@dataclass(frozen=True, slots=True)
class Split:
    """Shares of the samples, the largest first; `lines` are single lines of code, C calls included."""

    question: str
    bare: bool
    samples: int
    places: list[tuple[str, float]]
    lines: list[tuple[str, float]]


async def split(
    home: Path, upstream: str, children: Children, question: str, requests: int, *, bare: bool = False
) -> Split:
    """Raises DidNotStart, WrongAnswer, TimeoutError."""
    samples = (home / "samples.json").resolve()
    contender = await start_profiled(home, upstream, samples, children, bare=bare)
    await block(contender, contender.questions[question], max(20, requests // 10))
    os.kill(contender.pid, signal.SIGUSR1)
    await block(contender, contender.questions[question], requests)
    os.kill(contender.pid, signal.SIGTERM)
    until = time.monotonic() + _ENDS_S
    while psutil.pid_exists(contender.pid) and contender.name not in children.ended():
        if time.monotonic() > until:
            raise TimeoutError("the profiled gateway does not end")
        await asyncio.sleep(0.1)
    children.stop_one(contender.name)
    found = json.loads(samples.read_text(encoding="utf-8"))
    total = max(1, found["total"])

    def shares(counts: dict[str, int], most: int) -> list[tuple[str, float]]:
        return [(name, count / total) for name, count in sorted(counts.items(), key=lambda item: -item[1])[:most]]

    return Split(question, bare, total, shares(found["places"], 14), shares(found["lines"], 8))
