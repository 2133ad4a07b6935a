"""For those who watch: is the process alive, may it be sent work, what has it counted. No person is in any of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import orjson
import structlog
from starlette.types import Receive, Scope, Send

from gateway.web.gate import Gate
from gateway.web.metrics import CONTENT_TYPE, PrometheusMetrics
from gateway.web.problems import JSON, Reply, error

_log = structlog.get_logger("yimen.health")
_CHECK_S = 2.0

Check = Callable[[], Awaitable[bool]]


class Livez:
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await Reply(200, b'{"alive":true}', JSON)(scope, receive, send)


class Readyz:
    """True readiness: every named check answers true within two seconds, and the gate is open. Failing ones are named."""

    def __init__(self, checks: Mapping[str, Check], gate: Gate) -> None:
        self._checks, self._gate = checks, gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        names = list(self._checks)
        passed = await asyncio.gather(*(_passes(name, self._checks[name]) for name in names))
        failing = [name for name, good in zip(names, passed, strict=True) if not good]
        if self._gate.closing:
            failing.append("draining")
        if failing:
            body = orjson.dumps({"ready": False, "failing": failing, "errors": [error("NOT_READY")]})
            await Reply(503, body, JSON)(scope, receive, send)
        else:
            await Reply(200, b'{"ready":true}', JSON)(scope, receive, send)


class MetricsPage:
    def __init__(self, metrics: PrometheusMetrics) -> None:
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await Reply(200, await self._metrics.page(), CONTENT_TYPE)(scope, receive, send)


async def _passes(name: str, check: Check) -> bool:
    try:
        async with asyncio.timeout(_CHECK_S):
            return await check()
    except Exception as caught:
        _log.warning("not ready", check=name, exc_info=caught)
        return False
