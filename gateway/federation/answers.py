"""What one source said of one key: state, dates, and when to ask again. Pure.

The rule above all others: what is not known is never shown as "there is none".
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from adapters.errors import Reason
from adapters.source import Absent, Answer, Failed, Match, Row
from gateway.federation.catalog import Offer

FRESH: Final = "FRESH"
STALE: Final = "STALE"
PARTIAL: Final = "PARTIAL"
UNAVAILABLE: Final = "UNAVAILABLE"
NOT_FOUND: Final = "NOT_FOUND"
WITHHELD: Final = "WITHHELD"
# Failures that pass by themselves. The others need a human, so there is no time to name.
_PASSES = frozenset((Reason.TIMEOUT, Reason.RATE_LIMITED, Reason.DOWN, Reason.BREAKER_OPEN, Reason.INCOMPLETE))

SOURCE_ANSWER = {
    "source": "source",
    "state": "state",
    "asOf": "as_of",
    "fetchedAt": "fetched_at",
    "reason": "reason",
    "retryAt": "retry_at",
    "rank": "rank",
}
"""Field of the type SourceAnswer -> attribute of the class below."""
_GETTERS = {name: attrgetter(attribute) for name, attribute in SOURCE_ANSWER.items()}


class SourceAnswer:
    """One source's answer to a part, as a reader is told of it."""

    __slots__ = ("as_of", "fetched_at", "rank", "reason", "retry_at", "source", "state")

    def __init__(self, offer: Offer, answer: Answer, now: datetime) -> None:
        self.source, self.rank = offer.code, offer.rank
        self.state = source_state(offer, answer, now)
        self.reason: str | None = None
        self.retry_at: datetime | None = None
        self.as_of: datetime | None = None
        self.fetched_at: datetime | None = None
        if isinstance(answer, Failed):
            self.reason = answer.reason.value
            self.retry_at = answer.retry_at or (now + offer.pause if answer.reason in _PASSES else None)
            return
        self.fetched_at = answer.fetched_at or now
        if isinstance(answer, Absent):
            self.as_of = answer.as_of
            return
        self.as_of = newest(sure_rows(answer.rows), answer.as_of)
        if answer.incomplete is not None:
            self.reason = answer.incomplete.value

    def get(self, name: str) -> Any:
        """A field as GraphQL names it."""
        getter = _GETTERS.get(name)
        return None if getter is None else getter(self)


def source_state(offer: Offer, answer: Answer, now: datetime) -> str:
    """What is known by this one answer."""
    if isinstance(answer, Failed):
        return UNAVAILABLE
    if isinstance(answer, Absent):
        return STALE if is_stale(offer, answer.as_of, now) else NOT_FOUND
    if answer.incomplete is not None:
        return PARTIAL
    sure = sure_rows(answer.rows)
    if not sure:
        return PARTIAL if answer.rows else NOT_FOUND
    return STALE if offer.stale_after is not None and is_stale(offer, newest(sure, answer.as_of), now) else FRESH


def sure_rows(rows: Sequence[Row]) -> Sequence[Row]:
    """Those that are linked to the person; the others await a human decision. The very same sequence where all are."""
    auto = Match.AUTO
    for row in rows:
        if row.match is not auto:
            return [one for one in rows if one.match is auto]
    return rows


def newest(sure: Sequence[Row], as_of: datetime | None) -> datetime | None:
    """The time an answer speaks of: its newest record's, or its own where no record has one."""
    return max((row.as_of for row in sure if row.as_of is not None), default=as_of)


def is_stale(offer: Offer, as_of: datetime | None, now: datetime) -> bool:
    return offer.stale_after is not None and as_of is not None and now - as_of > offer.stale_after
