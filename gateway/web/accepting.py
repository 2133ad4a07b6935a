"""New connections while there is a line: taken by the dozen, where uvloop takes one a turn of the event loop.

With long turns the kernel's queue would fill, and whoever does not fit in it tries again after a whole second: a refusal
of a tenth of a millisecond would come after 1.5 s. Whoever is connected is read, and refused, with all others.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence

_FEW = (
    32  # begun in one turn they are a tenth of a second's work: the turns between tell whether there is room for more
)
_MANY = 256  # to be refused, which is a fiftieth of that
BEYOND = 256  # the most connections there are to end whoever is one too many, who may take a second to go


class Accepting:
    """`more` is for those who look at the line, and does nothing where nobody waits. Beside the event loop's own servers,
    on the same sockets; `stop` comes before those are closed. `full`: whoever comes now will be refused. `room`: how many
    more may be connected, those who are still shaking hands counted by us; the rest is left to the server's own."""

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        protocol: Callable[[], asyncio.Protocol],
        full: Callable[[], bool],
        room: Callable[[], int],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._listeners, self._protocol, self._full, self._room, self._tls = tuple(listeners), protocol, full, room, tls
        self._opening: set[asyncio.Task[None]] = set()
        self._coming = False

    def stop(self) -> None:
        self._listeners = ()

    def more(self) -> None:
        """On the event loop. Where many are refused, again in its next turn."""
        loop = asyncio.get_running_loop()
        full, room = self._full(), self._room() - len(self._opening)
        for listener in self._listeners:
            for _ in range(_MANY if full else _FEW):
                if room <= 0:
                    return
                try:
                    connection, _ = listener.accept()
                except OSError:  # nobody is left, or who was there is gone; what is wrong is the server's own to say
                    break
                room -= 1
                connection.setblocking(False)
                task = loop.create_task(self._open(connection))
                self._opening.add(task)
                task.add_done_callback(self._opening.discard)
            else:
                if full and not self._coming:
                    self._coming = True
                    loop.call_soon(self._again)

    def _again(self) -> None:
        self._coming = False
        self.more()

    async def _open(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(self._protocol, connection, ssl=self._tls)
        except OSError:  # went away meanwhile, or speaks no TLS
            connection.close()
