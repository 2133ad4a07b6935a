"""A crowd that has gone leaves no memory behind that nobody uses."""

from __future__ import annotations

import asyncio
import platform
import threading

import pytest

from gateway.bootstrap.giving_back import GivesBack, trim
from tests.fakes.waiting import until

pytestmark = pytest.mark.anyio


async def test_it_is_done_once_after_the_last_of_some_crowds_and_not_on_the_loop() -> None:
    given: list[tuple[int, bool]] = []

    def give(pad: int) -> int:
        given.append((pad, threading.current_thread() is threading.main_thread()))
        return 1

    gives, later = GivesBack(give, after_s=0.05), asyncio.Event()
    for _ in range(3):
        gives()
    assert given == []
    asyncio.get_running_loop().call_later(0.06, later.set)  # after whatever the first two would have done
    await later.wait()
    await until(lambda: not any(one.name == "giving back" for one in threading.enumerate()))
    assert given == [(0, False)]
    gives()
    await until(lambda: len(given) == 2)


async def test_where_there_is_no_such_call_nothing_is_done() -> None:
    gives = GivesBack(None, after_s=0.0)
    gives()
    assert gives._due is None


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library has no such call")
def test_glibc_has_it() -> None:
    give = trim()
    assert give is not None
    assert give(0) in (0, 1)
