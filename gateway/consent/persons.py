"""What it takes to know that it is really the person: links to their phone, one-time codes, sessions, known devices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

CODE_DIGITS = 6
CODE_TRIES = 5
CODE_LIVES = timedelta(minutes=10)
ENTRY_LINK_LIVES = timedelta(minutes=30)
SESSION_LIVES = timedelta(minutes=20)
SPAN_S = 3600
CODES_PER_SPAN = 5
LINKS_PER_SPAN = 3
ASKED_SPAN = timedelta(days=1)
ASKED_BY_ONE = 3  # messages a person gets in that span because one organisation asks, and because any does
ASKED_BY_ALL = 10

ONE_TIME_CODE = "one_time_code"
DEVICE = "device"


@dataclass(frozen=True, slots=True)
class PersonLink:
    """A live link. It is good for this person and this enrolment of a phone; opening it spends nothing."""

    subject_id: str
    enrolment_id: str
    consent_id: str | None  # where it leads; None: their own pages
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class PersonSession:
    """Somebody who showed that they hold the phone the person was enrolled with."""

    subject_id: str
    enrolment_id: str
    method: str  # one_time_code | device
    expires_at: datetime


class PersonAccess(Protocol):
    """Secrets go in and out in clear; the store keeps their hashes only. Every single use is one atomic statement."""

    async def make_link(self, link: PersonLink) -> str:
        """The token for the URL: 256 random bits."""
        ...

    async def link(self, token: str) -> PersonLink | None: ...

    async def set_code(self, token: str, code: str, until: datetime) -> bool:
        """The code in force for this link, in the place of any before; tries start anew. False: no such link."""
        ...

    async def spend_code(self, token: str, code: str) -> bool:
        """True once, for the right code. A try is counted before it is judged, so guesses side by side count, too."""
        ...

    async def open_session(self, session: PersonSession) -> str: ...

    async def session(self, token: str) -> PersonSession | None: ...

    async def close_session(self, token: str) -> None: ...

    async def remember_device(self, subject_id: str, enrolment_id: str, until: datetime) -> str: ...

    async def knows_device(self, token: str, subject_id: str, enrolment_id: str) -> bool: ...

    async def forget_device(self, token: str) -> None: ...

    async def spend_message(self, subject_id: str, kind: str, *, span_s: int, most: int) -> bool:
        """False once `most` messages of a kind (CODE | LINK) were sent to this person within the present span."""
        ...
