"""Which set of sources is in force. A reload makes a new immutable snapshot; running operations keep theirs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from adapters.errors import AdapterError
from gateway.errors import GatewayError
from gateway.federation.catalog import Snapshot
from gateway.federation.plan import Plans
from gateway.policy.decision import Policy
from schema.errors import SchemaError

_log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class Held:
    """A snapshot in force, its plans and policy, and how many operations still run on it."""

    snapshot: Snapshot
    plans: Plans
    policy: Policy
    users: int = 0
    retired: asyncio.Event = field(default_factory=asyncio.Event)  # set once another set is in force


class Loads(Protocol):
    """Reads the manifests and opens what they say."""

    def version(self) -> str:
        """A cheap stamp of the files; a change of it is worth a reload."""
        ...

    async def load(self) -> Held: ...

    async def close(self, held: Held) -> None: ...


@dataclass(slots=True)
class Snapshots:
    """The current set; `fault` says why the files on disk are not it."""

    loads: Loads
    current: Held
    stamp: str
    fault: str | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def take(self) -> Held:
        """The set in force, kept open until it is given back."""
        self.current.users += 1
        return self.current

    async def give_back(self, held: Held) -> None:
        held.users -= 1
        if held.retired.is_set() and held.users == 0:
            await self.loads.close(held)

    def in_force(self) -> tuple[str, bool]:
        """For operators: the version that answers carry, and whether the files on disk were refused."""
        return self.current.snapshot.version[:16], self.fault is not None

    async def reload(self, *, asked: bool = False) -> bool:
        """Whether a new set is in force. A bad set changes nothing and says why, in `fault` and in the log.

        Files that did not change are left alone unless somebody `asked`: secrets and certificates they point to may have.
        """
        async with self._lock:
            stamp = self.loads.version()
            if stamp == self.stamp and not asked:
                return False
            try:
                new = await self.loads.load()
            except (AdapterError, SchemaError, GatewayError, OSError) as error:
                if self.fault != str(error):
                    _log.error("reload_refused", reason=str(error), kept=self.current.snapshot.version[:12])
                self.fault, self.stamp = str(error), stamp
                return False
            old, self.current = self.current, new
            self.stamp, self.fault = stamp, None
            old.retired.set()
            if old.users == 0:
                await self.loads.close(old)
            _log.info("reloaded", version=new.snapshot.version[:12], sources=len(new.snapshot.sources))
            return True

    async def watch(self, poll_s: float) -> None:
        """Reload whenever the files change, until cancelled."""
        while True:
            await asyncio.sleep(poll_s)
            try:
                await self.reload()
            except Exception:  # one look that failed must not be the last
                _log.exception("reload_failed")

    async def close(self) -> None:
        await self.loads.close(self.current)
