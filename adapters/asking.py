"""Several requests of one call: their common deadline, and their answers in order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

A = TypeVar("A")
K = TypeVar("K")


class Deadline:
    """An instant of the running event loop's clock."""

    __slots__ = ("_time", "at")

    def __init__(self, at: float, time: Callable[[], float]) -> None:
        self.at, self._time = at, time

    @classmethod
    def after(cls, timeout_s: float) -> Deadline:
        time = asyncio.get_running_loop().time
        return cls(time() + timeout_s, time)

    def left_s(self) -> float:
        left = self.at - self._time()
        return left if left > 0.0 else 0.0


async def together(ask: Callable[[K], Awaitable[A]], keys: Iterable[K]) -> list[A]:
    """Ask for all at once; the answers in the order of `keys`. A cancelled call leaves nothing under way behind."""
    waiting = [ask(key) for key in keys]
    if len(waiting) == 1:
        return [await waiting[0]]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_awaited(one)) for one in waiting]
    return [task.result() for task in tasks]


async def _awaited(waiting: Awaitable[A]) -> A:
    return await waiting
