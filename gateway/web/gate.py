"""How many are inside, and whether anyone is let in: overload and draining are decided here."""

from __future__ import annotations

import asyncio

_SLOW = 10  # times as many may be sending as may be at work


class Gate:
    """Counts what runs. `full` and `draining` say why nobody more is let in.

    `waiting`: how many of those inside are still sending their bodies. They cost a connection and no work, and anybody
    can begin a request, so they take no place of those at work; but there is an end to their number, too.
    """

    def __init__(self, *, in_flight: int, streams: int) -> None:
        self._most = {"request": in_flight, "stream": streams}
        self.inside = {"request": 0, "stream": 0}
        self.waiting = 0
        self.closing = False
        """We are about to drain and say so (readiness, `Connection: close`); whoever comes meanwhile is served."""
        self.draining = False
        self._drain = asyncio.Event()

    def refusal(self, kind: str) -> str | None:
        """The code that refuses one more of `kind`, or None."""
        if self.draining:
            return "DRAINING"
        most = self._most[kind]
        idle = min(self.waiting, _SLOW * most) if kind == "request" else 0
        return "OVERLOADED" if self.inside[kind] - idle >= most else None

    def enter(self, kind: str) -> None:
        self.inside[kind] += 1

    def leave(self, kind: str) -> None:
        self.inside[kind] -= 1

    def becomes_stream(self) -> str | None:
        """A request that turns out to be a stream counts as one from here on; a code refuses it instead."""
        code = self.refusal("stream")
        if code is None:
            self.leave("request")
            self.enter("stream")
        return code

    def was_stream(self) -> None:
        self.leave("stream")
        self.enter("request")

    @property
    def empty(self) -> bool:
        return not any(self.inside.values())

    def drain(self) -> None:
        """Let nobody in from now on; what runs finishes, streams end. To be called on the event loop."""
        self.closing = self.draining = True
        self._drain.set()

    async def until_draining(self) -> None:
        """For streams, which would otherwise never finish by themselves."""
        await self._drain.wait()
