"""From evidence to alerts: what a decision raised is told to supervisors by work of its own, seconds later.

The asker's own request writes nothing but its event, the same for everybody; so no time, byte or statement of it tells
which alarm it raised, or whether it did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from gateway.caller import Alert
from gateway.services.release import ALARM

_log = structlog.get_logger(__name__)
_MOST = 200
_REVIEW = timedelta(hours=24)
_SEVERITY = {"A17_RULE_WAIVED": "S2"}
_DUE = {"A17_RULE_WAIVED": _REVIEW}


@dataclass(frozen=True, slots=True)
class AlarmingEvent:
    """An access event that has not become alerts yet."""

    id: str
    at: datetime
    actor_org: str
    actor_user: str
    decision: str
    purpose: str
    case_no: str | None
    subjects: Sequence[str]
    inner_rule_ids: Sequence[str]


class Alarms(Protocol):
    async def waiting(self, most: int) -> Sequence[AlarmingEvent]:
        """Events with an alarm among their inner rules that nobody has settled, oldest first."""
        ...

    async def settle(self, event: AlarmingEvent, alerts: Sequence[Alert]) -> bool:
        """Raises `alerts` and notes the event as settled, both or neither; False where another replica was first."""
        ...


class RaiseAlarms:
    """One round: every event that waits becomes its alerts, once, whichever replica does it."""

    def __init__(self, alarms: Alarms) -> None:
        self._alarms = alarms

    async def __call__(self) -> int:
        settled = 0
        while True:
            waiting = await self._alarms.waiting(_MOST)
            for event in waiting:
                settled += await self._alarms.settle(event, alerts_of(event))
            if len(waiting) < _MOST:
                return settled


def alerts_of(event: AlarmingEvent) -> list[Alert]:
    """One alert a person and alarm; the officer is who it is about."""
    kinds = [rule.removeprefix(ALARM) for rule in event.inner_rule_ids if rule.startswith(ALARM)]
    reasons = [rule for rule in event.inner_rule_ids if not rule.startswith(ALARM)]
    detail = {"event": event.id, "rules": reasons, "decision": event.decision, "purpose": event.purpose}
    if event.case_no is not None:
        detail["caseNo"] = event.case_no
    subjects: Sequence[str | None] = event.subjects or (None,)
    return [
        Alert(
            kind,
            _SEVERITY.get(kind, "S1"),
            "OFFICER",
            event.actor_user,
            event.actor_org,
            subject,
            due_at=event.at + _DUE[kind] if kind in _DUE else None,
            detail=detail,
        )
        for kind in dict.fromkeys(kinds)
        for subject in subjects
    ]


async def keep_watch(rounds: Sequence[Callable[[], Awaitable[object]]], poll_s: float) -> None:
    """Run `rounds` again and again until cancelled; one that fails is tried again with the next."""
    while True:
        await asyncio.sleep(poll_s)
        for once in rounds:
            try:
                await once()
            except Exception as error:  # the store is away; what waits goes on waiting
                _log.warning("watch_failed", kind=type(error).__name__)
