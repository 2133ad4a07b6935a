"""What the demo shows in place of a phone: the messages that would have been sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class InboxMessage:
    """One message as the phone would show it. `phone` is masked but for its first three and last four digits."""

    at: datetime
    kind: str
    phone: str
    zh: str = field(repr=False)
    en: str = field(repr=False)
    link: str | None = field(repr=False)


class Inbox(Protocol):
    async def latest(self, *, limit: int = 50, phone: str | None = None) -> Sequence[InboxMessage]:
        """Newest first; those to one whole phone number, where it is given."""
        ...


def masked_phone(phone: str) -> str:
    return phone[:3] + "*" * (len(phone) - 7) + phone[-4:] if len(phone) > 7 else "*" * len(phone)
