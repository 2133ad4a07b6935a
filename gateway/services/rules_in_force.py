"""Which approved rules are in force: read from the store now and then, handed to whoever makes the next snapshot."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from gateway.errors import GatewayError

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Approved:
    """A set of rule texts two people stand behind, by file name."""

    version: str
    texts: Mapping[str, str] = field(repr=False)


class ApprovedRules(Protocol):
    async def in_force(self) -> Approved | None:
        """The set approved last; None where the rules that come with yimen are in force."""
        ...

    async def keep(self, version: str, texts: Mapping[str, str]) -> None:
        """Remember a version that is about to decide, whole, so that its decisions can be made again."""
        ...


@dataclass(slots=True)
class RulesInForce:
    """The approved set as last seen. Before the first look the shipped rules stand, so look before opening."""

    store: ApprovedRules
    approved: Approved | None = None

    def stamp(self) -> str:
        """Changes when another set comes into force."""
        return self.approved.version if self.approved is not None else ""

    def texts(self) -> Mapping[str, str] | None:
        return self.approved.texts if self.approved is not None else None

    async def look(self) -> None:
        self.approved = await self.store.in_force()

    async def watch(self, poll_s: float) -> None:
        """Look again and again, until cancelled; every replica sees an approval within one round."""
        while True:
            await asyncio.sleep(poll_s)
            try:
                await self.look()
            except GatewayError as error:  # the set last seen stays
                _log.error("rules_not_read", code=error.code)
