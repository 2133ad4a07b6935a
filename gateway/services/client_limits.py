"""What a client may ask for in a while, and by what a partner is known that scrapes. Ports, figures and pure rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.caller import Caller

SHORT_S = 600
LONG_S = 86_400
SPANS_S = (SHORT_S, LONG_S)


class ClientLimits(Protocol):
    """Asked by `RunQuery` for every caller; what it does for whom is its own affair. Only whom an officer's answer was about
    it is not told: that is for supervisors to watch."""

    async def admit(self, caller: Caller, cost: int) -> None:
        """Spends one request and `cost` units, before anything is fetched; shared by all replicas.

        Raises RequestRefused RATE_LIMITED, BUDGET_SPENT (with `retry_after`, whole seconds) or CLIENT_SUSPENDED.
        """
        ...

    async def note(self, caller: Caller, asked: Sequence[str], found: Sequence[str], *, denied: bool) -> None:
        """After an answer is recorded: whom it was asked about and of whom it could tell something, by subject id. Not for
        answers to officers; for refusals of the whole, whoever asked."""
        ...


class Unlimited:
    """No limits: for tests of other things, and where no store stands behind."""

    async def admit(self, caller: Caller, cost: int) -> None:
        return None

    async def note(self, caller: Caller, asked: Sequence[str], found: Sequence[str], *, denied: bool) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Allowance:
    """The deployment's figures for a client that has none of its own."""

    requests_per_minute: int = 1200
    cost_per_minute: int = 120_000
    subjects_per_day: int = 20_000
    burst_s: int = 5  # how many seconds' worth of requests may come at once; of cost it is a minute's


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request was not admitted: RATE_LIMITED | BUDGET_SPENT | CLIENT_SUSPENDED."""

    code: str
    retry_after_s: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """What one client did in about one span up to now. Persons are counted once a span, hits and misses apart."""

    span_s: int
    requests: int = 0
    limited: int = 0
    denied: int = 0
    hits: int = 0
    misses: int = 0
    subjects_per_day: int | None = None  # the client's own figure

    @property
    def subjects(self) -> int:
        return self.hits + self.misses


@dataclass(frozen=True, slots=True)
class AbuseRules:
    """When a partner is suspended. Shares are of different persons, so asking again about the same ones hides nothing.

    An honest partner asks about people who agreed: its misses are the few who took it back since.
    """

    few: int = 30  # persons, before a share means anything within ten minutes
    few_a_day: int = 100
    miss_share: float = 0.3
    miss_share_a_day: float = 0.2
    misses_a_day: int = 500
    limited: int = 600  # requests refused for rate in ten minutes and sent all the same

    def broken(self, counts: Sequence[Counts], allowance: Allowance) -> str | None:
        """The rule that is broken, the gravest first; None for a partner that behaves."""
        for one in counts:
            few, share = (
                (self.few, self.miss_share) if one.span_s == SHORT_S else (self.few_a_day, self.miss_share_a_day)
            )
            if one.subjects >= few and one.misses > share * one.subjects:
                return "LOW_HIT_RATE"
            if one.span_s == LONG_S:
                most = one.subjects_per_day or allowance.subjects_per_day
                if one.misses >= self.misses_a_day:
                    return "ENUMERATION"
                if one.subjects > most:
                    return "MANY_SUBJECTS"
            elif one.limited >= self.limited:
                return "HAMMERING"
        return None


class Meters(Protocol):
    """What the store does of it, each in one transaction."""

    async def spend(self, client_id: str, cost: int) -> Refusal | None:
        """One atomic statement; None = admitted. A refusal spends nothing and is counted."""
        ...

    async def count(
        self, client_id: str, asked: Sequence[str], found: Sequence[str], *, denied: bool
    ) -> Sequence[Counts]:
        """Adds one request and returns the client's counts, of each span one."""
        ...

    async def counts(self, client_id: str) -> Sequence[Counts]:
        """Without adding anything."""
        ...

    async def suspend(self, client_id: str, org_id: str, rule: str, pack: Mapping[str, object]) -> str | None:
        """The suspension's id; None where the client is suspended already. Counts at once in every replica. The store adds
        to `pack` the ids of the access events it is about."""
        ...

    async def unfinished(self, client_id: str) -> str | None:
        """The id of a live suspension whose consequences were not all carried out."""
        ...

    async def finished(self, suspension_id: str) -> None: ...
