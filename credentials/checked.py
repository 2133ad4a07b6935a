"""What verifying found: every check with its outcome, and what the credential says as far as it may be believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    PASSED = "PASSED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"  # what is known is not enough for yes or no
    SKIPPED = "SKIPPED"  # nothing to look at, or nobody asked


class Verdict(StrEnum):
    GOOD = "GOOD"
    BAD = "BAD"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Check:
    """`name`: form, issuer_key, signature, disclosures, dates, type, holder, key_binding, status (in this order).
    `why`: a code from a closed set, "" where there is nothing to say."""

    name: str
    outcome: Outcome
    why: str = ""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whose key signed. `name`: the organisation in the certificate, "" where there was none. `road`: x5c | metadata."""

    identifier: str | None
    name: str
    road: str
    thumbprint: str


@dataclass(frozen=True, slots=True)
class StatusReference:
    """A place in a status list, as the credential names it."""

    uri: str
    index: int


@dataclass(frozen=True, slots=True)
class StatusSeen:
    """`value`: 0 valid, 1 revoked, 2 suspended, else the application's. `as_of`: when the issuer signed the list."""

    value: int
    as_of: datetime
    fetched_at: datetime | None
    expires_at: datetime | None
    ttl_s: int | None
    stale: bool

    def age_s(self, now: datetime) -> float:
        """Seconds since the issuer vouched for it."""
        return max(0.0, (now - self.as_of).total_seconds())


@dataclass(frozen=True, slots=True)
class Checked:
    """`claims`, `disclosed`, `issuer` and all beside them are empty unless the signature held: nothing unsigned is shown.

    `disclosed`: paths of the claims that came by disclosure. `holder`: the key it is bound to, as a JWK. `binding`: the
    claims of the key binding, where one was there and its signature held.
    """

    format: str
    checks: tuple[Check, ...]
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)
    disclosed: tuple[tuple[str | int, ...], ...] = ()
    issuer: Issuer | None = None
    vct: str | None = None
    issued_at: datetime | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    holder: Mapping[str, str] | None = field(default=None, repr=False)
    binding: Mapping[str, Any] | None = field(default=None, repr=False)
    status_reference: StatusReference | None = None
    status: StatusSeen | None = None

    @property
    def verdict(self) -> Verdict:
        outcomes = {check.outcome for check in self.checks}
        if Outcome.FAILED in outcomes or not self.checks:
            return Verdict.BAD
        return Verdict.UNKNOWN if Outcome.UNKNOWN in outcomes else Verdict.GOOD

    @property
    def sound(self) -> bool:
        """Whether the credential itself holds, its status aside: only then is a status worth fetching."""
        return all(check.outcome is not Outcome.FAILED for check in self.checks if check.name != "status")

    @property
    def reasons(self) -> tuple[str, ...]:
        """`name:why` of each check that failed or could not be made."""
        bad = (Outcome.FAILED, Outcome.UNKNOWN)
        return tuple(f"{check.name}:{check.why}" for check in self.checks if check.outcome in bad)

    def with_check(self, check: Check, **found: Any) -> Checked:
        """With one more check, or another outcome of the one of that name."""
        kept = tuple(one for one in self.checks if one.name != check.name)
        return replace(self, checks=(*kept, check), **found)
