"""What logging in asks of a store. Every single use is one atomic statement, also with two replicas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Account:
    """An officer's own password here. `demo`: made from the demo accounts' file."""

    user_id: str
    password_hash: str = field(repr=False)
    demo: bool = False


@dataclass(frozen=True, slots=True)
class Passkey:
    """A WebAuthn credential. `public_key` is COSE."""

    credential_id: bytes = field(repr=False)
    public_key: bytes = field(repr=False)
    sign_count: int = 0


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an invited officer has set: a password's hash, and one second factor."""

    user_id: str
    org_id: str
    password_hash: str = field(repr=False)
    totp_secret: str | None = field(default=None, repr=False)  # base32
    totp_step: int = 0  # spent by proving it
    passkey: Passkey | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session as stored: what was proven when it began."""

    session_id: str
    user_id: str
    level: int
    amr: tuple[str, ...]
    auth_time: datetime


@dataclass(frozen=True, slots=True)
class Bucket:
    """A count of failed tries. The first `free` cost nothing, then each doubles the wait, up to `most_s` (0: only counted)."""

    key: str = field(repr=False)
    free: int
    most_s: int


@dataclass(frozen=True, slots=True)
class Tries:
    """`wait_s` > 0: too early, nothing was counted. Else how many failures each bucket holds, this try included."""

    wait_s: int
    failures: tuple[int, ...] = ()


class Accounts(Protocol):
    async def account(self, user_id: str) -> Account | None: ...

    async def rehash(self, user_id: str, old: str, new: str) -> None:
        """Keep `new` in the place of `old`; nothing happens where `old` is no longer there."""
        ...

    async def totp_secret(self, user_id: str) -> str | None:
        """In base32, None where there is none."""
        ...

    async def spend_totp(self, user_id: str, step: int) -> bool:
        """True once for a time-step, and never for one before the last spent. Atomic."""
        ...

    async def passkeys(self, user_id: str) -> Sequence[Passkey]: ...

    async def use_passkey(self, credential_id: bytes, sign_count: int) -> bool:
        """Moves the count forward. False where it does not grow: the key was copied. Atomic. 0 and 0: it does not count."""
        ...

    async def external_user(self, issuer: str, subject: str) -> str | None:
        """Which officer an OIDC provider's account is."""
        ...


class Invitations(Protocol):
    async def invite(self, user_id: str, org_id: str, token: str, until: datetime) -> None:
        """In the place of any earlier invitation of this officer."""
        ...

    async def invited(self, token: str) -> str | None:
        """The `user_id`; spends nothing."""
        ...

    async def redeem(self, token: str, enrolment: Enrolment) -> bool:
        """All in one: the invitation is spent, old factors and sessions go, the new ones stand. False: spent or over."""
        ...


class Steps(Protocol):
    async def begin(self, cookie: str, purpose: str, data: Mapping[str, Any], until: datetime) -> None: ...

    async def look(self, cookie: str, purpose: str) -> dict[str, Any] | None: ...

    async def take(self, cookie: str, purpose: str) -> dict[str, Any] | None:
        """The data, for the first who asks. Atomic."""
        ...


class Sessions(Protocol):
    async def open(
        self, cookie: str, session: OpenSession, org_id: str, idle_until: datetime, until: datetime
    ) -> None: ...

    async def find(self, cookie: str, idle_s: float) -> OpenSession | None:
        """A live one, which then lives on for `idle_s` from now, but not past its end."""
        ...

    async def close(self, cookie: str) -> None: ...

    async def close_all(self, user_id: str) -> None:
        """Of an officer who was changed, disabled, or has set new factors."""
        ...


class Attempts(Protocol):
    async def begin(self, buckets: Sequence[Bucket]) -> Tries:
        """Counts one failure in each bucket beforehand, so that tries sent side by side are counted one by one. Atomic."""
        ...

    async def succeeded(self, forget: Sequence[Bucket], forgive: Sequence[Bucket]) -> None:
        """Forget some counts; take this one try back from others."""
        ...

    async def failed(self, user_id: str | None, org_id: str, stage: str, failures: int) -> None:
        """Evidence of the 1st, 5th, 10th, 100th, ... failure in a row; the same work whoever it was."""
        ...
