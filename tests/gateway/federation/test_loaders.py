"""Asking in batches, and never longer than the deadline, whatever a source does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from adapters.errors import Reason
from adapters.source import Answer, Failed, Lookup, Page
from gateway.federation.catalog import Snapshot, offers_of
from gateway.federation.loaders import Loader
from gateway.policy.purposes import read_register
from schema.build import build_schema
from tests.fakes.federated import PERSON, opened

pytestmark = pytest.mark.anyio
FIELDS = frozenset({"address"})
LINKS = {"idNo": PERSON[0], "name": PERSON[1]}


class Deaf:
    """A source that keeps no time at all."""

    async def fetch(self, lookup: Lookup, *, timeout_s: float) -> Sequence[Answer]:
        await asyncio.Event().wait()
        raise AssertionError

    async def close(self) -> None: ...


class Broken:
    async def fetch(self, lookup: Lookup, *, timeout_s: float) -> Sequence[Answer]:
        raise KeyError(PERSON[0])

    async def close(self) -> None: ...


def loader(*sources: Any, seconds: float = 1.0) -> Loader:
    snapshot = Snapshot("v", build_schema(), offers_of(sources), tuple(sources), read_register())
    return Loader(snapshot, asyncio.get_running_loop().time() + seconds)


def lgb(**more: Any) -> Any:
    return opened("LGB", "residence", {"address": "dz"}, [], **more)


async def test_a_source_that_keeps_no_time_is_not_waited_for() -> None:
    good, _ = lgb()
    deaf = replace(opened("GA", "residence", {"address": "dz"}, [], rank=1)[0], source=Deaf())
    one = loader(good, deaf, seconds=0.1)
    async with asyncio.timeout(1):
        offers, answers = await one.load("residence", ("idNo", "name"), LINKS, FIELDS)
    assert [offer.code for offer in offers] == ["GA", "LGB"]
    assert all(isinstance(answer, Failed) and answer.reason is Reason.TIMEOUT for answer in answers)
    one.close()


async def test_a_fault_in_an_adapter_says_nothing_of_the_person() -> None:
    one = loader(replace(lgb()[0], source=Broken()))
    _, (answer,) = await one.load("residence", ("idNo", "name"), LINKS, FIELDS)
    assert answer == Failed(Reason.GARBAGE, detail="adapter fault")
    one.close()


async def test_asks_of_one_turn_are_one_lookup_and_equal_ones_one_answer() -> None:
    source, department = lgb()
    one = loader(source)
    keys = [LINKS, {"idNo": "440606199003070033", "name": "张三"}, LINKS]
    await asyncio.gather(*(one.load("residence", ("idNo", "name"), key, FIELDS) for key in keys))
    await one.load("residence", ("idNo", "name"), LINKS, FIELDS)
    assert [len(lookup.keys) for lookup in department.asked] == [2]
    one.close()


@pytest.mark.parametrize("turns", [0, 1, 2, 5])
async def test_closing_stops_what_is_under_way_or_not_sent_yet(turns: int) -> None:
    one = loader(replace(lgb()[0], source=Deaf()))
    waiting = one.load("residence", ("idNo", "name"), LINKS, FIELDS)
    for _ in range(turns):
        await asyncio.sleep(0)
    one.close()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_a_page_is_waited_for_no_longer_than_the_rest() -> None:
    one = loader(replace(lgb()[0], source=Deaf()), seconds=0.1)
    async with asyncio.timeout(1):
        _, (answer,) = await one.page("residence", ("idNo", "name"), PERSON, Page(10), FIELDS)
    assert answer == Failed(Reason.TIMEOUT)
    one.close()
