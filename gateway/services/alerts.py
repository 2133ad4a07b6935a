"""Supervisors read alerts, take them on and close them; the officer an alert is about never sees it, whatever their role.

Alerts about partners (scraping, consents used after their end) are for data protection officers of public bodies alone: that
somebody took a consent back must not show to officers, nor to those who command them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from gateway.caller import Caller, CallerKind, Change, Subjects
from gateway.errors import RequestRefused
from gateway.services.identities import DISCIPLINE, DPO, PROCURATORATE, PROSECUTOR, PUBLIC_KINDS, SUPERVISOR

WATCHERS = frozenset({SUPERVISOR, DISCIPLINE})
PAGE, MOST = 50, 200
OUTCOMES = frozenset({"JUSTIFIED", "UNJUSTIFIED", "FALSE_ALARM", "REFERRED", "RESOLVED"})


@dataclass(frozen=True, slots=True)
class Watch:
    """Whose alerts a caller may see: of one organisation, of every public body within a jurisdiction, or of all partners;
    never those about `not_about` themselves. The first two see what is nobody's own, too: that the ledger is broken."""

    not_about: str
    org_id: str | None = None
    partners: bool = False  # what is about partners, and nothing else
    jurisdiction: str = ""
    org_kinds: frozenset[str] = PUBLIC_KINDS


@dataclass(frozen=True, slots=True)
class StoredAlert:
    id: str
    type: str
    severity: str
    about: str
    about_id: str
    org_id: str
    subject_id: str | None
    detail: Mapping[str, Any]
    opened_at: datetime
    due_at: datetime | None
    ack_by: str | None
    ack_at: datetime | None
    outcome: str | None
    closed_at: datetime | None


class AlertLog(Protocol):
    async def of_watch(
        self, watch: Watch, reader: Change, *, open_only: bool, after: str | None, limit: int
    ) -> Sequence[StoredAlert]:
        """In the order they were opened. `reader`: the record of the reading, kept before anything is shown."""
        ...

    async def acknowledge(self, watch: Watch, alert_id: str, caller: Caller) -> bool:
        """Whether it is now taken on by this caller; False where there is none to see, or it is taken or closed."""
        ...

    async def close_alert(self, watch: Watch, alert_id: str, caller: Caller, outcome: str) -> bool:
        """Whether it is now closed by this caller; a break-glass review is settled with its alert."""
        ...


class WatchAlerts:
    """Raises RequestRefused FORBIDDEN for whoever is no supervisor, and ALERT_UNKNOWN alike for an alert that does not
    exist, is about the caller, belongs to others, or is no longer in a state to be changed."""

    def __init__(self, log: AlertLog, subjects: Subjects) -> None:
        self._log, self._subjects = log, subjects

    async def read(self, caller: Caller, *, open_only: bool, after: str | None, limit: int = PAGE) -> dict[str, Any]:
        watch = watch_of(caller)
        whose = watch.org_id or watch.jurisdiction or "partners"
        reader = Change("ALERTS_READ", whose, caller.org_id, caller.user_id, None, {"open": open_only, "after": after})
        found = await self._log.of_watch(watch, reader, open_only=open_only, after=after, limit=limit + 1)
        page = found[:limit]
        return {
            "alerts": [self._told(caller, one) for one in page],
            "after": page[-1].id if len(found) > limit else None,
        }

    async def acknowledge(self, caller: Caller, alert_id: str) -> None:
        if not await self._log.acknowledge(watch_of(caller), alert_id, caller):
            raise RequestRefused("ALERT_UNKNOWN")

    async def close(self, caller: Caller, alert_id: str, outcome: str) -> None:
        watch = watch_of(caller)
        if outcome not in OUTCOMES:
            raise RequestRefused("BAD_VALUE")
        if not await self._log.close_alert(watch, alert_id, caller, outcome):
            raise RequestRefused("ALERT_UNKNOWN")

    def _told(self, caller: Caller, one: StoredAlert) -> dict[str, Any]:
        return {
            "id": one.id,
            "type": one.type,
            "severity": one.severity,
            "about": one.about,
            "aboutId": one.about_id,
            "org": one.org_id,
            "person": None if one.subject_id is None else self._subjects.pid(one.subject_id, caller.org_id),
            "detail": dict(one.detail),
            "openedAt": one.opened_at,
            "dueAt": one.due_at,
            "ackBy": one.ack_by,
            "ackAt": one.ack_at,
            "outcome": one.outcome,
            "closedAt": one.closed_at,
        }


def watch_of(caller: Caller) -> Watch:
    """Raises RequestRefused FORBIDDEN."""
    if caller.kind is CallerKind.OFFICER:
        if PROSECUTOR in caller.roles and caller.org_kind == PROCURATORATE and caller.jurisdiction:
            return Watch(caller.user_id, jurisdiction=caller.jurisdiction)
        if WATCHERS & caller.roles and caller.org_kind in PUBLIC_KINDS:
            return Watch(caller.user_id, org_id=caller.org_id)
        if DPO in caller.roles and caller.org_kind in PUBLIC_KINDS:
            return Watch(caller.user_id, partners=True)
    raise RequestRefused("FORBIDDEN")
