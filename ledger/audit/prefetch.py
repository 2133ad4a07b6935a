"""Reading ahead, in order and bounded: what is kept in memory does not grow with the log."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_AHEAD = 3
A = TypeVar("A")
B = TypeVar("B")


def in_order(read: Callable[[A], B], asked: Iterable[A], parallel: int) -> Iterator[B]:
    """`read` of each, `parallel` at a time, at most three times as many waiting. Its errors come out where it stood."""
    if parallel <= 1:
        yield from map(read, asked)
        return
    with ThreadPoolExecutor(parallel, thread_name_prefix="audit") as pool:
        waiting: deque[Future[B]] = deque()
        try:
            for one in asked:
                waiting.append(pool.submit(read, one))
                if len(waiting) >= parallel * _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for left in waiting:
                left.cancel()
