"""Puts together emergency access, alerts and what raises them while nobody asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from starlette.routing import BaseRoute

from gateway.bootstrap.upstream_receipts import receipts_round
from gateway.caller import Authenticator, Evidence
from gateway.clock import Clock
from gateway.services.alarms import RaiseAlarms, keep_watch
from gateway.services.alerts import WatchAlerts
from gateway.services.break_glass import BreakGlass
from gateway.services.change_history import ReadChanges
from gateway.services.clock_watch import ClockWatch
from gateway.services.snapshots import Snapshots
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.alarms import StoredAlarms
from gateway.store.alert_log import StoredAlertLog
from gateway.store.alerts import StoredAlerts
from gateway.store.break_glass import StoredBreakGlass
from gateway.store.change_log import StoredChangeLog
from gateway.store.clock_offset import StoredClockOffset
from gateway.store.credentials.presentations import StoredPresentations
from gateway.web.changes_api import change_routes
from gateway.web.clock_metrics import ClockMetrics
from gateway.web.metrics import PrometheusMetrics
from gateway.web.settings import WebSettings
from gateway.web.token_door import token_door
from gateway.web.watch import WatchParts, watch_routes

_CLOCK_POLL_S = 60.0


def watch_rounds(store: Store, clock: Clock) -> Sequence[Callable[[], Awaitable[object]]]:
    """What `services.alarms.keep_watch` does again and again: alarms of evidence, reviews that did not come, what was shown
    and nobody fetched."""
    alerts = StoredAlerts(store.database, clock)
    raising = RaiseAlarms(StoredAlarms(store.database, alerts))
    shown = StoredPresentations(store.database, store.keys, clock)
    return raising, StoredBreakGlass(store.database, store.keys, clock, alerts).overdue, shown.purge


@asynccontextmanager
async def watching(settings: Settings, store: Store, clock: Clock, metrics: PrometheusMetrics) -> AsyncIterator[None]:
    """All that this process looks at by itself, again and again, while it is entered."""
    clocks = ClockWatch(StoredClockOffset(store.database, clock))
    metrics.add(ClockMetrics(clocks))
    await clocks()
    tasks = [asyncio.create_task(keep_watch([clocks], _CLOCK_POLL_S))]
    if settings.alarm_poll_s > 0:
        tasks.append(asyncio.create_task(keep_watch(watch_rounds(store, clock), settings.alarm_poll_s)))
    if settings.receipt_check_s > 0:
        walk = receipts_round(settings, store, clock)
        tasks.append(asyncio.create_task(keep_watch([walk], settings.receipt_check_s)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()


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
