"""Who looked, told to those who may know: over real HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.caller import AccessEvent, Decision
from gateway.store.tables import change_event
from tests.fakes.person_house import ID_NO, PHONE, PersonHouse, person_house
from tests.fakes.tokens import Asker, officer, partner

pytestmark = pytest.mark.anyio
EVENT = AccessEvent(
    datetime(2026, 11, 25, 1, 2, tzinfo=UTC), "office", "lin", "CC_RECEPTION", "(2026)粤0604刑初123号", "ref-7", (),
    ("identity.name", "identity.exists", "residence.address"), Decision.ALLOW, ("identity-case-organs",),
    ("社区矫正法第五条 · Community Corrections Law Art. 5",), "v1", b"d", b"s",
)  # fmt: skip


@pytest.fixture
async def house() -> AsyncIterator[PersonHouse]:
    async with person_house() as opened, opened.working():
        yield opened


async def record(house: PersonHouse, *subjects: str, **changes: Any) -> str:
    return (await house.store.evidence.record(replace(EVENT, subjects=subjects, **changes))).id


async def at_home(house: PersonHouse) -> str:
    """The person, in."""
    subject = await house.enrol()
    _, page = await house.get("/me")
    await house.post("/me/link", page, id_no=ID_NO, phone=PHONE)
    await house.settled()
    await house.come_in(house.phone.last("PAGES_LINK")["link"])
    return subject


async def test_the_person_reads_it_in_words_and_no_more_than_that(house: PersonHouse) -> None:
    subject = await at_home(house)
    await record(house, subject, "f" * 32)
    denied = {
        "decision": Decision.DENY,
        "rule_ids": ("no-ground",),
        "inner_rule_ids": ("no-relatives", "sealed"),
        "repeats": 3,
    }
    await record(house, subject, actor_org="court", **denied)
    await record(house, subject, actor_org="nowhere", purpose="GONE")
    await record(house, subject, actor_org="court", purpose="BREAK_GLASS", decision=Decision.DENY)
    await record(house, "f" * 32, fields=("business.name",))
    _, page = await house.get("/me/history")
    for words in ("2026年11月25日 09:02", "祖庙司法所", "社区矫正接收", "社区矫正法第五条", "身份记录：姓名、有无记录",
                  "Identity record: Name, whether there is a record", "居住登记：", "已提供", "未提供", "3 次", "禅城区人民法院",
                  "登记名录中没有的单位", "未经登记的用途", "申请紧急查询"):  # fmt: skip
        assert words in page, words
    for hidden in (
        "lin",
        "粤0604",
        "ref-7",
        "no-relatives",
        "sealed",
        "no-ground",
        "identity.name",
        "f" * 32,
        "市场主体",
    ):
        assert hidden not in page.replace("link", "").replace("line", ""), hidden


async def test_the_export_is_the_same_in_json(house: PersonHouse) -> None:
    subject = await at_home(house)
    for _ in range(60):
        await record(house, subject, inner_rule_ids=("self",))
    _, page = await house.get("/me/history")
    assert "更早的" in page
    async with house.client.get(f"{house.url}/me/history.json") as reply:
        assert "attachment" in reply.headers["content-disposition"]
        said = await reply.json(content_type=None)
    assert len(said["accesses"]) == 60
    assert said["before"] is None
    assert set(said["accesses"][0]) == {"id", "at", "body", "purpose", "basis", "facts", "allowed", "repeats"}
    assert "self" not in json.dumps(said)


async def test_what_would_hurt_a_case_comes_later(house: PersonHouse) -> None:
    subject = await at_home(house)
    await record(house, subject, visible_from=datetime.now(UTC) + timedelta(days=30))
    _, page = await house.get("/me/history")
    assert "没有记录" in page


async def read(house: PersonHouse, asker: Asker, query: str = "") -> tuple[int, dict[str, Any]]:
    url = f"{house.url}/admin/access-events"
    headers = asker.headers("GET", url)
    async with house.client.get(url + query, headers=headers) as reply:
        return reply.status, await reply.json(content_type=None)


async def supervisor(house: PersonHouse, **changes: Any) -> Asker:
    told: dict[str, Any] = {"org_id": "office", "roles": ("SUPERVISOR",)}
    return await officer(house, "boss", **(told | changes))


async def test_a_supervisor_reads_what_really_decided_about_their_own_officers(house: PersonHouse) -> None:
    event = await record(house, "f" * 32, decision=Decision.DENY, inner_rule_ids=("no-relatives",))
    await record(house, "f" * 32, actor_org="court")
    await record(house, "f" * 32, actor_user="boss")
    status, said = await read(house, await supervisor(house))
    assert status == 200
    assert said["after"] is None
    (one,) = said["events"]
    assert (one["id"], one["officer"], one["innerRules"], one["caseNo"]) == (
        event,
        "lin",
        ["no-relatives"],
        EVENT.case_no,
    )
    assert one["persons"] == [house.store.subjects.pid("f" * 32, "office")]
    assert "f" * 32 not in json.dumps(said)
    async with house.store.database.read() as connection:
        rows = (await connection.execute(sa.select(change_event).where(change_event.c.kind == "LOG_READ"))).all()
    assert [(row.actor_user, row.object_id) for row in rows] == [("boss", "office")]


async def test_a_prosecutor_reads_the_bodies_of_their_jurisdiction(house: PersonHouse) -> None:
    await record(house, "f" * 32)
    await record(house, "f" * 32, actor_org="court")
    await record(house, "f" * 32, actor_org="bank", consent_id="c")
    prosecutor = {"org_id": "jcy", "org_kind": "PROCURATORATE", "roles": ("PROSECUTOR",)}
    _, said = await read(house, await officer(house, "p", jurisdiction="440604", **prosecutor))
    assert [one["org"] for one in said["events"]] == ["office", "court"]
    _, said = await read(house, await officer(house, "p", jurisdiction="440605", **prosecutor))
    assert said["events"] == []


async def test_the_log_is_read_page_by_page_and_by_question(house: PersonHouse) -> None:
    ids = [await record(house, "f" * 32, actor_user=user) for user in ("lin", "zhou", "lin")]
    boss = await supervisor(house)
    _, said = await read(house, boss, "?limit=2")
    assert [one["id"] for one in said["events"]] == ids[:2]
    _, said = await read(house, boss, f"?limit=2&after={said['after']}")
    assert ([one["id"] for one in said["events"]], said["after"]) == (ids[2:], None)
    _, said = await read(house, boss, "?officer=zhou")
    assert [one["id"] for one in said["events"]] == ids[1:2]
    _, said = await read(house, boss, "?from=2026-11-25T09:03:00%2B08:00")
    assert said["events"] == []


@pytest.mark.parametrize(
    "query",
    ["?limit=0", "?limit=x", "?after=1", "?from=2026-11-25", "?who=lin", "?officer=a&officer=b", "?officer=%00"],
)
async def test_a_question_that_has_no_sense_is_refused(house: PersonHouse, query: str) -> None:
    status, said = await read(house, await supervisor(house), query)
    assert (status, said["errors"][0]["extensions"]["code"]) == (400, "LOG_QUESTION_INVALID")


async def test_nobody_else_reads_it(house: PersonHouse) -> None:
    await record(house, "f" * 32, inner_rule_ids=("no-relatives",))
    for asker in (
        await officer(house),
        await supervisor(house, org_kind="BANK"),
        await officer(house, "p", org_id="jcy", org_kind="PROCURATORATE", roles=("OFFICER",)),
        await officer(house, "p", org_id="jcy", org_kind="PROCURATORATE", roles=("PROSECUTOR",), jurisdiction=""),
        await officer(house, "p", roles=("PROSECUTOR",)),
        await partner(house, org_id="office", roles=["SUPERVISOR"]),
        await partner(house, org_id="office", kind="SYSTEM", org_kind="JUSTICE_OFFICE", roles=["SUPERVISOR"]),
    ):
        status, said = await read(house, asker)
        assert status == 403
        assert "no-relatives" not in json.dumps(said)
    async with house.store.database.read() as connection:
        assert await connection.scalar(sa.select(sa.func.count()).where(change_event.c.kind == "LOG_READ")) == 0
