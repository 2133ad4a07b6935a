"""One request over a kept connection that nobody awaits: what came of it is told to a function."""

from __future__ import annotations

from collections.abc import Callable

from adapters.egress import Reply
from adapters.http_connection import Connection


class Exchange:
    """Waits at a connection in the place of a future. `over` is called once: with a reply, or with what it failed with."""

    __slots__ = ("_gone", "_over", "connection", "error", "method", "reply")

    def __init__(
        self,
        method: str,
        connection: Connection,
        over: Callable[[Exchange], None],
        gone: Callable[[Exchange], None],
    ) -> None:
        """`gone` is called before, where there will be no reply: the connection is of no further use."""
        self.method, self.connection = method, connection
        self._over: Callable[[Exchange], None] | None = over
        self._gone = gone
        self.reply: Reply | None = None
        self.error: Exception | None = None

    def done(self) -> bool:
        return self._over is None

    def set_result(self, reply: Reply, /) -> None:
        over, self._over = self._over, None
        self.reply = reply
        if over is not None:
            over(self)

    def set_exception(self, error: Exception, /) -> None:
        over, self._over = self._over, None
        self.error = error
        self._gone(self)
        if over is not None:
            over(self)

    def cancel(self) -> None:
        if self._over is not None:
            self._over = None
            self._gone(self)
