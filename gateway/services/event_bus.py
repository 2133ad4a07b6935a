"""News between processes: that something changed, so that nobody has to wait for the next look. Never the change itself.

Whoever hears of something reads the store; whoever hears nothing looks now and then all the same. So news may be lost,
doubled, late or about what is past, and nothing goes wrong by it: it only comes later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

RULES = "rules"  # another set of sharing rules was approved
DISPUTES = "disputes"  # one was opened, answered or withdrawn
REVOKED = "revoked"  # a token, grant, client, user or consent
SIGNING_KEYS = "signing-keys"  # the keys tokens are signed with were rotated
JOBS = "jobs"  # there is work; the payload is its kind
LEDGER = "ledger"  # somebody waits for the log to go on

LONGEST_PAYLOAD = 1_000
"""Bytes. PostgreSQL takes fewer than 8,000 with the topic."""

Hear = Callable[[frozenset[str] | None], None]
"""The payloads since it was last called, each once; None = some may have been missed, so look at everything. Called on the
event loop, must not raise, and is never called within `publish`."""


class Events(Protocol):
    """Reaches every process on the same database, the one that publishes included."""

    def subscribe(self, topic: str, hear: Hear) -> Callable[[], None]:
        """Until what is returned is called."""
        ...

    async def publish(self, topic: str, payload: str = "") -> None:
        """Codes and opaque ids only. By itself, for what no transaction makes true; where one does, the store says so within
        it. Raises ValueError for a payload that is too long, StoreUnavailable."""
        ...
