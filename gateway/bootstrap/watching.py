"""Puts together emergency access, alerts and what raises them while nobody asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from starlette.routing import BaseRoute

from gateway.caller import Authenticator, Evidence
from gateway.clock import Clock
from gateway.services.alarms import RaiseAlarms
from gateway.services.alerts import WatchAlerts
from gateway.services.break_glass import BreakGlass
from gateway.services.change_history import ReadChanges
from gateway.services.snapshots import Snapshots
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.alarms import StoredAlarms
from gateway.store.alert_log import StoredAlertLog
from gateway.store.alerts import StoredAlerts
from gateway.store.break_glass import StoredBreakGlass
from gateway.store.change_log import StoredChangeLog
from gateway.store.credentials.presentations import StoredPresentations
from gateway.web.changes_api import change_routes
from gateway.web.settings import WebSettings
from gateway.web.token_door import token_door
from gateway.web.watch import WatchParts, watch_routes


def watch_rounds(store: Store, clock: Clock) -> Sequence[Callable[[], Awaitable[object]]]:
    """What `services.alarms.keep_watch` does again and again: alarms of evidence, reviews that did not come, what was shown
    and nobody fetched."""
    alerts = StoredAlerts(store.database, clock)
    raising = RaiseAlarms(StoredAlarms(store.database, alerts))
    shown = StoredPresentations(store.database, store.keys, clock)
    return raising, StoredBreakGlass(store.database, store.keys, clock, alerts).overdue, shown.purge


def watch_pages(
    store: Store,
    snapshots: Snapshots,
    settings: Settings,
    web: WebSettings,
    authenticate: Authenticator,
    clock: Clock,
    evidence: Evidence,
) -> Sequence[BaseRoute]:
    """For `build_app(pages=...)`."""
    grants = StoredBreakGlass(store.database, store.keys, clock, StoredAlerts(store.database, clock))

    def items() -> frozenset[str]:
        nouns = snapshots.current.snapshot.schema.nouns.values()
        return frozenset(f"{noun.name}.{field}" for noun in nouns for field in noun.field_names)

    glass = BreakGlass(
        grants,
        store.subjects,
        evidence,
        clock,
        items=items,
        lasts=timedelta(minutes=settings.break_glass_minutes),
    )
    admit = token_door(authenticate, web.base_url, web.client_certificate_header)
    alerts = WatchAlerts(StoredAlertLog(store.database, clock), store.subjects)
    changes = ReadChanges(StoredChangeLog(store.database, clock), store.subjects)
    return [*watch_routes(WatchParts(admit, glass, alerts)), *change_routes(changes, admit)]
