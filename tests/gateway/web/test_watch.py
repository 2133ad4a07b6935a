"""The endpoints of emergency access and alerts: who asks comes first, shapes are exact, every refusal is one of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from starlette.types import Scope
from yarl import URL

from gateway.caller import Caller
from gateway.errors import GatewayError, RequestRefused
from gateway.services.break_glass import Emergency, Granted
from gateway.web.problems import Refusal
from gateway.web.watch import WatchParts, watch_routes
from tests.gateway.web.conftest import Running, running

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 25, tzinfo=UTC)
OFFICER = Caller("o1", "cc-1", "JUSTICE_OFFICE", frozenset(), "t", NOW, level=2)
ID = "019abcde-0000-7000-8000-000000000000"
BODY = {
    "reasonCode": "RISK_TO_LIFE", "reason": "十个字以上的紧急理由说明", "caseNo": "1", "idNo": "440606199003070017",
    "items": ["residence.address"],
}  # fmt: skip


class Glass:
    """Break-glass that remembers what it was told."""

    said: Emergency | None = None
    refusal: GatewayError | None = None

    async def open(self, caller: Caller, said: Emergency) -> Granted:
        self.said = said
        if self.refusal is not None:
            raise self.refusal
        return Granted(ID, said.review == "AFTER", NOW, NOW)

    async def approve(self, caller: Caller, grant_id: str) -> datetime:
        return NOW


class Desk:
    """Alerts that remember what they were asked."""

    asked: dict[str, Any] | None = None

    async def read(self, caller: Caller, **asked: Any) -> dict[str, Any]:
        self.asked = asked
        return {"alerts": [], "after": None}

    async def acknowledge(self, caller: Caller, alert_id: str) -> None:
        raise RequestRefused("ALERT_UNKNOWN")

    async def close(self, caller: Caller, alert_id: str, outcome: str) -> None:
        return None


@dataclass
class Reply:
    status_code: int
    text: str

    def json(self) -> Any:
        return orjson.loads(self.text)


class House:
    def __init__(self) -> None:
        self.glass, self.desk, self.known = Glass(), Desk(), True
        self.web: Running | None = None

    async def admit(self, scope: Scope) -> Caller:
        if not self.known:
            raise Refusal("UNAUTHENTICATED")
        return OFFICER

    async def request(self, method: str, path: str, *, raw: bytes = b"{}") -> Reply:
        assert self.web is not None
        url = URL(f"http://127.0.0.1:{self.web.port}{path}", encoded=True)
        headers = {"content-type": "application/json"} if method == "POST" else {}
        async with self.web.client.request(
            method, url, data=raw if method == "POST" else None, headers=headers
        ) as reply:
            return Reply(reply.status, await reply.text())

    async def post(self, path: str, body: Any = None) -> Reply:
        return await self.request("POST", path, raw=orjson.dumps({} if body is None else body))

    async def get(self, path: str) -> Reply:
        return await self.request("GET", path)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House()
    parts = WatchParts(made.admit, made.glass, made.desk)  # type: ignore[arg-type]
    async with running(pages=watch_routes(parts)) as made.web:
        yield made


async def test_a_request_waits_for_a_second_officer_unless_it_says_otherwise(house: House) -> None:
    reply = await house.post("/admin/break-glass", BODY)
    assert (reply.status_code, reply.json()["inForce"], reply.json()["expiresAt"]) == (201, False, None)
    assert house.glass.said is not None
    assert house.glass.said.review == "ONLINE"
    reply = await house.post("/admin/break-glass", BODY | {"review": "AFTER"})
    assert reply.json()["inForce"] is True
    assert reply.json()["expiresAt"]


@pytest.mark.parametrize(
    "body",
    [
        {}, [], "x", BODY | {"extra": 1}, BODY | {"items": "residence.address"}, BODY | {"items": [1]},
        BODY | {"reason": 1}, BODY | {"review": None}, {name: BODY[name] for name in BODY if name != "idNo"},
    ],
)  # fmt: skip
async def test_another_shape_is_refused_before_anybody_thinks_about_it(house: House, body: Any) -> None:
    reply = await house.post("/admin/break-glass", body)
    assert (reply.status_code, reply.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_VALUE")
    assert house.glass.said is None


async def test_nobody_unknown_has_a_body_read(house: House) -> None:
    house.known = False
    for method, path in (
        ("POST", "/admin/break-glass"), ("POST", f"/admin/break-glass/{ID}/approve"), ("GET", "/admin/alerts"),
        ("POST", f"/admin/alerts/{ID}/ack"), ("POST", f"/admin/alerts/{ID}/close"),
    ):  # fmt: skip
        assert (await house.request(method, path, raw=b"{" * 10)).status_code == 401


@pytest.mark.parametrize(
    ("code", "status"), [("NO_GROUND", 403), ("LEVEL_TOO_LOW", 403), ("BAD_ID", 400), ("BAD_VALUE", 400)]
)
async def test_a_refusal_has_its_code_and_repeats_nothing(house: House, code: str, status: int) -> None:
    house.glass.refusal = RequestRefused(code)
    reply = await house.post("/admin/break-glass", BODY)
    assert reply.status_code == status
    assert reply.json()["errors"][0]["extensions"]["code"] == code
    assert "19900307" not in reply.text


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "state=closed", "after=x", "who=me", "limit=1&limit=2", "a=1&b=2&c=3&d=4&e=5"],
)
async def test_a_question_about_alerts_that_is_none_is_refused(house: House, query: str) -> None:
    reply = await house.get(f"/admin/alerts?{query}")
    assert (reply.status_code, house.desk.asked) == (400, None)


async def test_alerts_are_asked_for_as_given(house: House) -> None:
    assert (await house.get(f"/admin/alerts?state=all&after={ID}&limit=7")).json() == {
        "alerts": [],
        "after": None,
    }
    assert house.desk.asked == {"open_only": False, "after": ID, "limit": 7}


async def test_an_id_that_is_none_is_like_one_nobody_has(house: House) -> None:
    for path in (f"/admin/alerts/{ID}/ack", "/admin/alerts/1/ack"):
        reply = await house.post(path)
        assert (reply.status_code, reply.json()["errors"][0]["extensions"]["code"]) == (404, "ALERT_UNKNOWN")
    reply = await house.post("/admin/break-glass/..%2f/approve")
    assert reply.status_code == 404


@pytest.mark.parametrize("body", [{}, {"outcome": 1}, {"outcome": "JUSTIFIED", "x": 1}])
async def test_an_alert_is_closed_with_an_outcome_and_nothing_else(house: House, body: Any) -> None:
    assert (await house.post(f"/admin/alerts/{ID}/close", body)).status_code == 400
    assert (await house.post(f"/admin/alerts/{ID}/close", {"outcome": "JUSTIFIED"})).status_code == 200
