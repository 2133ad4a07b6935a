"""陈明 says a fact is wrong: readers see that he disputes it within the minute, his body reads his words and answers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.clock import SystemClock
from gateway.services.disputes.ports import Dispute, DisputeState
from gateway.store.tables import access_event
from tests.flows.house import House
from tests.flows.questions import key_of
from tests.flows.town import Town, until

pytestmark = pytest.mark.anyio
ZHANG = key_of("zhang-san-017")
QUERY = """query($idNo: String!, $name: String!) @purpose(code: "CC_RECEPTION", caseNo: "(2026)粤0604刑初123号") {
  person(idNo: $idNo, name: $name) { residence { quality { field flag } records { source %s quality { field flag } } } } }"""
WORDS = "我已经搬走"


async def disputed(gateway: House, field: str = "status", source: str = "LGB") -> Dispute:
    store, now = gateway.gateway.store, SystemClock().now()
    (subject,) = await store.subjects.intern([ZHANG["idNo"]])
    held = await store.disputes.of_person(subject)
    one = Dispute(f"{len(held):032x}", subject, "residence", field, source, WORDS, now, now + timedelta(days=20))
    assert await store.disputes.open(one)
    return one


async def flags(gateway: House, fields: str = "status") -> dict[str, list[str]]:
    found = (await gateway.data(QUERY % fields, ZHANG))["person"]["residence"]["records"]
    return {one["source"]: [doubt["flag"] for doubt in one["quality"]] for one in found}


async def call(gateway: House, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    url = f"{gateway.url}{path}"
    async with gateway.session.request(method, url, json=body, headers=gateway.asker.headers(method, url)) as reply:
        return reply.status, await reply.json(content_type=None) if reply.status != 204 else None


async def test_a_disputed_fact_is_marked_for_its_readers_and_answered_by_the_body_of_the_case(
    town: Town, gateway: House
) -> None:
    assert "DISPUTED" not in (await flags(gateway))["LGB"]
    one = await disputed(gateway)

    async def marked() -> bool:
        return "DISPUTED" in (await flags(gateway))["LGB"]

    await until(marked, bool, within_s=20)
    assert "DISPUTED" not in (await flags(gateway))["GA_POP"], "another source's word is not disputed"
    assert "DISPUTED" not in (await flags(gateway, "admin"))["LGB"], "who is not shown the fact is not told"

    status, told = await call(gateway, "GET", "/admin/disputes")
    assert status == 200
    (waiting,) = told["disputes"]
    assert (waiting["noun"], waiting["field"], waiting["statement"], waiting["overdue"]) == (
        "residence", "status", WORDS, False,
    )  # fmt: skip
    assert one.subject_id not in str(told)
    assert ZHANG["idNo"] not in str(told)
    async with gateway.gateway.store.database.read() as connection:
        looked = await connection.scalar(sa.select(sa.func.count()).where(access_event.c.purpose == "DISPUTE"))
    assert looked == 1, "reading it is recorded, and the person sees it"

    assert (await call(gateway, "POST", f"/admin/disputes/{one.dispute_id}", {"outcome": "refused", "answer": " "}))[
        0
    ] == 400
    assert (await call(gateway, "POST", f"/admin/disputes/{'0' * 31}9", {"outcome": "corrected", "answer": ""}))[
        0
    ] == 404
    said = {"outcome": "corrected", "answer": "流管办已更正"}
    assert (await call(gateway, "POST", f"/admin/disputes/{one.dispute_id}", said))[0] == 204
    assert (await call(gateway, "POST", f"/admin/disputes/{one.dispute_id}", said))[0] == 404
    (held,) = await gateway.gateway.store.disputes.of_person(one.subject_id)
    assert (held.state, held.answer) == (DisputeState.CORRECTED, "流管办已更正")

    await until(marked, lambda still: not still, within_s=20)
