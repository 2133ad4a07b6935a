"""A record made anew from its row is the one the ledger committed to; a row somebody edited is not."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.caller import AccessEvent, Alert, Change, Decision
from gateway.clock import Clock
from gateway.errors import EvidenceUnavailable
from gateway.services.ledger.bundles import Opened
from gateway.store import Store
from gateway.store.alerts import StoredAlerts
from gateway.store.changes import record_change
from gateway.store.errors import CiphertextInvalid
from gateway.store.ids import to_us
from gateway.store.recording.records import time_text
from gateway.store.tables import access_event, access_event_subject, alert, change_event
from gateway.store.tables.ledger import ledger_outbox, ledger_shard
from ledger.encoding import b64
from ledger.entry import Entry, canonical, commit, parse_entry
from ledger.merkle import leaf_hash
from tests.gateway.store.conftest import START, HandClock
from tests.gateway.store.events import AT, event

pytestmark = pytest.mark.anyio

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
lists = st.lists(words, max_size=4)
instants = st.datetimes(min_value=AT.replace(year=1971, tzinfo=None), max_value=AT.replace(year=2200, tzinfo=None)).map(
    lambda at: at.replace(tzinfo=AT.tzinfo)
)
events = st.builds(
    AccessEvent, at=instants, actor_org=words, actor_user=words, purpose=words, case_no=st.none() | words,
    reference=st.none() | words, subjects=st.lists(st.sampled_from(["s1", "s2", "s3", "张"]), max_size=4), fields=lists,
    decision=st.sampled_from(Decision), rule_ids=lists, legal_basis=lists, policy_version=words,
    result_digest=st.binary(max_size=32), result_salt=st.binary(max_size=16),
    states=st.dictionaries(words, st.integers(0, 2**52), max_size=3), client_id=words, grant_id=words,
    consent_id=st.none() | words, level=st.integers(0, 3), inner_rule_ids=lists, visible_from=st.none() | instants,
    repeats=st.integers(1, 2**31 - 1), inputs=words,
)  # fmt: skip


async def entry_of(store: Store, record_id: str) -> bytes:
    query = sa.select(ledger_outbox.c.entry).where(ledger_outbox.c.id == record_id)
    async with store.database.read() as connection:
        return bytes(await connection.scalar(query))


def commits(entry: Entry, opened: Opened) -> bool:
    return hmac.compare_digest(entry.commitment, commit(opened.salt, canonical(opened.record)))


def blinds_hold(opened: Opened) -> bool:
    record = opened.record
    stands = dict(record) | {f"subjects/{at}": one for at, one in enumerate(record.get("subjects", ()))}
    return all(stands[name] == b64(commit(part.salt, canonical(part.value))) for name, part in opened.parts.items())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events)
async def test_any_event_made_anew_is_the_one_committed_to(store: Store, one: AccessEvent) -> None:
    receipt = await store.evidence.record(one)
    written = await entry_of(store, receipt.id)
    opened = await store.openings.open(receipt.id)
    assert opened is not None
    assert receipt.leaf_hash == leaf_hash(written)
    entry = parse_entry(written)
    assert commits(entry, opened)
    assert blinds_hold(opened)
    assert (entry.kind, entry.time) == ("query" if one.decision is Decision.ALLOW else "refusal", START)
    shown = [part.value for name, part in opened.parts.items() if name.startswith("subjects/")]
    assert sorted(shown) == sorted({store.subjects.pid(who, one.actor_org) for who in one.subjects})
    assert opened.record["subjects"] == sorted(opened.record["subjects"])
    assert opened.result_salt == one.result_salt
    assert {name: part.value for name, part in opened.parts.items() if "/" not in name} == {
        name: value
        for name, value in {
            "by": {"user": one.actor_user, "grant": one.grant_id}, "case": one.case_no, "reference": one.reference,
            "inner": {
                "rules": list(one.inner_rule_ids), "inputs": one.inputs,
                "visible_from": None if one.visible_from is None else time_text(to_us(one.visible_from)),
            },
        }.items()
        if value is not None
    }  # fmt: skip


async def edited(store: Store, table: sa.Table, record_id: str, column: str, value: Any) -> None:
    async with store.database.write() as connection:
        await connection.execute(sa.update(table).where(table.c.id == record_id).values({column: value}))


async def still_fits(store: Store, entry: Entry, record_id: str) -> bool:
    try:
        opened = await store.openings.open(record_id)
    except CiphertextInvalid:
        return False
    return opened is not None and commits(entry, opened)


async def test_an_edited_column_is_another_record(store: Store) -> None:
    """Every column but the id, under which nothing would be found, and the salt of the result, that only its asker uses."""
    receipt = await store.evidence.record(event(visible_from=AT, consent_id="c"))
    entry = parse_entry(await entry_of(store, receipt.id))
    async with store.database.read() as connection:
        row = (await connection.execute(sa.select(access_event))).mappings().one()
    for name in set(row) - {"id", "result_salt", "seed_ct"}:
        old = row[name]
        other: Any = old + 1 if isinstance(old, int) else b"x" if isinstance(old, bytes) else f"{old or ''}x"
        await edited(store, access_event, receipt.id, name, other)
        assert not await still_fits(store, entry, receipt.id), name
        await edited(store, access_event, receipt.id, name, old)
        assert await still_fits(store, entry, receipt.id), name


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE access_event_subject SET subject_id = 's3' WHERE subject_id = 's1'",
        "UPDATE access_event_subject SET subject_id = 's0' WHERE subject_id = 's2'",
        "UPDATE access_event_subject SET seed_ct = (SELECT seed_ct FROM access_event) WHERE subject_id = 's1'",
        "DELETE FROM access_event_subject WHERE subject_id = 's1'",
        "DELETE FROM access_event_subject",
        "INSERT INTO access_event_subject (event_id, subject_id) SELECT id, 's3' FROM access_event",
        "UPDATE access_event SET seed_ct = NULL",
        "UPDATE access_event SET seed_ct = substr(seed_ct, 1, length(seed_ct) - 1)",
    ],
)
async def test_an_edited_person_is_another_record(store: Store, edit: str) -> None:
    receipt = await store.evidence.record(event(["s1", "s2"]))
    entry = parse_entry(await entry_of(store, receipt.id))
    async with store.database.write() as connection:
        await connection.execute(sa.text(edit))
    assert not await still_fits(store, entry, receipt.id)


@pytest.mark.parametrize("subject_id", [None, "s1"])
async def test_changes_and_alerts_are_committed_to_as_they_were_opened(
    store: Store, clock: HandClock, subject_id: str | None
) -> None:
    change = Change("CASE_CHANGED", "case-1", "org-1", "user-1", subject_id, {"a": [1, None, True], "b": "矫"})
    async with store.database.write() as connection:
        change_id = await record_change(connection, AT, change)
    alerts = StoredAlerts(store.database, clock)
    warning = Alert("A11_INSIDER", "S1", "OFFICER", "user-1", "org-1", subject_id, detail={"count": 3})
    alert_id = await alerts.raise_alert(warning)
    assert await alerts.raise_alert(warning) == alert_id  # counted: no part of what was opened
    for record_id, table, columns in (
        (change_id, change_event, ("at_us", "actor_org", "actor_user", "kind", "object_id", "detail")),
        (alert_id, alert, ("opened_at_us", "type", "severity", "about", "about_id", "org_id", "detail")),
    ):
        entry = parse_entry(await entry_of(store, record_id))
        opened = await store.openings.open(record_id)
        assert opened is not None
        assert commits(entry, opened)
        assert blinds_hold(opened)
        about = opened.parts.get("subject")
        assert (None if about is None else about.value) == subject_id
        assert (opened.record["subject"] is None) == (subject_id is None)
        async with store.database.read() as connection:
            row = (await connection.execute(sa.select(table).where(table.c.id == record_id))).mappings().one()
        for name in columns:
            other: Any = (
                row[name] + 1 if isinstance(row[name], int) else "S2" if name == "severity" else row[name] + "x"
            )
            await edited(store, table, record_id, name, other)
            assert not await still_fits(store, entry, record_id), name
            await edited(store, table, record_id, name, row[name])
        await edited(store, table, record_id, "subject_id", "s9")
        assert not await still_fits(store, entry, record_id)


async def test_what_nobody_recorded_opens_nothing(store: Store) -> None:
    assert await store.openings.open("0198f2c0-0000-7000-8000-000000000000") is None


async def test_an_alert_waits_so_that_it_tips_nobody_off(store: Store, clock: HandClock) -> None:
    alerts = StoredAlerts(store.database, clock)
    for number in range(30):
        await alerts.raise_alert(Alert("A11_INSIDER", "S1", "OFFICER", f"user-{number}", "org-1"))
    async with store.database.read() as connection:
        rows = (await connection.execute(sa.select(ledger_outbox))).all()
    waits = [row.due_at_us / 1e6 - START.timestamp() for row in rows]
    assert all(0 <= wait <= 600 for wait in waits)
    assert len(set(waits)) > 20
    assert all(
        parse_entry(row.entry).time == START + timedelta(seconds=int(wait))
        for row, wait in zip(rows, waits, strict=True)
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (Change("CONSENT_GIVEN", "c", "bank-1", "person", "s1"), ("consent", "person")),
        (Change("CONSENT_REQUESTED", "c", "bank-1", "client-1"), ("consent", "bank-1")),
        (Change("CONSENT_EXPIRED", "c", "", "person", "s1"), ("consent", "yimen")),
        (Change("TOKENS_REVOKED", "t", "", ""), ("revocation", "yimen")),
        (Change("LOG_READ", "o", "org-1", "user-1"), ("oversight", "org-1")),
        (Change("PERSON_ENROLLED", "p", "org-1", "user-1", "s1"), ("identity", "org-1")),
        (Change("PERSON_ERASED", "p", "org-1", "user-1", "s1"), ("erasure", "org-1")),
        (Change("SOMETHING_NEW", "x", "机构", "user-1"), ("change", "unlisted")),
    ],
)
async def test_an_entry_says_a_kind_and_a_body_only(store: Store, change: Change, said: tuple[str, str]) -> None:
    async with store.database.write() as connection:
        record_id = await record_change(connection, AT, change)
    written = await entry_of(store, record_id)
    assert sorted(json.loads(written)) == ["actor", "commitment", "kind", "time", "v"]
    entry = parse_entry(written)
    assert (entry.kind, entry.actor) == said


async def test_news_come_once_it_is_committed_and_not_otherwise(store: Store, clock: Clock) -> None:
    news = store.ledger_news
    news.clear()
    with contextlib.suppress(ZeroDivisionError):
        async with store.database.write() as connection:
            await record_change(connection, AT, Change("POLICY_PROPOSED", "p", "org-1", "user-1"))
            raise ZeroDivisionError
    async with store.database.read() as connection:
        assert await connection.scalar(sa.select(sa.func.count()).select_from(ledger_outbox)) == 0
    async with store.database.write() as connection:
        await connection.execute(sa.text("SELECT 1"))
    assert not news.is_set()
    async with store.database.write() as connection:
        await record_change(connection, AT, Change("POLICY_PROPOSED", "p", "org-1", "user-1"))
        assert not news.is_set()
    assert news.is_set()
    news.clear()
    await store.evidence.record(event())
    assert news.is_set()


async def test_nothing_is_recorded_where_the_ledger_is_halted(store: Store) -> None:
    row = {"shard": "2026", "origin": "o", "state": "ACTIVE", "size": 0, "root": b"", "frontier": b"", "fence": 0}
    async with store.database.write() as connection:
        await connection.execute(sa.insert(ledger_shard).values(**row, began_at_us=0, halted="WITNESS_AHEAD"))
    answers = await asyncio.gather(*(store.evidence.record(event()) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(answer, EvidenceUnavailable) for answer in answers)
    async with store.database.read() as connection:
        for table in (access_event, access_event_subject, ledger_outbox):
            assert await connection.scalar(sa.select(sa.func.count()).select_from(table)) == 0
    async with store.database.write() as connection:
        await connection.execute(sa.update(ledger_shard).values(halted=None))
    assert (await store.evidence.record(event())).leaf_hash


async def test_what_is_written_again_after_it_was_sequenced_does_not_wait_again(store: Store) -> None:
    """A connection broke after the commit: PostgreSQL's journal writes once more."""
    if store.database.is_sqlite:
        pytest.skip("only PostgreSQL's journal writes again")
    row = store.evidence._row(event(), "0198f2c0-0000-7000-8000-000000000000", 0)
    await store.evidence._journal.write([row])
    async with store.database.write() as connection:
        await connection.execute(sa.delete(ledger_outbox))
    await store.evidence._journal.write([row])
    async with store.database.read() as connection:
        assert await connection.scalar(sa.select(sa.func.count()).select_from(ledger_outbox)) == 0
