"""广东省社区矫正管理信息系统: its front database, a SQLite file with two views that is renewed every night at two.

The file is `gdsj.db` in the department's directory. The little server beside it only takes the switches; each acts on
the file: down and closed move it away, 429 locks it, half_page cuts it in the middle, garbage and slow redefine the
views, stale sets the night of the copy back.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
from collections.abc import AsyncIterator
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import URL, Engine, NullPool, create_engine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from demo.department import Department, Faults, Options, Profile
from demo.departments.gdsj_tables import create, define_views, set_copied_at

PROFILE = Profile(code="GDSJ", zh="广东省社区矫正管理信息系统", latency_s=0.05)
FILE: Final = "gdsj.db"
NIGHTLY: Final = time(2, 0)
_LOOK_EVERY_S: Final = 60.0


def build(department: Department, options: Options) -> Starlette:
    front = Front(options.directory / FILE, department)
    front.fill()
    department.on_fault(front.apply)

    async def about(_: Request) -> PlainTextResponse:
        return PlainTextResponse(f"GDSJ: views v_jzry and v_dzdw in {FILE}\n")

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        nights = asyncio.create_task(front.keep_copying())
        yield
        nights.cancel()
        front.unlock()

    return Starlette(routes=[Route("/", about)], lifespan=lifespan)


class Front:
    """The database file and what is wrong with it."""

    def __init__(self, path: Path, department: Department) -> None:
        self._path, self._department = path, department
        self._away = path.with_suffix(".away")
        self._whole = path.with_suffix(".whole")
        self._lock: sqlite3.Connection | None = None
        self._copied_at: datetime | None = None

    def fill(self) -> None:
        """A new file, complete before it has its name, so that a reader never sees half of it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        for old in (self._path, self._away, self._whole):
            old.unlink(missing_ok=True)
        draft = self._path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        self._copied_at = self._last_night()
        engine = _engine(draft)
        with engine.begin() as connection:
            create(connection, self._department.people, self._copied_at)
        draft.chmod(0o600)
        draft.replace(self._path)

    def apply(self, faults: Faults) -> None:
        """Make the file wrong in just these ways, whatever was wrong with it before; the gravest fault hides others."""
        self.unlock()
        for kept in (self._away, self._whole):
            if kept.exists():
                kept.replace(self._path)
        self._copied_at = self._last_night()
        # In a copy: whoever is still reading the old file holds a lock on it, and reads it to its end.
        draft = self._path.with_suffix(".new")
        shutil.copy2(self._path, draft)
        with _engine(draft).begin() as connection:
            define_views(connection, garbage=faults.garbage, slow_s=faults.slow)
            set_copied_at(connection, self._copied_at)
        draft.replace(self._path)
        if faults.down or faults.closed:
            self._path.replace(self._away)
        elif faults.too_many:
            self._lock = sqlite3.connect(self._path, isolation_level=None)
            self._lock.execute("BEGIN EXCLUSIVE")
        elif faults.half_page:
            shutil.copy2(self._path, self._whole)
            draft.write_bytes(self._whole.read_bytes()[: self._whole.stat().st_size // 2])
            draft.replace(self._path)

    def unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def keep_copying(self) -> None:
        """Every night the copy gets a new date; a fault that holds the file is left alone."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            if self._last_night() != self._copied_at and not {*self._department.faults.active()} - {
                "slow",
                "garbage",
                "stale",
            }:
                self.apply(self._department.faults)

    def _last_night(self) -> datetime:
        now = self._department.now()
        night = datetime.combine(now.date(), NIGHTLY, now.tzinfo)
        latest = night if night <= now else night - timedelta(days=1)
        return latest - timedelta(days=self._department.faults.stale)


def _engine(path: Path) -> Engine:
    return create_engine(URL.create("sqlite", database=str(path)), poolclass=NullPool)
