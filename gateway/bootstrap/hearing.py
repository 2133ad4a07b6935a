"""What a process does when it hears that something changed: it looks at once at what it would have looked at soon."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from gateway.oauth.signing_keys import SigningKeys
from gateway.services.disputes.open_disputes import OpenDisputes
from gateway.services.event_bus import DISPUTES, JOBS, LEDGER, RULES, SIGNING_KEYS, Events, Hear
from gateway.services.rules_in_force import RulesInForce
from gateway.services.run_jobs import RunJobs
from gateway.services.snapshots import Snapshots

_log = structlog.get_logger("yimen.events")


@asynccontextmanager
async def hearing(
    events: Events,
    *,
    rules: RulesInForce,
    snapshots: Snapshots,
    disputed: OpenDisputes,
    signing_keys: SigningKeys,
    ledger_news: asyncio.Event,
    run_jobs: RunJobs,
) -> AsyncIterator[None]:
    """While the block runs. Each of them also looks by itself, now and then."""

    async def rules_changed() -> None:
        await rules.look()
        await snapshots.reload()

    async with AsyncExitStack() as stack:
        for topic, look in ((RULES, rules_changed), (DISPUTES, disputed.look)):
            await stack.enter_async_context(_looking(events, topic, look))
        for topic, wake in ((SIGNING_KEYS, signing_keys.forget), (LEDGER, ledger_news.set), (JOBS, run_jobs.wake)):
            stack.callback(events.subscribe(topic, _whatever_is_said(wake)))
        yield


def _whatever_is_said(wake: Callable[[], None]) -> Hear:
    return lambda _: wake()


@asynccontextmanager
async def _looking(events: Events, topic: str, look: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """One look at a time; what is heard meanwhile is looked at afterwards."""
    heard = asyncio.Event()

    async def on_hearing() -> None:
        while True:
            await heard.wait()
            heard.clear()
            try:
                await look()
            except Exception as error:  # the next look by itself finds the same
                _log.warning("news_not_read", topic=topic, reason=type(error).__name__)

    leave = events.subscribe(topic, lambda _: heard.set())
    task = asyncio.create_task(on_hearing(), name=topic)
    try:
        yield
    finally:
        leave()
        task.cancel()
        await asyncio.wait({task})
