"""What is disputed stays known by heart, whatever goes wrong with one look."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest

from gateway.services.disputes.open_disputes import OpenDisputes
from gateway.services.disputes.ports import Disputed, Disputes

pytestmark = pytest.mark.anyio


async def test_a_look_that_breaks_is_not_the_last() -> None:
    looks, seen = 0, asyncio.Event()

    class Faulty:
        async def all_open(self) -> Sequence[Disputed]:
            nonlocal looks
            looks += 1
            if looks == 1:
                raise RuntimeError
            seen.set()
            return [Disputed("s", "residence", "admin", "")]

    held = OpenDisputes(cast(Disputes, Faulty()))  # the part of the port it uses
    async with held.watching(0.01), asyncio.timeout(5):
        await seen.wait()
        await asyncio.sleep(0)
    assert [one.noun for one in held.of("s")] == ["residence"]
