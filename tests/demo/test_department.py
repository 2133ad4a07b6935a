"""The ground of every department: counting, limits, faults, hours and the demo clock."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import aiohttp
import anyio
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

import demo.departments
from demo.department import SHANGHAI, Bucket, Department, Faults, Options, Profile, Refusal
from demo.serving import Running, bind, serving

NIGHT = datetime(2026, 11, 20, 23, 30, tzinfo=SHANGHAI)
SB = Profile(code="ZZ", zh="测试", hours=("05:00", "23:00"))


def _department(profile: Profile = SB, **options: object) -> Department:
    return Department(profile, Options(count=1, **options))  # type: ignore[arg-type]


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> str:
    """A department module of two lines, as a colleague would add one."""
    module = types.ModuleType("demo.departments.zz")

    def build(department: Department, options: Options) -> Starlette:
        async def answer(request: Request) -> Response:
            await department.enter("ask", key=request.query_params.get("key"))
            return PlainTextResponse("stale" if department.faults.stale else "fresh")

        return Starlette(routes=[Route("/ask", answer)])

    module.PROFILE = Profile(code="ZZ", zh="测试", rps=3)  # type: ignore[attr-defined]
    module.build = build  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(demo.departments.TABLE, "ZZ", module.__name__)
    return "ZZ"


@pytest.fixture
async def running(made_up: str, anyio_backend: str) -> AsyncIterator[Running]:
    async with serving(made_up, Options(count=1, latency=0)) as department:
        yield department


async def _call(method: str, url: str, body: object = None) -> tuple[int, str, str | None]:
    data = None if body is None else json.dumps(body)
    async with aiohttp.ClientSession() as session, session.request(method, url, data=data) as answer:
        return answer.status, await answer.text(), answer.headers.get("retry-after")


def test_without_real_hours_the_night_is_open() -> None:
    assert _department(now=NIGHT).opens_at() is None


def test_with_real_hours_it_opens_at_five_next_morning() -> None:
    opening = datetime(2026, 11, 21, 5, 0, tzinfo=SHANGHAI)
    assert _department(now=NIGHT, real_hours=True).opens_at() == opening
    assert _department(now=NIGHT + timedelta(hours=3), real_hours=True).opens_at() == opening
    assert _department(now=NIGHT + timedelta(hours=6), real_hours=True).opens_at() is None


def test_the_closed_switch_closes_in_daylight() -> None:
    department = _department(now=datetime(2026, 11, 20, 10, 0, tzinfo=SHANGHAI))
    department.set_faults(Faults().changed({"closed": True}))
    assert department.opens_at() == datetime(2026, 11, 21, 5, 0, tzinfo=SHANGHAI)


def test_the_demo_clock_ticks_from_where_it_was_set_and_can_be_skewed() -> None:
    department = _department(now=NIGHT)
    first, second = department.now(), department.now()
    assert NIGHT <= first <= second < NIGHT + timedelta(minutes=5)
    department.set_faults(Faults(clock_skew=3600))
    assert department.now() >= NIGHT + timedelta(hours=1)


def test_the_bucket_holds_one_second_and_refills() -> None:
    now = 100.0
    bucket = Bucket(5, lambda: now)
    assert [bucket.take() for _ in range(5)] == [0.0] * 5
    assert bucket.take() == pytest.approx(0.2)
    now += 0.21
    assert bucket.take() == 0.0
    now += 3600
    assert [bucket.take() == 0.0 for _ in range(6)] == [True] * 5 + [False]


@pytest.mark.parametrize("wanted", [{"no-such": True}, {"closed": 3}, {"slow": "long"}, {"slow": None}])
def test_an_unknown_fault_or_amount_is_refused(wanted: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="fault"):
        Faults().changed(wanted)


def test_true_takes_a_usual_amount_and_the_others_stay() -> None:
    faults = Faults(half_page=True).changed({"slow": True, "429": True, "stale": 3})
    assert faults == Faults(half_page=True, slow=5.0, too_many=True, stale=3.0)
    assert faults.active() == ("429", "half_page", "slow", "stale")
    assert faults.changed({"slow": False}).slow == 0


@pytest.mark.anyio
@pytest.mark.parametrize(("fault", "kind"), [("down", "down"), ("closed", "closed"), ("429", "too_many")])
async def test_a_refused_operation_is_counted_all_the_same(fault: str, kind: str) -> None:
    department = _department()
    department.set_faults(Faults().changed({fault: True, "slow": 60}))
    with pytest.raises(Refusal) as refusal, anyio.fail_after(1):
        await department.enter("ask")
    assert refusal.value.kind == kind
    assert department.counters.calls() == {"ask": 1}


@pytest.mark.anyio
async def test_normal_latency_is_kept_and_can_be_turned_off() -> None:
    profile = Profile(code="ZZ", zh="测试", latency_s=0.05)
    began = anyio.current_time()
    await _department(profile).enter("ask")
    assert anyio.current_time() - began >= 0.05
    with anyio.fail_after(0.04):
        await _department(profile, latency=0).enter("ask")


def test_listeners_hear_every_change() -> None:
    heard: list[Faults] = []
    department = _department()
    department.on_fault(heard.append)
    department.set_faults(Faults(down=True))
    department.set_faults(Faults())
    assert heard == [Faults(down=True), Faults()]


@pytest.mark.anyio
async def test_a_visitor_switches_a_fault_and_sees_it(running: Running) -> None:
    assert (await _call("GET", running.url + "/ask"))[:2] == (200, "fresh")
    status, body, _ = await _call("PUT", running.url + "/_fault", {"stale": True})
    assert (status, json.loads(body)["stale"]) == (200, 10.0)
    assert (await _call("GET", running.url + "/ask"))[1] == "stale"
    assert not any(json.loads((await _call("DELETE", running.url + "/_fault"))[1]).values())
    assert (await _call("GET", running.url + "/ask"))[1] == "fresh"


@pytest.mark.anyio
@pytest.mark.parametrize("body", ["words", [1], {"no-such": True}])
async def test_a_bad_fault_is_told_plainly_and_changes_nothing(running: Running, body: object) -> None:
    status, text, _ = await _call("PUT", running.url + "/_fault", body)
    assert status == 400
    assert "error" in json.loads(text)
    assert running.department.faults == Faults()


@pytest.mark.anyio
async def test_the_limit_answers_429_with_a_time(running: Running) -> None:
    answers = [await _call("GET", running.url + "/ask") for _ in range(4)]
    assert [status for status, _, _ in answers] == [200, 200, 200, 429]
    assert answers[-1][2] == "1"


@pytest.mark.anyio
async def test_counters_show_calls_and_repetition(running: Running) -> None:
    for key in ("a", "b", "a"):
        await _call("GET", f"{running.url}/ask?key={key}")
    assert json.loads((await _call("GET", running.url + "/_counters"))[1]) == {"ask": 3}
    assert json.loads((await _call("GET", running.url + "/_counters?keys=1"))[1]) == {"ask": 2}
    assert json.loads((await _call("DELETE", running.url + "/_counters"))[1]) == {}


@pytest.mark.anyio
async def test_health_says_who_and_when(running: Running) -> None:
    status, body, _ = await _call("GET", running.url + "/_health")
    assert (status, json.loads(body)["code"]) == (200, "ZZ")
    assert datetime.fromisoformat(json.loads(body)["now"]).utcoffset() == timedelta(hours=8)


def test_a_taken_port_is_an_error_and_not_shared() -> None:
    with bind() as first:
        first.listen()
        with pytest.raises(OSError, match="in use"):
            bind(first.getsockname()[1])
