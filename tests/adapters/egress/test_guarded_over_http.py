"""The guard over the real client, a real server and the real clock: a fault that is lifted is seen to be lifted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import pytest
import uvloop

from adapters.egress import Channel
from adapters.errors import Reason
from adapters.manifest import Hours, Limits
from adapters.resilience import Guarded
from adapters.source import Absent, Answer, Lookup

from .conftest import Behaviour, Open, RawServer, answer, raw_server

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, object]]:
    """Both loops: uvloop's timers tick in milliseconds and may come a shade early."""
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return "asyncio", {"loop_factory": factory if request.param == "uvloop" else asyncio.new_event_loop}


class ByHttp:
    def __init__(self, channel: Channel, server: RawServer) -> None:
        self._channel, self._server = channel, server

    async def fetch(self, lookup: Lookup, *, timeout_s: float) -> Sequence[Answer]:
        await self._channel.send("GET", self._server.url(f"/?k={lookup.keys[0][0]}"), timeout_s=timeout_s)
        return [Absent()]

    async def close(self) -> None:
        await self._channel.close()


async def resets(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def hangs(_: bytes, __: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


def asked(*keys: str) -> Lookup:
    return Lookup("identity", ("idNo",), tuple((key,) for key in keys), frozenset())


@pytest.mark.parametrize(("fault", "reason"), [(resets, Reason.DOWN), (hangs, Reason.TIMEOUT)])
async def test_a_fault_shows_and_its_end_shows_within_two_seconds(
    channel_to: Open, fault: Behaviour, reason: Reason
) -> None:
    doing: list[Behaviour] = [answer()]

    async def behave(head: bytes, writer: asyncio.StreamWriter) -> None:
        await doing[0](head, writer)

    async with raw_server(behave) as server:
        limits = Limits(timeout_s=0.4, breaker_failures=3, breaker_open_s=0.5, rate_per_s=200, burst=20)
        source = ByHttp(channel_to(server, connections=limits.concurrency), server)
        guarded = Guarded(source, code="LGB", limits=limits, hours=Hours(), per_key=True)
        assert await guarded.fetch(asked(*"abcdefghij"), timeout_s=1) == [Absent()] * 10

        doing[0] = fault
        got = [getattr(answer, "reason", None) for answer in await guarded.fetch(asked(*"abcdefghij"), timeout_s=1)]
        assert reason in got
        assert set(got) <= {reason, Reason.BREAKER_OPEN}
        assert guarded.health().state == "DOWN"

        doing[0] = answer()
        lifted = time.monotonic()
        while await guarded.fetch(asked(*"abcdefghij"), timeout_s=1) != [Absent()] * 10:
            await asyncio.sleep(0.05)
        assert time.monotonic() - lifted < 2
        assert guarded.health().state == "UP"
        await guarded.close()
