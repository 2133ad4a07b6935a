"""How a department that is files plays its faults; what it writes is its own affair.

- down: the directory is moved away, as an unmounted share is. Back when the fault is cleared.
- half_page: the file is written to its middle and left so. slow: the same, finished after so many seconds.
- garbage: the file is there, ends as agreed, and no record in it can be read.
- stale: an export of days ago under today's name. clock_skew: dated by the department's wrong clock.
- closed, 429: nobody asks a directory; nothing new is dropped, and what lies there stays true.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from demo.department import Department, Faults


@dataclass(frozen=True, slots=True)
class Export:
    """What one drop is to say. `batch` makes every drop's content its own, as a real export's time does."""

    made_at: datetime  # Asia/Shanghai
    batch: str
    garbage: bool


Write = Callable[[Export], bytes]


class Outbox:
    """One directory with one file in it, written as the faults want it. `again` is the name of a second delivery."""

    def __init__(self, department: Department, directory: Path, name: str, write: Write, *, again: str = "") -> None:
        self._department, self._directory, self._write = department, directory, write
        self._again = again
        self._name = name.format(day=f"{department.now():%Y%m%d}")
        self._away = directory.with_name(f".{directory.name}-away")
        self._number = 0
        self._rest: asyncio.TimerHandle | None = None
        self._played: Faults | None = None

    def open(self) -> None:
        """Start from an empty directory: a drop of an earlier run is not this department's word."""
        for path in (self._directory, self._away):
            shutil.rmtree(path, ignore_errors=True)
        self._directory.mkdir(parents=True)
        self.play(self._department.faults)

    def close(self) -> None:
        if self._rest is not None:
            self._rest.cancel()

    def play(self, faults: Faults) -> None:
        before, self._played = self._played, faults
        self.close()
        if faults.down:
            if self._directory.exists():
                self._directory.rename(self._away)
            return
        if self._away.exists():
            self._away.rename(self._directory)
        if before is None or _told(before) != _told(faults):
            self._drop(faults)

    def _drop(self, faults: Faults) -> None:
        self._number += 1
        self._department.counters.count(f"drop {self._directory.name}")
        now = self._department.now()
        nightly = now.replace(hour=2, minute=0, second=0, microsecond=0)
        made_at = (nightly if nightly <= now else nightly - timedelta(days=1)) - timedelta(days=faults.stale)
        content = self._write(Export(made_at, f"{now:%Y%m%d%H%M%S}{self._number:03d}", faults.garbage))
        target = self._directory / self._name
        if faults.half_page or faults.slow:
            target.write_bytes(content[: len(content) // 2])
            if faults.slow and not faults.half_page:
                self._rest = asyncio.get_running_loop().call_later(faults.slow, _place, target, content)
            return
        _place(target, content)
        if self._again:
            _place(self._directory / self._again.format(day=f"{now:%Y%m%d}"), content)


def _told(faults: Faults) -> tuple[object, ...]:
    """What a drop's content depends on."""
    return faults.half_page, faults.garbage, faults.slow, faults.stale, faults.clock_skew


def _place(target: Path, content: bytes) -> None:
    """Whole or not at all, as a careful sender does it."""
    draft = target.with_name(f".{target.name}.part")
    draft.write_bytes(content)
    os.replace(draft, target)


def application(department: Department, *outboxes: Outbox) -> Starlette:
    """A department without an interface: it drops at its start and at every change of its faults."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        for outbox in outboxes:
            outbox.open()
            department.on_fault(outbox.play)
        yield
        for outbox in outboxes:
            outbox.close()

    async def front(request: Request) -> JSONResponse:
        return JSONResponse({"code": department.code, "drops": department.counters.calls()})

    return Starlette(routes=[Route("/", front)], lifespan=lifespan)
