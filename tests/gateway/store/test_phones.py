"""One live phone per person, sealed; the counter's work from end to end, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import orjson
import pytest
import sqlalchemy as sa

from gateway.caller import Caller, CallerKind, Decision, Message
from gateway.errors import MessagesUnavailable, RequestRefused
from gateway.policy.decision import Purpose
from gateway.policy.facts import CaseLink, Relationship, SubjectFacts
from gateway.services.enrol_person import Enrolment, EnrolPerson, normalise_phone
from gateway.store import Store
from gateway.store.alerts import StoredAlerts
from gateway.store.inbox import StoredInbox
from gateway.store.tables import access_event, access_event_subject, alert, change_event
from gateway.store.tables.identities import demo_message, person_phone
from tests.gateway.store.conftest import START, HandClock, OpenStore

pytestmark = pytest.mark.anyio

ZHANG = "440606199003070017"
OFFICER = Caller(
    user_id="u1",
    org_id="CC-JUSTICE",
    org_kind="CORRECTION_AGENCY",
    roles=frozenset({"JUSTICE_OFFICER"}),
    token_id="t",
    expires_at=START + timedelta(hours=1),
    kind=CallerKind.OFFICER,
)


class Known:
    """Implements `gateway.policy.facts.Facts`: everybody stands so."""

    def __init__(self, facts: SubjectFacts) -> None:
        self._facts = facts

    async def of(self, caller: Caller, purpose: Purpose, subjects: Sequence[str]) -> Sequence[SubjectFacts]:
        return [self._facts] * len(subjects)


def counter(store: Store, clock: HandClock, facts: SubjectFacts | None = None) -> EnrolPerson:
    known = Known(facts) if facts is not None else None
    alerts = StoredAlerts(store.database, clock)
    return EnrolPerson(store.phones, store.subjects, store.subjects, store.inbox, store.evidence, alerts, clock, known)


LINKED = SubjectFacts(case_link=CaseLink.ORGANISATION)


async def rows_of(store: Store, table: sa.Table) -> list[sa.Row]:
    async with store.database.read() as connection:
        return list((await connection.execute(sa.select(table))).all())


async def test_a_person_is_enrolled_and_told_so(store: Store, clock: HandClock) -> None:
    done = await counter(store, clock, LINKED)(OFFICER, Enrolment(ZHANG.lower(), "张三", "+86 138-0013-8000"))
    (subject_id,) = await store.subjects.intern([ZHANG])
    assert done.notified
    assert done.pid == store.subjects.pid(subject_id, "CC-JUSTICE")
    found = await store.phones.phone_of(subject_id)
    assert found is not None
    assert (found.phone, found.enrolled_by, found.enrolled_org, found.enrolled_at) == (
        "13800138000", "u1", "CC-JUSTICE", START,
    )  # fmt: skip
    assert "138" not in repr(found)
    known = await store.subjects.reveal(subject_id)
    assert known is not None
    assert (known.id_no, known.name) == (ZHANG, "张三")
    (message,) = await store.inbox.latest()
    assert (message.kind, message.phone) == ("ENROLLED", "138****8000")
    (change,) = await rows_of(store, change_event)
    assert (change.kind, change.subject_id, change.actor_user) == ("PERSON_ENROLLED", subject_id, "u1")
    assert "138" not in change.detail
    (event,) = await store.access_log.of_subject(subject_id, before=None, limit=9)  # the person's own history
    assert (event.decision, event.purpose, event.fields) == (Decision.ALLOW, "ENROLMENT", ("identity.phone",))


async def test_a_refusal_that_would_hurt_a_case_is_shown_to_the_person_later(store: Store, clock: HandClock) -> None:
    later = clock.now() + timedelta(days=9)
    with pytest.raises(RequestRefused):
        await counter(store, clock, SubjectFacts(visible_from=later))(OFFICER, Enrolment(ZHANG, "张三", "13800138000"))
    (subject_id,) = await store.subjects.intern([ZHANG])
    assert await store.access_log.of_subject(subject_id, before=None, limit=9) == []
    clock.forward(9 * 86_400)
    assert len(await store.access_log.of_subject(subject_id, before=None, limit=9)) == 1


async def test_a_new_phone_ends_the_old_one_and_the_old_one_hears_of_it(store: Store, clock: HandClock) -> None:
    enrol = counter(store, clock, LINKED)
    first = await enrol(OFFICER, Enrolment(ZHANG, "张三", "13800138000"))
    clock.forward(60)
    second = await enrol(OFFICER, Enrolment(ZHANG, "张三", "13900139000"))
    (subject_id,) = await store.subjects.intern([ZHANG])
    found = await store.phones.phone_of(subject_id)
    assert found is not None
    assert (found.phone_id, found.phone) == (second.phone_id, "13900139000")
    assert second.phone_id != first.phone_id
    assert [(one.kind, one.phone) for one in await store.inbox.latest(limit=2)] == [
        ("PHONE_CHANGED", "138****8000"),
        ("ENROLLED", "139****9000"),
    ]
    assert len(await store.inbox.latest(phone="13800138000")) == 2
    *_, change = await rows_of(store, change_event)
    assert orjson.loads(change.detail) == {"replaces": [first.phone_id], "same_number": False, "shared_with": 0}


async def test_the_same_number_again_is_a_new_enrolment_and_voids_what_was_bound_to_the_old(
    store: Store, clock: HandClock
) -> None:
    enrol = counter(store, clock, LINKED)
    first = await enrol(OFFICER, Enrolment(ZHANG, "张三", "13800138000"))
    second = await enrol(OFFICER, Enrolment(ZHANG, "张三", "13800138000"))
    assert first.phone_id != second.phone_id
    assert [one.kind for one in await store.inbox.latest()] == ["ENROLLED", "ENROLLED"]


async def test_a_phone_shared_by_two_is_taken_in_the_same_words_and_supervisors_can_see_it(
    store: Store, clock: HandClock
) -> None:
    enrol = counter(store, clock, LINKED)
    await enrol(OFFICER, Enrolment(ZHANG, "张三", "13800138000"))
    await enrol(OFFICER, Enrolment("430121198502200015", "陈明", "13800138000"))
    details = [orjson.loads(row.detail)["shared_with"] for row in await rows_of(store, change_event)]
    assert sorted(details) == [0, 1]


async def test_of_two_officers_at_two_replicas_one_phone_lives(open_replica: OpenStore) -> None:
    stores = [await open_replica() for _ in range(2)]
    (subject_id,) = await stores[0].subjects.intern([ZHANG])

    async def enrol(store: Store, number: int) -> None:
        await store.phones.enrol(subject_id, f"1380000000{number}", by="u", org="O", at=datetime.now(START.tzinfo))

    await asyncio.gather(*(enrol(stores[number % 2], number) for number in range(6)))
    rows = await rows_of(stores[0], person_phone)
    assert len(rows) == 6
    assert sum(row.ended_at_us is None for row in rows) == 1


@pytest.mark.parametrize(
    ("facts", "inner"),
    [
        (SubjectFacts(), "enrol-no-case-link"),
        (replace(LINKED, relationship=Relationship.FORMER_SPOUSE), "enrol-former-spouse"),
        (replace(LINKED, relationship=Relationship.SELF), "enrol-self"),
    ],
)
async def test_without_ground_nothing_is_enrolled_it_is_recorded_and_a_supervisor_is_told(
    store: Store, clock: HandClock, facts: SubjectFacts, inner: str
) -> None:
    with pytest.raises(RequestRefused) as caught:
        await counter(store, clock, facts)(OFFICER, Enrolment(ZHANG, "张三", "13800138000"))
    assert (caught.value.code, caught.value.facts) == ("NO_GROUND", {})
    assert await rows_of(store, person_phone) == []
    assert await rows_of(store, change_event) == []
    (event,) = await rows_of(store, access_event)
    assert (event.decision, event.rule_ids, event.inner_rule_ids) == ("DENY", '["no-ground"]', f'["{inner}"]')
    (about,) = await rows_of(store, access_event_subject)
    assert (about.subject_id,) == tuple(await store.subjects.intern([ZHANG]))
    (raised,) = await rows_of(store, alert)
    assert (raised.type, raised.about_id, raised.subject_id) == ("A11_INSIDER", "u1", about.subject_id)


@pytest.mark.parametrize(
    "caller",
    [
        replace(OFFICER, roles=frozenset({"CLERK"})),
        replace(OFFICER, kind=CallerKind.PARTNER),
        replace(OFFICER, kind=CallerKind.SYSTEM),
    ],
)
async def test_only_a_justice_officer_enrols(store: Store, clock: HandClock, caller: Caller) -> None:
    with pytest.raises(RequestRefused) as caught:
        await counter(store, clock, LINKED)(caller, Enrolment(ZHANG, "张三", "13800138000"))
    assert caught.value.code == "FORBIDDEN"
    assert await rows_of(store, person_phone) == []
    (event,) = await rows_of(store, access_event)
    assert event.decision == "DENY"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (Enrolment("440606199003070018", "张三", "13800138000"), "BAD_ID"),
        (Enrolment("440604199002300017", "张三", "13800138000"), "BAD_ID"),  # 30 February
        (Enrolment(ZHANG, "李?", "13800138000"), "BAD_NAME"),
        (Enrolment(ZHANG, " ", "13800138000"), "BAD_NAME"),
        (Enrolment(ZHANG, "张三", "075788888888"), "BAD_PHONE"),
        (Enrolment(ZHANG, "张三", "13800138000" * 5), "BAD_PHONE"),
        (Enrolment(ZHANG, "张三", "13800138000", f"（2026）粤 {ZHANG}"), "PURPOSE_NOT_RECORDABLE"),
    ],
)
async def test_what_is_not_right_is_refused_before_anything(
    store: Store, clock: HandClock, said: Enrolment, code: str
) -> None:
    with pytest.raises(RequestRefused) as caught:
        await counter(store, clock, LINKED)(OFFICER, said)
    assert caught.value.code == code
    assert await rows_of(store, person_phone) == []
    assert "138" not in repr(said)


async def test_a_message_that_cannot_be_sent_does_not_undo_the_enrolment(store: Store, clock: HandClock) -> None:
    mute = StoredInbox(store.database, store.keys, clock, demo=False)
    alerts = StoredAlerts(store.database, clock)
    enrol = EnrolPerson(store.phones, store.subjects, store.subjects, mute, store.evidence, alerts, clock)
    assert not (await enrol(OFFICER, Enrolment(ZHANG, "张三", "13800138000"))).notified
    assert len(await rows_of(store, person_phone)) == 1


async def test_the_inbox_keeps_no_number_in_clear_and_only_the_last_ones(store: Store, clock: HandClock) -> None:
    for number in range(505):
        clock.forward(1)
        await store.inbox.send(Message("s", f"1380000{number:04}", "ENROLLED"))
    rows = await rows_of(store, demo_message)
    assert len(rows) == 500
    assert all(b"1380000" not in bytes(row.text_ct) for row in rows)
    latest = await store.inbox.latest(limit=3)
    assert [one.phone for one in latest] == ["138****0504", "138****0503", "138****0502"]
    with pytest.raises(MessagesUnavailable):
        await StoredInbox(store.database, store.keys, clock, demo=False).send(Message("s", "1", "ENROLLED"))
    assert await StoredInbox(store.database, store.keys, clock, demo=False).latest() == []


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("13800138000", "13800138000"),
        ("138 0013-8000", "13800138000"),
        ("＋８６１３８００１３８０００", "13800138000"),
        ("008613800138000", "13800138000"),
        ("8613800138000", "13800138000"),
        ("12800138000", None),
        ("1380013800", None),
        ("138001380000", None),
        ("+1 3800138000", None),
        ("١٣٨٠٠١٣٨٠٠٠", None),
        ("", None),
    ],
)
def test_phone_numbers(said: str, meant: str | None) -> None:
    assert normalise_phone(said) == meant
