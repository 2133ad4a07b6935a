"""The port `Feed`: what departments push to us (file drops, webhooks, device events).

The sister of `Source`: there we ask, here we are told. File drops already come in through it
(`adapters/drop_intake.py`); webhooks and device events will.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class Delivery:
    """One thing a department handed over, complete as far as the channel can tell.

    `delivery_id` is the department's own id where it sends one (a webhook's event id), else made from what
    identifies the handing-over (a file's name and time). `digest` is the SHA-256 of the content, and is what
    makes a redelivery recognisable. Exactly one of `body` and `path` is given. `stated_at` is when the
    department says (or its file system shows) the content was made; None where nothing tells.
    """

    source: str
    delivery_id: str
    received_at: datetime
    name: str
    digest: bytes
    body: bytes | None = None
    path: Path | None = None
    stated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """Stored for good: a crash after this loses nothing. `refused` parts of it went to quarantine."""

    taken: int
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Already there, or older than what is there; nothing changed."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Kept out as a whole. `reason` is for an operator and free of personal data."""

    reason: str


Receipt: TypeAlias = Accepted | Duplicate | Quarantined


class Feed(Protocol):
    """Takes deliveries of one source. Redelivery and any order of arrival are harmless."""

    async def deliver(self, delivery: Delivery) -> Receipt:
        """Store the delivery, then say so: a receipt is given only after durable storage.

        The same content twice is Duplicate; content that cannot be used is Quarantined, which is as final as
        Accepted (it is not asked for again). Raises SourceUnavailable when nothing could be stored (disk full,
        content out of reach): the deliverer keeps it and comes again.
        """
        ...
