"""The events of one subscription, for as long as the set of sources they speak of is in force."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def while_in_force(stream: AsyncIterator[T], retired: asyncio.Event) -> AsyncIterator[T]:
    """What `stream` gives, until it ends or `retired` is set; it is closed then."""
    ending = asyncio.ensure_future(retired.wait())
    following: asyncio.Future[T] | None = None
    try:
        while True:
            following = asyncio.ensure_future(anext(stream))
            await asyncio.wait((following, ending), return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                return
            try:
                event = following.result()
            except StopAsyncIteration:
                return
            yield event
    finally:
        ending.cancel()
        if following is not None and not following.done():
            following.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await following
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()
