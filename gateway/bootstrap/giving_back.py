"""What a crowd took of memory goes back to the system when the crowd has gone.

glibc keeps what is freed below its heap's end, and with every crowd more of it lies there in pieces; 4 MiB of a worker's 150
after 64 questions at once, measured. Source: malloc_trim(3). Other C libraries have no such call, and nothing is done.
"""

from __future__ import annotations

import asyncio
import ctypes
import threading
from collections.abc import Callable

_AFTER_S = 1.0


def trim() -> Callable[[int], int] | None:
    """glibc's, or None."""
    found: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return found


class GivesBack:
    """Called, on the event loop, whenever a crowd has gone; a second after the last of these it is done, beside the loop."""

    def __init__(self, give: Callable[[int], int] | None, *, after_s: float = _AFTER_S) -> None:
        self._give, self._after_s = give, after_s
        self._due: asyncio.TimerHandle | None = None

    def __call__(self) -> None:
        if self._give is None:
            return
        if self._due is not None:
            self._due.cancel()
        beside = threading.Thread(target=self._give, args=(0,), name="giving back", daemon=True)
        self._due = asyncio.get_running_loop().call_later(self._after_s, beside.start)
