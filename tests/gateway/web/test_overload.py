"""Five times what it can answer: most of what it can is answered, the rest is told so at once, and then all is as before."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import sys
from dataclasses import dataclass
from statistics import median
from types import SimpleNamespace

import pytest

from gateway.web import gate as gate_module
from gateway.web import in_flight as in_flight_module
from gateway.web import shed_lines as shed_lines_module
from gateway.web.gate import Gate
from gateway.web.in_flight import TARGET_S, InFlightLimit, standing_s
from gateway.web.settings import WebSettings
from tests.fakes.execute import TOKEN
from tests.fakes.waiting import until
from tests.gateway.web.conftest import Start
from tests.gateway.web.ledger_house import ledger_house
from tests.gateway.web.test_gate import HELD
from tests.gateway.web.virtual_loop import VirtualLoop

pytestmark = pytest.mark.anyio

BODY = b'{"query":"{ hello }"}'
TURNS, TURN_S = 8, 0.0005  # what an answer takes of the one thread there is
REFUSAL_S = 0.00005
CAPACITY = 1 / (TURNS * TURN_S)  # answers a second
PATIENCE_S = 1.5
CALLS_OF_A_REFUSAL = 160  # found: 143, with the event loop's and the asking client's own


@dataclass
class Asked:
    at: float
    answered: float | None = None
    refused: bool = False


class Crowd:
    """The real gate and its limit on a thread of virtual time; requests take a turn after another, as those that ask several
    sources do."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.loop = VirtualLoop()
        for module in (in_flight_module, shed_lines_module):
            monkeypatch.setattr(module, "asyncio", self.loop)
        monkeypatch.setattr(in_flight_module, "time", self.loop)
        monkeypatch.setattr(gate_module, "asyncio", SimpleNamespace(Event=asyncio.Event))
        self.gate = Gate(in_flight=WebSettings().in_flight, streams=1)
        self.asked: list[Asked] = []

    def ask(self, rate_per_s: float, seconds: float) -> list[Asked]:
        """On a schedule, whatever becomes of them."""
        first, start = len(self.asked), self.loop.now
        for number in range(int(rate_per_s * seconds)):
            self.loop.call_at(start + number / rate_per_s, self._arrives, start + number / rate_per_s)
        self.loop.run_until(start + seconds)
        return self.asked[first:]

    def _arrives(self, due: float) -> None:
        one = Asked(due)
        self.asked.append(one)
        if self.gate.full:
            self.loop.spend(REFUSAL_S)
            self.gate.turn_back("POST")
            one.refused = True
        else:
            self.gate.enter("request")
            self.loop.call_soon(self._turn, one, TURNS)

    def _turn(self, one: Asked, left: int) -> None:
        self.loop.spend(TURN_S)
        if left > 1:
            self.loop.call_soon(self._turn, one, left - 1)
        else:
            one.answered = self.loop.now
            self.gate.leave("request")


def took_s(asked: list[Asked]) -> float:
    return median(one.answered - one.at for one in asked if one.answered is not None)


def test_at_five_times_what_it_can_nearly_all_of_what_it_can_is_answered_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crowd = Crowd(monkeypatch)
    usual = took_s(crowd.ask(0.2 * CAPACITY, 2.0))
    asked = crowd.ask(5 * CAPACITY, 8.0)
    good = [one for one in asked if one.answered is not None and one.answered - one.at <= PATIENCE_S]
    free_s = 8.0 - sum(one.refused for one in asked) * REFUSAL_S
    assert len(good) >= 0.9 * CAPACITY * free_s
    assert took_s(asked) < 0.5
    assert sum(one.refused for one in asked) > 0.7 * len(asked)
    crowd.ask(0.2 * CAPACITY, 1.0)
    after = crowd.ask(0.2 * CAPACITY, 3.0)  # within five seconds
    assert not any(one.refused for one in after)
    assert took_s(after) < 1.5 * usual
    assert crowd.gate.in_flight.limit == WebSettings().in_flight


def test_without_a_limit_nobody_would_be_answered_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the test above would say of a gateway that lets everybody in: it can fail."""
    crowd = Crowd(monkeypatch)
    monkeypatch.setattr(Gate, "full", False)
    asked = crowd.ask(5 * CAPACITY, 8.0)
    good = [one for one in asked if one.answered is not None and one.answered - one.at <= PATIENCE_S]
    assert len(good) < 0.5 * CAPACITY * 8.0


async def test_a_refusal_costs_a_few_dozen_calls_and_asks_nobody(start: Start) -> None:
    """Calls of Python and C in this process: the same on any machine, however busy."""
    request = (
        b"POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
    )
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    async with start(WebSettings(in_flight=1)) as web:
        web.app.state.gate.in_flight.limit = 0
        reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
        found = []
        for _ in range(20):
            calls = 0
            sys.setprofile(count)
            try:
                writer.write(request % (len(BODY), BODY))
                answer = await reader.readuntil(b"}}]}")
            finally:
                sys.setprofile(None)
            assert answer.startswith(b"HTTP/1.1 503 ")
            found.append(calls)
        writer.close()
    assert min(found) <= CALLS_OF_A_REFUSAL, min(found)
    assert web.authenticate.asked == 0


async def test_no_more_than_fit_are_inside_however_many_ask(start: Start) -> None:
    async with start(WebSettings(in_flight=4)) as web:
        asking = [asyncio.create_task(web.post(HELD)) for _ in range(20)]
        async with asyncio.timeout(10):
            while sum(one.done() for one in asking) < 16 or web.execute.running < 4:
                await asyncio.sleep(0.01)
        assert web.execute.running == 4
        refused = [one.result() for one in asking if one.done()]
        assert {one.status for one in refused} == {503}
        assert {one.headers["retry-after"] for one in refused} == {"2"}
        web.execute.held.set()
        answers = [await one for one in asking]
        assert sorted(one.status for one in answers) == [200] * 4 + [503] * 16


async def test_whoever_watches_and_whoever_reads_the_log_is_answered_while_it_is_full() -> None:
    async with ledger_house() as house:
        house.ledger.grow(3)
        house.ledger.sign("GA")
        gate = house.web.app.state.gate
        gate.in_flight.limit = 0
        assert (await house.web.post({"query": "{ hello }"})).status == 503
        for path in ("/livez", "/readyz", "/metrics", "/ledger/2026/checkpoint", "/ledger/2026/tile/0/000.p/3"):
            assert (await house.web.get(path)).status == 200, path
        for _ in range(8):
            gate.enter("reader")
        assert (await house.web.get("/ledger/2026/checkpoint")).status == 503
        assert (await house.web.get("/livez")).status == 200
        for _ in range(8):
            gate.leave("reader")
        assert (await house.web.get("/ledger/2026/checkpoint")).status == 200
        assert gate.inside == {"request": 0, "stream": 0, "reader": 0}


async def test_what_is_refused_is_counted_and_said_once_a_second(
    start: Start, logs: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shed_lines_module, "EVERY_S", 0.3)
    async with start(WebSettings(in_flight=1)) as web:
        web.app.state.gate.in_flight.limit = 0
        for _ in range(5):
            assert (await web.post({"query": "{ hello }"})).status == 503
        for _ in range(2):
            page = await (await web.get("/metrics")).text()
            assert 'yimen_http_requests_total{method="POST",route="-",status="503"} 5.0' in page
        async with asyncio.timeout(5):
            while "requests_shed" not in logs.getvalue():
                await asyncio.sleep(0.02)
    lines = [json.loads(line) for line in logs.getvalue().splitlines() if "requests_shed" in line]
    assert sum(line["count"] for line in lines) == 5
    assert len(lines) < 5


async def test_a_refusal_leaves_the_connection_and_needs_neither_caller_nor_body(start: Start) -> None:
    head = b"POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    async with start(WebSettings(in_flight=1)) as web:
        web.app.state.gate.in_flight.limit = 0
        reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
        for body in (BODY, b"x" * 20_000):
            writer.write(head % len(body))
            answer = await asyncio.wait_for(reader.readuntil(b"}}]}"), 5)  # before there is a body
            assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
            assert b"retry-after: 2\r\n" in answer
            assert b"connection: close" not in answer
            writer.write(body)
        assert web.authenticate.asked == 0
        web.app.state.gate.in_flight.limit = 1
        writer.write(
            b"POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nauthorization: Bearer "
            + TOKEN.encode()
            + b"\r\ncontent-length: %d\r\n\r\n" % len(BODY)
            + BODY
        )
        assert (await asyncio.wait_for(reader.readuntil(b"\r\n"), 5)) == b"HTTP/1.1 200 OK\r\n"
        writer.close()
        page = await (await web.get("/metrics")).text()
        assert 'yimen_requests_shed_total{reason="OVERLOADED"} 2.0' in page
        assert "yimen_in_flight_limit 1.0" in page


async def test_who_was_refused_and_never_sends_the_rest_is_cut_off(start: Start) -> None:
    async with start(WebSettings(in_flight=1, body_s=0.2)) as web:
        web.app.state.gate.in_flight.limit = 0
        head = b"POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{"
        assert (await web.talk(head, patience_s=3)).startswith(b"HTTP/1.1 503 ")


def test_a_line_that_stays_lowers_the_limit_and_one_that_passes_does_not() -> None:
    limit = InFlightLimit(200)
    limit.turn([TARGET_S * 9, 0.0001, 0.0001], 200, pressed=True)
    assert limit.limit == 200, "one long pause is no line"
    limit.turn([TARGET_S * 9], 200, pressed=True)
    assert limit.limit == 200, "nor is one that is all there was"
    assert limit.turn([TARGET_S * 2] * 5, 200, pressed=True)
    assert limit.limit == 100
    assert not limit.turn([TARGET_S * 2] * 5, 160, pressed=True)
    assert limit.limit == 100, "those let in before are still there"
    limit.turn([TARGET_S * 1.01] * 5, 60, pressed=True)
    assert limit.limit == 87, "it was full, though it is not now"
    limit.turn([TARGET_S * 100] * 2, 64, pressed=False)
    assert limit.limit == 16, "of those who were there"
    limit.turn([TARGET_S * 100] * 2, 16, pressed=True)
    assert limit.limit == 16
    limit.turn([0.001] * 5, 12, pressed=False)
    assert limit.limit == 16, "nobody asks for more"
    for _ in range(50):
        limit.turn([0.001] * 5, limit.limit, pressed=True)
    assert limit.limit == 200


def test_who_waits_at_the_door_stands_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Since few begin in a turn, turns are short however many wait to begin: the loop's own line does not tell of them."""
    crowd = Crowd(monkeypatch)
    monkeypatch.setattr(gate_module, "time", crowd.loop)
    for _ in range(180):
        crowd.gate.enter("request")
    with contextlib.closing(asyncio.new_event_loop()) as elsewhere:
        crowd.gate._door.append((0.0, elsewhere.create_future()))
        crowd.loop.run_until(0.5)
    assert crowd.gate.in_flight.limit < 180


def test_readers_of_the_log_are_no_more_than_fit_though_nobody_else_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Crowd(monkeypatch).gate
    for _ in range(300):
        if gate.refusal("reader") is None:
            gate.enter("reader")
    assert gate.inside["reader"] == 200


def test_what_streams_are_refused_for_says_nothing_of_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does one passing excess: sixty who fit, and wait for each other, are left in peace by whatever came before."""
    crowd = Crowd(monkeypatch)
    for _ in range(60):
        crowd.gate.enter("request")
    crowd.gate.inside["stream"] = 1
    crowd.loop.call_at(0.0, crowd.gate.refusal, "stream")

    def work() -> None:
        crowd.loop.spend(0.7 * TARGET_S)
        crowd.loop.call_soon(work)

    crowd.loop.call_soon(work)
    for second in range(1, 4):
        crowd.loop.call_at(second, crowd.gate.refusal, "stream")
    crowd.loop.run_until(4.0)
    assert not crowd.gate.full


async def test_nobody_overtakes_those_at_the_door_and_whoever_went_away_holds_nobody_up() -> None:
    gate = Gate(in_flight=200, streams=1)
    gate._begun = 10_000
    began: list[int] = []

    async def one(number: int) -> None:
        await gate.their_turn()
        began.append(number)

    coming = [asyncio.ensure_future(one(number)) for number in range(3)]
    await asyncio.sleep(0)
    gate._begun = 0
    coming.append(asyncio.ensure_future(one(3)))
    await asyncio.sleep(0)
    assert began == []
    coming[0].cancel()
    await asyncio.sleep(0)
    gate._next_turn()
    await asyncio.wait(coming, timeout=5)
    assert began == [1, 2, 3]


def test_those_who_go_in_step_are_a_line_though_the_loop_is_idle_now_and_then() -> None:
    idle = [0.0002] * 4
    assert standing_s([*idle, 0.1, *idle]) < TARGET_S, "once is once"
    assert standing_s([*idle, 0.2, *idle, 0.2, *idle, 0.2]) > 3 * TARGET_S
    assert standing_s([0.003] * 40) < TARGET_S, "short turns are no line, however many"
    assert standing_s([]) == standing_s([1.0]) == 0.0


@pytest.mark.parametrize(("pauses", "lowered"), [(1, False), (2, True)])
def test_many_at_once_are_seen_before_an_interval_is_over_and_one_pause_is_not(
    monkeypatch: pytest.MonkeyPatch, pauses: int, lowered: bool
) -> None:
    crowd = Crowd(monkeypatch)
    limit, loop = crowd.gate.in_flight, crowd.loop
    monkeypatch.setattr(in_flight_module, "INTERVAL_S", 10.0)
    for _ in range(100):
        crowd.gate.enter("request")
    long: list[float] = []
    limit.seen = lambda wait_s: long.append(wait_s) if wait_s > 0.05 else None

    def work() -> None:
        loop.spend(0.1 if len(long) < pauses else 0.001)
        loop.call_soon(work)

    loop.call_soon(work)
    loop.run_until(1.0)
    assert len(long) == pauses
    assert (limit.limit < 100) == lowered


def test_what_others_take_of_the_processor_makes_the_line_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = Crowd(monkeypatch)
    limit, loop = crowd.gate.in_flight, crowd.loop
    seen: list[float] = []
    limit.seen = seen.append
    for _ in range(100):
        crowd.gate.enter("request")

    def stolen() -> None:
        loop.spend(1.7 * TARGET_S)
        loop.stolen += 0.85 * TARGET_S
        loop.call_soon(stolen)

    loop.call_soon(stolen)
    loop.run_until(2.0)
    assert max(seen) > 1.5 * TARGET_S, "the metric says what it was"
    assert limit.limit == 200


def test_a_small_limit_is_kept() -> None:
    limit = InFlightLimit(3)
    limit.turn([1.0] * 5, 3, pressed=True)
    assert limit.limit == 3


async def test_what_fails_at_a_look_keeps_nobody_from_looking_again() -> None:
    limit = InFlightLimit(40)
    looked: list[None] = []

    def fails() -> None:
        looked.append(None)
        raise MemoryError

    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    limit.looked = fails
    limit.busy(lambda: 40)
    await until(lambda: len(looked) > 2)


async def test_it_looks_only_while_many_are_inside() -> None:
    gate = Gate(in_flight=40, streams=1)
    seen: list[float] = []
    gate.in_flight.seen = seen.append
    looked: list[None] = []
    gate.in_flight.looked = lambda: looked.append(None)
    calm: list[None] = []
    gate.in_flight.calm = lambda: calm.append(None)
    for _ in range(10):
        gate.enter("request")
    await asyncio.sleep(0.05)
    assert seen == []
    for _ in range(20):
        gate.enter("request")
    await asyncio.sleep(0.05)
    assert seen
    assert len(looked) == len(seen)
    assert calm == []
    for _ in range(30):
        gate.leave("request")
    await asyncio.sleep(0.05)
    told = len(seen)
    await asyncio.sleep(0.05)
    assert len(seen) == told
    assert calm == [None]


async def test_of_many_who_come_at_once_a_few_begin_in_each_turn_of_the_loop_in_the_order_they_came() -> None:
    began, turns = await _begin_at_once(many=200)
    assert began == list(range(200))
    assert turns[0] == gate_module._A_TURN  # nobody knows yet how many they are
    assert turns[1:8] == [gate_module._A_TURN_IN_LINE] * 7
    assert max(turns[-3:]) > gate_module._A_TURN_IN_LINE  # and at last there is no line


async def test_those_who_are_few_begin_together() -> None:
    _, turns = await _begin_at_once(many=60)
    assert turns == [gate_module._A_TURN, 60 - gate_module._A_TURN]


async def test_who_goes_away_before_their_turn_leaves_the_house(start: Start) -> None:
    async with start(WebSettings()) as web:
        gate = web.app.state.gate
        gate._begun = 10_000  # and no turn of the loop that ends it
        # Who watches, and who reads the log, waits for no turn.
        for path in ("/livez", "/readyz", "/metrics", "/ledger/none"):
            assert (await asyncio.wait_for(web.get(path), 10)).status in (200, 404)
        asking = asyncio.create_task(web.post({"query": "{ hello }"}))
        await until(lambda: gate.inside["request"] == 1)
        asking.cancel()
        await asyncio.wait({asking})
        gate._next_turn()
        await until(lambda: gate.empty)


async def test_who_is_still_sending_waits_for_no_turn_and_takes_no_place(start: Start) -> None:
    head = (
        b"POST /graphql HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer %b\r\n"
        b"content-type: application/json\r\ncontent-length: 99\r\n\r\n{" % TOKEN.encode()
    )
    async with start(WebSettings()) as web:
        gate = web.app.state.gate
        gate._begun = 10_000
        _, writer = await asyncio.open_connection("127.0.0.1", web.port)
        writer.write(head)
        await until(lambda: gate.waiting == 1)
        assert gate.at_work == 0
        writer.close()
        await until(lambda: gate.empty)


async def _begin_at_once(many: int) -> tuple[list[int], list[int]]:
    """In what order, and how many in each turn. Each leaves some turns after it began, as one that asks a department does."""
    gate = Gate(in_flight=1000, streams=1)
    began: list[int] = []
    turn = 0
    turns: dict[int, int] = {}

    async def one(number: int) -> None:
        gate.enter("request")
        await gate.their_turn()
        began.append(number)
        turns[turn] = turns.get(turn, 0) + 1
        for _ in range(3):
            await asyncio.sleep(0)
        gate.leave("request")

    asked = [asyncio.ensure_future(one(number)) for number in range(many)]
    while not all(task.done() for task in asked):
        await asyncio.sleep(0)
        turn += 1
    return began, [turns[at] for at in sorted(turns)]
