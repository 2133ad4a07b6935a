"""A batch asked without a task: what comes of it is what comes of the long way, however it ends."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from stdnum.iso7064 import mod_11_2

from adapters.egress_http import HttpEgress
from adapters.errors import Reason
from adapters.http_connection import Connection
from adapters.resilience import Guarded
from adapters.source import Absent, Answer, Failed, Found, Key, Lookup
from tests.fakes.waiting import until

from .conftest import Behaviour, RawServer, raw_server
from .lab import open_lab

pytestmark = pytest.mark.anyio
ZHANG, LI_MEI = ("440606199003070017", "张三"), ("44060419910518002X", "李梅")


def record(key: Key, number: str = "R1") -> dict[str, Any]:
    return {"djbh": number, "sfzh": key[0], "xm": key[1]}


def listing(*records: dict[str, Any], status: str = "200 OK", headers: str = "") -> Behaviour:
    body = json.dumps({"list": records}).encode()

    async def behave(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body)

    return behave


async def hangs(_: bytes, __: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)  # longer than anybody waits


async def hangs_up(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.close()


@dataclass
class Room:
    """A department that does what `doing` says, and the guard before it, one answer into its life: a connection is kept."""

    server: RawServer
    guarded: Guarded
    doing: list[Behaviour]

    def ask(self, *keys: Key, timeout_s: float = 5.0) -> Asking:
        return Asking(self.guarded, lookup(*keys or (ZHANG,)), timeout_s)

    async def fetch(self, *keys: Key, timeout_s: float = 5.0) -> Sequence[Answer]:
        return await self.guarded.fetch(lookup(*keys or (ZHANG,)), timeout_s=timeout_s)

    def at_rest(self) -> bool:
        """Nothing is out, and no turn is held."""
        turns = self.guarded._tries._turns
        inner = self.guarded._source._source._turns  # type: ignore[attr-defined]
        return (turns._free, inner._free, self.guarded.health().in_flight) == (2, 2, 0)


class Asking:
    def __init__(self, guarded: Guarded, asked: Lookup, timeout_s: float) -> None:
        tasks = len(asyncio.all_tasks())
        self.told: list[Sequence[Answer]] = []
        self.begun = guarded.ask(asked, timeout_s=timeout_s, told=self.told.append)
        self.tasks = len(asyncio.all_tasks()) - tasks

    async def answers(self) -> Sequence[Answer]:
        await until(lambda: self.told)
        (answers,) = self.told
        return answers


def lookup(*keys: Key) -> Lookup:
    return Lookup("residence", ("idNo", "name"), keys, frozenset({"regNo"}))


Open = Callable[..., Any]


@pytest.fixture
def room(egress: HttpEgress, tmp_path: Path) -> Open:
    return partial(_room, egress, tmp_path)


@asynccontextmanager
async def _room(egress: HttpEgress, folder: Path, behaviour: Behaviour, **limits: Any) -> AsyncIterator[Room]:
    doing = [listing(record(ZHANG))]

    async def behave(head: bytes, writer: asyncio.StreamWriter) -> None:
        await doing[0](head, writer)

    async with raw_server(behave) as server:
        opened = open_lab(egress, folder, server.url("").rstrip("/"), "idNo", "name", **{"concurrency": 2, **limits})
        guarded = opened.source
        assert isinstance(guarded, Guarded)
        here = Room(server, guarded, doing)
        (first,) = await here.fetch()
        assert isinstance(first, Found)
        doing[0] = behaviour
        yield here
        await opened.close()


def reason(answer: Answer) -> Reason | None:
    return answer.reason if isinstance(answer, Failed) else None


async def test_no_task_is_made_and_the_connection_is_the_kept_one(room: Open) -> None:
    async with room(listing(record(LI_MEI, "R2"), record(ZHANG))) as here:
        asked = here.ask(ZHANG, LI_MEI)
        assert asked.tasks == 0
        answers = await asked.answers()
        assert [one.rows[0].values for one in answers if isinstance(one, Found)] == [{"regNo": "R1"}, {"regNo": "R2"}]
        assert here.server.connections == 1
        assert here.at_rest()
        assert here.guarded.health().calls == 2


async def test_equal_questions_share_a_request_and_it_outlives_who_gives_up(room: Open) -> None:
    async with room(hangs) as here:
        go = asyncio.Event()

        async def when_told(head: bytes, writer: asyncio.StreamWriter) -> None:
            await go.wait()
            await listing(record(ZHANG))(head, writer)

        here.doing[0] = when_told
        first, second = here.ask(), here.ask()
        third = asyncio.create_task(here.fetch())
        await until(lambda: len(here.server.seen) == 2)
        first.begun.cancel()
        go.set()
        assert isinstance((await second.answers())[0], Found)
        assert isinstance((await third)[0], Found)
        assert first.told == []
        assert len(here.server.seen) == 2
        assert here.at_rest()


async def test_whoever_asks_for_some_of_it_waits_for_the_same_request(room: Open) -> None:
    async with room(listing(record(LI_MEI, "R2"), record(ZHANG))) as here:
        both, one, again = here.ask(ZHANG, LI_MEI), here.ask(LI_MEI), here.ask(LI_MEI, ZHANG)
        first, second = await both.answers()
        assert await one.answers() == [second]
        assert await again.answers() == [second, first]
        assert [one.record_id for found in (first, second) if isinstance(found, Found) for one in found.rows] == [
            "R1",
            "R2",
        ]
        assert len(here.server.seen) == 2
        assert here.at_rest()
        assert here.guarded._flights._by_about == {}


async def test_a_key_asked_twice_is_sent_once(room: Open) -> None:
    async with room(listing(record(ZHANG))) as here:
        for _ in range(2):  # over the kept connection, and where there is none
            asked, beside = here.ask(ZHANG, LI_MEI, ZHANG), here.ask(LI_MEI)
            first, second, third = await asked.answers()
            assert await beside.answers() == [second]
            assert isinstance(first, Found)
            assert first == third
            assert isinstance(second, Absent)
            for idle in here.guarded._source._source._sending._channel._pool._idle.values():
                for connection in list(idle):
                    connection.close()
        assert here.at_rest()
        assert (here.guarded.health().calls, here.guarded.health().failures) == (3, 0)


async def test_when_nobody_waits_any_more_the_request_is_cut(room: Open) -> None:
    async with room(hangs) as here:
        first, second = here.ask(), here.ask()
        first.begun.cancel()
        first.begun.cancel()
        assert here.guarded.health().in_flight == 1
        second.begun.cancel()
        assert here.at_rest()
        assert here.guarded._flights._by_about == {}
        assert (first.told, second.told) == ([], [])
        here.doing[0] = listing(record(ZHANG))
        assert isinstance((await here.fetch())[0], Found)  # over a connection of its own: the late answer is nobody's
        assert here.server.connections == 2


@pytest.mark.parametrize("timeout_s", [0.1, 5.0])
async def test_a_late_department_is_silent_for_the_impatient_and_blamed_by_its_own_limit(
    room: Open, timeout_s: float
) -> None:
    async with room(hangs, timeout_s=0.3) as here:
        loop = asyncio.get_running_loop()
        began = loop.time()
        asked = here.ask(timeout_s=timeout_s)
        assert asked.tasks == 0
        assert [reason(one) for one in await asked.answers()] == [Reason.TIMEOUT]
        assert abs(loop.time() - began - min(timeout_s, 0.3)) < 0.1
        assert here.at_rest()
        assert here.guarded.health().failures == (1 if timeout_s > 0.3 else 0)


async def test_a_lost_connection_is_down_and_a_retry_asks_anew(room: Open) -> None:
    async with room(hangs_up) as here:
        assert [reason(one) for one in await here.ask().answers()] == [Reason.DOWN]
        assert here.at_rest()
    async with room(hangs_up, retries=1) as here:

        async def once(_: bytes, writer: asyncio.StreamWriter) -> None:
            here.doing[0] = listing(record(ZHANG))
            writer.close()

        here.doing[0] = once
        assert isinstance((await here.ask().answers())[0], Found)
        assert here.at_rest()
        assert (here.guarded.health().calls, here.guarded.health().failures) == (3, 1)


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (listing(status="500 Broken"), Reason.DOWN),
        (listing(status="429 Busy"), Reason.RATE_LIMITED),
        (listing({"no": "key"}), Reason.GARBAGE),
        (listing(status="302 Elsewhere", headers="Location: http://127.0.0.1:1/\r\n"), Reason.BLOCKED),
    ],
)
async def test_what_goes_wrong_has_the_reason_it_always_had(room: Open, behaviour: Behaviour, expected: Reason) -> None:
    async with room(behaviour) as here:
        asked = here.ask(ZHANG, LI_MEI)
        assert asked.tasks == 0
        assert [reason(one) for one in await asked.answers()] == [expected] * 2
        assert here.at_rest()


async def test_what_takes_further_thought_is_thought_over(room: Open) -> None:
    async with room(listing(record(ZHANG, "R1"), record(ZHANG, "R2"))) as here:
        asked = here.ask(ZHANG, LI_MEI)
        assert asked.tasks == 0
        found, none = await asked.answers()
        assert isinstance(found, Found)
        assert [row.record_id for row in found.rows] == ["R1", "R2"]
        assert isinstance(none, Absent)
        assert here.at_rest()


async def test_a_fault_of_ours_stays_with_its_source(room: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    async with room(listing(record(ZHANG))) as here:
        monkeypatch.setattr("adapters.rest.read_reply", broken)
        (answer,) = await here.ask().answers()
        assert isinstance(answer, Failed)
        assert (answer.reason, answer.detail.split(":")[0]) == (Reason.GARBAGE, "KeyError at test_prompt.py")
        assert here.at_rest()


async def test_an_asker_that_fails_when_it_is_told_takes_nobody_along(room: Open) -> None:
    async with room(listing(record(ZHANG))) as here:
        said: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(str(context)))

        def fails(_: Sequence[Answer]) -> None:
            raise KeyError(ZHANG[0])

        here.guarded.ask(lookup(ZHANG), timeout_s=5, told=fails)
        assert isinstance((await here.ask().answers())[0], Found)
        assert here.at_rest()
        assert isinstance((await here.fetch())[0], Found)
        assert here.server.connections == 1, "the connection has nothing to do with it"
        (fault,) = said
        assert ZHANG[0] not in fault


async def test_what_cannot_be_sent_is_asked_once_more_and_heard_of_once(
    room: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with room(listing(record(ZHANG)), timeout_s=0.3) as here:
        true, asked = Connection.ask, []

        def fails_once(self: Connection, *args: Any, **also: Any) -> None:
            asked.append(args)
            true(self, *args, **also)
            if len(asked) == 1:
                raise RuntimeError("the handle is closed")

        monkeypatch.setattr(Connection, "ask", fails_once)
        one = here.ask()
        assert isinstance((await one.answers())[0], Found)
        await asyncio.sleep(0.5)  # past its time, when it was heard a second time
        assert isinstance((await here.fetch())[0], Found)
        assert len(one.told) == 1
        assert here.at_rest()


async def test_closing_cuts_what_is_out(room: Open) -> None:
    async with room(hangs) as here:
        asked = here.ask()
        await here.guarded.close()
        assert [reason(one) for one in await asked.answers()] == [Reason.DOWN]
        assert here.at_rest()


async def test_beyond_its_turns_a_question_waits_as_ever(room: Open) -> None:
    async with room(hangs) as here:
        go = asyncio.Event()

        async def when_told(head: bytes, writer: asyncio.StreamWriter) -> None:
            await go.wait()
            await listing()(head, writer)

        here.doing[0] = when_told
        stems = [f"44060619900307{number:03d}" for number in range(4)]
        keys = [(stem + mod_11_2.calc_check_digit(stem), "张三") for stem in stems]
        asked = [here.ask(key) for key in keys]
        assert asked[0].tasks == 0
        assert asked[3].tasks == 1
        await until(lambda: len(here.server.seen) == 3)
        assert here.guarded.health().in_flight == 2
        go.set()
        assert [type((await one.answers())[0]) for one in asked] == [Absent] * 4
        assert here.at_rest()


def broken(*_: object) -> None:
    raise KeyError(ZHANG[0])


@pytest.mark.parametrize(
    ("behaviour", "how"),
    [
        (listing(record(ZHANG)), "kept"), (listing(record(ZHANG)), "broken"), (hangs, "kept"), (hangs, "fresh"),
        (hangs_up, "kept"),
    ],
)  # fmt: skip
async def test_nothing_is_left_for_the_collector(
    room: Open, behaviour: Behaviour, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Least of all keys: who is asked about."""
    async with room(behaviour, timeout_s=0.1, breaker_failures=100) as here:
        gc.collect()
        gc.disable()
        try:
            for _ in range(3):
                if how != "fresh":
                    here.doing[0] = listing(record(ZHANG))
                    await here.fetch()
                    here.doing[0] = behaviour
                with monkeypatch.context() as patched:
                    if how == "broken":
                        patched.setattr("adapters.rest.read_reply", broken)
                    asked = here.ask()
                    await asked.answers()
                assert how == "fresh" or asked.tasks == 0
                del asked
            await until(
                lambda: (
                    not [
                        one
                        for one in gc.get_objects()
                        if type(one).__name__ in ("Flight", "Wait", "Exchange", "_Asking")
                    ]
                )
            )
        finally:
            gc.enable()
