"""The log read back, on both databases: by the person, and by those who watch over officers, which is itself recorded."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from gateway.caller import AccessEvent, Change, Decision
from gateway.services.access_history import OfficerLog
from gateway.store import Store
from gateway.store.tables import change_event
from gateway.store.tables.identities import organisation
from tests.gateway.store.conftest import START, HandClock

pytestmark = pytest.mark.anyio
PERSON, OTHER = "a" * 32, "b" * 32
READER = Change("LOG_READ", "cc", "cc", "boss", detail={"officer": None})
EVENT = AccessEvent(
    START, "cc", "lin", "CC_RECEPTION", "(2026)1", None, (PERSON,), ("identity.name",), Decision.ALLOW,
    ("rule-1",), ("社区矫正法第五条",), "v1", b"d", b"s",
)  # fmt: skip


async def record(store: Store, clock: HandClock, **changes: Any) -> str:
    clock.forward(1)
    return (await store.evidence.record(replace(EVENT, at=clock.now(), **changes))).id


async def organisations(store: Store) -> None:
    kinds = {
        "cc": ("JUSTICE_OFFICE", "440604"),
        "court": ("COURT", "440604"),
        "far": ("COURT", "440605"),
        "bank": ("BANK", ""),
    }
    async with store.database.write() as connection:
        for org_id, (kind, jurisdiction) in kinds.items():
            row = {
                "org_id": org_id, "name_zh": org_id, "name_en": "", "kind": kind, "jurisdiction": jurisdiction,
                "agency_keys": "{}", "purposes": "[]", "active": True, "updated_at_us": 0,
            }  # fmt: skip
            await connection.execute(sa.insert(organisation).values(row))


async def test_a_person_reads_their_own_newest_first_page_by_page(store: Store, clock: HandClock) -> None:
    mine = [await record(store, clock) for _ in range(5)]
    await record(store, clock, subjects=(OTHER,))
    both = await record(store, clock, subjects=(OTHER, PERSON))
    wanted = [both, *reversed(mine)]
    first = await store.access_log.of_subject(PERSON, before=None, limit=4)
    assert [one.id for one in first] == wanted[:4]
    rest = await store.access_log.of_subject(PERSON, before=first[-1].id, limit=4)
    assert [one.id for one in rest] == wanted[4:]
    assert all(one.subjects == () for one in (*first, *rest))  # never whom else it was about


async def test_what_would_hurt_a_case_is_shown_once_it_no_longer_does(store: Store, clock: HandClock) -> None:
    late = await record(store, clock, visible_from=clock.now() + timedelta(days=30))
    assert await store.access_log.of_subject(PERSON, before=None, limit=9) == []
    clock.forward(30 * 86_400)
    assert [one.id for one in await store.access_log.of_subject(PERSON, before=None, limit=9)] == [late]


async def test_supervisors_read_their_own_organisation_and_that_they_did_is_recorded(
    store: Store, clock: HandClock
) -> None:
    await organisations(store)
    seen = await record(
        store, clock, inner_rule_ids=("no-relatives",), decision=Decision.DENY, subjects=(OTHER, PERSON)
    )
    await record(store, clock, actor_org="court")
    found = await store.access_log.of_officers(OfficerLog(org_id="cc"), READER)
    assert [(one.id, one.inner_rule_ids, one.subjects) for one in found] == [(seen, ("no-relatives",), (PERSON, OTHER))]
    async with store.database.read() as connection:
        row = (await connection.execute(sa.select(change_event))).one()
    assert (row.kind, row.actor_user, orjson.loads(row.detail)) == ("LOG_READ", "boss", {"officer": None})


async def test_prosecutors_read_the_public_bodies_of_their_jurisdiction(store: Store, clock: HandClock) -> None:
    await organisations(store)
    near = [await record(store, clock), await record(store, clock, actor_org="court")]
    far = await record(store, clock, actor_org="far")
    for hidden in ("bank", "unregistered"):
        await record(store, clock, actor_org=hidden)

    async def read(jurisdiction: str) -> list[str]:
        return [one.id for one in await store.access_log.of_officers(OfficerLog(jurisdiction=jurisdiction), READER)]

    assert await read("440604") == near
    assert await read("4406") == [*near, far]
    assert await read("4407") == []
    assert await read("%") == []


async def test_the_questions_narrow(store: Store, clock: HandClock) -> None:
    ids = [await record(store, clock, actor_user=user) for user in ("lin", "zhou", "lin", "lin")]

    async def read(**asked: Any) -> list[str]:
        found = await store.access_log.of_officers(OfficerLog(org_id="cc", **asked), READER)
        return [one.id for one in found]

    assert await read() == ids
    assert await read(officer="lin") == [ids[0], ids[2], ids[3]]
    assert await read(after=ids[1]) == ids[2:]
    assert await read(limit=2) == ids[:2]
    assert await read(starts_at=START + timedelta(seconds=2), ends_at=START + timedelta(seconds=4)) == ids[1:3]


async def test_nobody_reads_what_really_decided_about_themselves(store: Store, clock: HandClock) -> None:
    await record(store, clock, actor_user="boss", inner_rule_ids=("self",))
    assert await store.access_log.of_officers(OfficerLog(org_id="cc"), READER) == []


async def test_what_rests_on_a_consent_is_in_no_list_of_officers(store: Store, clock: HandClock) -> None:
    await record(store, clock, consent_id="c" * 32)
    assert await store.access_log.of_officers(OfficerLog(org_id="cc"), READER) == []
    assert len(await store.access_log.of_subject(PERSON, before=None, limit=9)) == 1
