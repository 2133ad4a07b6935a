"""A source that is a gateway: whose question it is makes it another question, and a recorded no is no outage."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from adapters.errors import Reason
from adapters.onward import Onward, UpstreamReceipt
from adapters.source import Answer, Failed, Lookup

from .conftest import Department, guard, lookup, reasons

pytestmark = pytest.mark.anyio


def asked_for(org: str) -> Lookup:
    return replace(lookup("a"), onward=Onward("CC_TRANSFER", None, org, ("us",)))


async def test_two_organisations_share_neither_a_request_nor_a_remembered_answer() -> None:
    department = Department()
    guarded = guard(department, cache_s=60)
    await asyncio.gather(*(guarded.fetch(asked_for(org), timeout_s=1) for org in ("x", "y", "x")))
    assert len(department.asked) == 2
    await guarded.fetch(asked_for("x"), timeout_s=1)
    assert len(department.asked) == 2, "the same organisation's is remembered"


@pytest.mark.parametrize("receipt", [UpstreamReceipt("B", id="1"), UpstreamReceipt("B", note="MISSING"), None])
async def test_who_recorded_our_question_and_said_no_is_well(receipt: UpstreamReceipt | None) -> None:
    async def refuses(asked: Lookup) -> Sequence[Answer]:
        return [Failed(Reason.REFUSED, receipt=receipt)] * len(asked.keys)

    guarded = guard(Department(act=refuses), breaker_failures=3)
    for key in range(4):
        last = await guarded.fetch(lookup(str(key)), timeout_s=1)
    assert reasons(last) == [Reason.REFUSED if receipt and receipt.id else Reason.BREAKER_OPEN]
