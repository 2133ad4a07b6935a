"""What is kept of persons between questions is never older than the last write, whoever wrote (ADR 0023)."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as drawing
from hypothesis import strategies as st

from gateway.caller import Caller
from gateway.policy.decision import Purpose
from gateway.policy.facts import CaseLink, Named, Relationship, Seal, SubjectFacts
from gateway.settings import Settings
from gateway.store import Store, migrate_store
from gateway.store.engine import Database
from gateway.store.facts import StoredFacts
from gateway.store.facts_rows import VERSION, facts_statement
from gateway.store.kept_facts import KeptFacts
from gateway.store.tables import metadata
from gateway.store.tables.fact_version import TRIGGERS, WATCHED
from gateway.supervision.case_facts import MonitoringEntry, Part, PartyEntry, SealEntry
from tests.gateway.store.conftest import START, Databases, HandClock
from tests.gateway.store.test_facts import (
    ADULT,
    BANK,
    CASE,
    COURT,
    EARLIER,
    MINOR,
    NOBODY,
    OFFICER,
    REGISTER,
    SEALED,
    STRANGER,
)

pytestmark = pytest.mark.anyio
PAST = int(EARLIER.timestamp() * 1_000_000)
NOW = int(START.timestamp() * 1_000_000)
SECOND = 1_000_000
LATER = NOW + 3600 * SECOND
EVERYBODY = (ADULT, MINOR, NOBODY)
READ_WHOLE = facts_statement(is_sqlite=True).text
READ_STATE = f"SELECT {VERSION}"

Write = Callable[[str], None]


@pytest.fixture
def elsewhere(settings: Settings) -> Write:
    """Runs one statement as another program would: a connection of its own, committed, and nothing of ours around it."""

    def write(statement: str) -> None:
        if settings.sqlite:
            path = settings.database_url.removeprefix("sqlite:///")
            with closing(sqlite3.connect(path, isolation_level=None)) as connection:
                connection.execute(statement)
            return
        with psycopg.connect(settings.database_url.replace("+psycopg", ""), autocommit=True) as server:
            server.execute(statement)  # type: ignore[call-overload]

    return write


@pytest.fixture
async def facts(store: Store, clock: HandClock) -> StoredFacts:
    await store.cases.declare(REGISTER)
    return StoredFacts(store.database, clock)


async def told(
    facts: StoredFacts, *subjects: str, caller: Caller = OFFICER, case: str | None = CASE
) -> list[SubjectFacts]:
    return list(await facts.of(caller, Purpose("CC_PLAN", case), Named(subjects)))


async def fresh(
    facts: StoredFacts, *subjects: str, caller: Caller = OFFICER, case: str | None = CASE
) -> list[SubjectFacts]:
    """By a process that asks for the first time."""
    anew = StoredFacts(facts._database, facts._clock)
    return list(await anew.of(caller, Purpose("CC_PLAN", case), subjects))


def heard(database: Database) -> list[str]:
    """Statements from now on."""
    statements: list[str] = []
    sa.event.listen(
        database.engine.sync_engine, "before_cursor_execute", lambda *of: statements.append(of[2]), named=False
    )
    return statements


_OFFICER = (
    "INSERT INTO officer (user_id, org_id, login, subject_id, name_ct, key_id, alg_id, roles, active, updated_at_us) "
    f"SELECT 'officer-lin', 'cc-1', 'lin', '{NOBODY}', id_hmac, (SELECT min(key_id) FROM data_key), 'x', '[]', "
    f"true, 0 FROM subject WHERE subject_id = '{NOBODY}'"
)
_GLASS = (
    "INSERT INTO break_glass (id, user_id, org_id, subject_id, case_no, reason_code, reason_ct, key_id, alg_id, items, "
    "review, opened_at_us, expires_at_us, due_at_us, alert_id) SELECT 'g', 'officer-lin', 'cc-1', "
    f"'{NOBODY}', 'c', 'r', id_hmac, (SELECT min(key_id) FROM data_key), 'x', '[\"identity\"]', 'AFTER', {PAST}, {LATER}, "
    f"{LATER}, 'a' FROM subject WHERE subject_id = '{NOBODY}'"
)
_BEFORE = (
    "INSERT INTO organisation (org_id, name_zh, name_en, kind, jurisdiction, agency_keys, purposes, active, updated_at_us) "
    "VALUES ('cc-1', 'x', 'x', 'JUSTICE_OFFICE', '', '[]', '[]', true, 0)",
    f"INSERT INTO subject (subject_id, id_hmac, created_at_us) VALUES ('{NOBODY}', '\\x01', 0)",
)
CHANGES = {
    # insert, update, delete: after each of them something else is true of one of the three
    "subject_seal": (
        f"INSERT INTO subject_seal VALUES ('{NOBODY}', 'SEALED_JUVENILE', 0)",
        f"UPDATE subject_seal SET seal = 'SEALED_PUBLIC_ORDER' WHERE subject_id = '{NOBODY}'",
        f"DELETE FROM subject_seal WHERE subject_id = '{NOBODY}'",
    ),
    "relationship": (
        f"INSERT INTO relationship VALUES ('{ADULT}', 'officer-lin', 'RELATIVE', 'hr', 0)",
        "UPDATE relationship SET kind = 'FORMER_SPOUSE'",
        "DELETE FROM relationship",
    ),
    "officer": (_OFFICER, "UPDATE officer SET subject_id = NULL", None),
    "monitoring_order": (
        f"INSERT INTO monitoring_order VALUES ('m', '{ADULT}', 1, 'head', {PAST}, {LATER}, NULL)",
        f"UPDATE monitoring_order SET lifted_at_us = {NOW}",
        None,
    ),
    "break_glass": (_GLASS, "UPDATE break_glass SET outcome = 'JUSTIFIED'", None),
    "unseal_order": (
        f"INSERT INTO unseal_order VALUES ('u', '{MINOR}', NULL, 'cc-9', 'a', 'b', {PAST}, {LATER})",
        f"UPDATE unseal_order SET expires_at_us = {NOW}",
        None,
    ),
    "case_register": (
        f"INSERT INTO case_register VALUES ('{NOBODY}', '{CASE}', 'SUPERVISED', 'NONE', false, '', false, NULL, 0)",
        f"UPDATE case_register SET state = 'OUT_OF_CONTACT' WHERE subject_id = '{NOBODY}'",
        f"DELETE FROM case_register WHERE subject_id = '{NOBODY}'",
    ),
    "case_party": (
        f"INSERT INTO case_party VALUES ('{CASE}', 'cc-9', 'POLICING', {PAST}, NULL)",
        f"UPDATE case_party SET to_us = {NOW} WHERE org_id = 'cc-1'",
        "DELETE FROM case_party WHERE org_id = 'cc-9'",
    ),
    "case_assignment": (
        f"INSERT INTO case_assignment VALUES ('{CASE}', 'officer-x', {PAST}, NULL)",
        f"UPDATE case_assignment SET to_us = {NOW} WHERE user_id = 'officer-lin'",
        "DELETE FROM case_assignment",
    ),
}


def _dated(statement: str, settings: Settings) -> str:
    return statement if not settings.sqlite else statement.replace("'\\x01'", "x'01'")


@pytest.mark.parametrize("table", sorted(CHANGES))
async def test_a_write_by_anybody_through_any_table_counts_at_the_very_next_question(
    facts: StoredFacts, elsewhere: Write, settings: Settings, table: str
) -> None:
    for before in _BEFORE:
        elsewhere(_dated(before, settings))
    askers = (OFFICER, STRANGER, COURT, replace(OFFICER, user_id="officer-x"))
    was = [await told(facts, *EVERYBODY, caller=one) for one in askers]
    changed = 0
    for write in CHANGES[table]:
        if write is not None:
            elsewhere(write)
            now = [await told(facts, *EVERYBODY, caller=one) for one in askers]
            assert now == [await fresh(facts, *EVERYBODY, caller=one) for one in askers]
            changed += now != was
            was = now
    assert changed >= 2, "what was written makes a difference, or this shows nothing"


@pytest.mark.parametrize("event", ["INSERT", "UPDATE", "DELETE"])
async def test_every_kind_of_write_is_heard_of(settings: Settings, store: Store, elsewhere: Write, event: str) -> None:
    if not settings.sqlite:
        pytest.skip("nothing is kept there")
    facts = StoredFacts(store.database, HandClock())
    for table in sorted(WATCHED):
        columns = [column for column in metadata.tables[table].c if not column.nullable]
        names = ", ".join(column.name for column in columns)
        values = [repr(f"{n}") if isinstance(one.type, sa.String) else "1" for n, one in enumerate(columns)]
        before = await facts._state()
        insert = f"INSERT INTO {table} ({names}) VALUES ({', '.join(values)})"
        elsewhere(insert)
        if event != "INSERT":
            before = await facts._state()
            elsewhere({"UPDATE": f"UPDATE {table} SET {columns[-1].name} = 2", "DELETE": f"DELETE FROM {table}"}[event])
        assert await facts._state() != before, table


def test_every_table_that_is_read_is_watched() -> None:
    read = {name for name in re.findall(r"FROM (\w+)", READ_WHOLE) if name in metadata.tables} - {"fact_version"}
    assert read == WATCHED - {"subject_erasure"} == set(CHANGES)


async def test_the_migrations_leave_the_triggers_in_place(databases: Databases) -> None:
    settings = databases.migrated()
    if not settings.sqlite:
        with psycopg.connect(settings.database_url.replace("+psycopg", "")) as server:
            assert server.execute("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal").fetchone() == (0,)
        return
    with closing(sqlite3.connect(settings.database_url.removeprefix("sqlite:///"))) as connection:
        found = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'")}
        assert found == TRIGGERS
        assert connection.execute("SELECT id FROM fact_version").fetchall() == [(1,)]


async def test_a_database_without_all_its_triggers_is_read_each_time(
    settings: Settings, facts: StoredFacts, elsewhere: Write
) -> None:
    if not settings.sqlite:
        pytest.skip("nothing is kept there")
    elsewhere("DROP TRIGGER fact_version_subject_seal_INSERT")
    await told(facts, NOBODY)
    elsewhere(f"INSERT INTO subject_seal VALUES ('{NOBODY}', 'SEALED_JUVENILE', 0)")
    assert (await told(facts, NOBODY))[0].seal is Seal.SEALED_JUVENILE


async def test_a_database_without_its_version_is_read_each_time(
    settings: Settings, facts: StoredFacts, elsewhere: Write
) -> None:
    if not settings.sqlite:
        pytest.skip("nothing is kept there")
    await told(facts, NOBODY)
    elsewhere("DELETE FROM fact_version")
    for seal in ("SEALED_JUVENILE", "SEALED_PUBLIC_ORDER"):
        elsewhere(f"INSERT OR REPLACE INTO subject_seal VALUES ('{NOBODY}', '{seal}', 0)")
        assert (await told(facts, NOBODY))[0].seal == seal


async def test_what_is_kept_is_told_after_one_short_question_whoever_it_is(
    settings: Settings, store: Store, facts: StoredFacts
) -> None:
    kin = NOBODY[:-1] + "d"
    elsewhere_sealed = MonitoringEntry("m1", MINOR, 1, "head-1", EARLIER, START + timedelta(seconds=30))
    await store.cases.declare([elsewhere_sealed])
    statements = heard(store.database)
    seen: dict[str, list[tuple[str, ...]]] = {}
    for subject in (NOBODY, MINOR, ADULT, kin):
        for caller in (STRANGER, OFFICER):
            for _ in range(3):
                statements.clear()
                await told(facts, subject, caller=caller)
                seen.setdefault(subject, []).append(tuple(statements))
    assert len({tuple(one) for one in seen.values()}) == 1
    if settings.sqlite:
        assert seen[MINOR][:3] == [(READ_WHOLE,), (READ_STATE,), (READ_STATE,)]


async def test_an_instant_at_which_something_ends_is_told_by_no_statement(
    settings: Settings, store: Store, facts: StoredFacts, clock: HandClock
) -> None:
    await store.cases.declare([MonitoringEntry("m1", ADULT, 1, "head-1", EARLIER, START + timedelta(seconds=30))])
    statements = heard(store.database)
    asked = []
    for subject in (ADULT, NOBODY):
        clock.at = START
        await told(facts, subject)
        statements.clear()
        clock.forward(30)
        (now,) = await told(facts, subject)
        assert not now.monitoring_order
        asked.append(list(statements))
    assert asked[0] == asked[1]


async def test_spans_begin_and_end_by_the_clock_and_not_by_when_they_were_read(
    store: Store, facts: StoredFacts, clock: HandClock
) -> None:
    tomorrow = START + timedelta(days=1)
    await store.cases.declare(
        [
            PartyEntry(CASE, "cc-9", Part.POLICING, tomorrow, tomorrow + timedelta(days=1)),
            MonitoringEntry("m1", ADULT, 1, "head-1", tomorrow, tomorrow + timedelta(days=1)),
        ]
    )
    for days, link in ((0, False), (1, True), (2, False), (1, True), (0, False)):  # and back: the clock was set
        clock.at = START + timedelta(days=days)
        (now,) = await told(facts, ADULT, caller=STRANGER)
        assert (now.case_link is not CaseLink.NONE, now.monitoring_order) == (link, link)
        clock.at -= timedelta(microseconds=1)
        assert await told(facts, ADULT, caller=STRANGER) == await fresh(facts, ADULT, caller=STRANGER)


async def test_a_clock_that_was_set_back_brings_back_what_was_over(
    settings: Settings, store: Store, facts: StoredFacts, clock: HandClock
) -> None:
    await store.cases.declare([MonitoringEntry("m1", ADULT, 1, "head-1", EARLIER, START + timedelta(seconds=30))])
    clock.forward(60)
    assert not (await told(facts, ADULT))[0].monitoring_order
    clock.at = START
    assert (await told(facts, ADULT))[0].monitoring_order
    statements = heard(store.database)
    assert (await told(facts, ADULT))[0].monitoring_order
    assert len(statements) == 1
    assert (statements[0] == READ_STATE) is settings.sqlite


async def test_who_turned_up_in_rows_is_read_each_time_though_the_asker_named_them_before(
    store: Store, facts: StoredFacts
) -> None:
    await told(facts, MINOR)
    statements = heard(store.database)
    for subject in (MINOR, NOBODY):
        await facts.of(OFFICER, Purpose("CC_PLAN", CASE), [subject])
    assert len(statements) == 2
    assert len(set(statements)) == 1
    assert statements[0] != READ_STATE


async def test_what_others_asked_makes_nobody_quicker_and_partners_are_never_told_from_memory(
    store: Store, facts: StoredFacts
) -> None:
    await told(facts, ADULT)
    statements = heard(store.database)
    for caller, case in (
        (replace(OFFICER, user_id="officer-he"), CASE), (replace(OFFICER, org_id="cc-9"), CASE),
        (BANK, CASE), (BANK, CASE),
    ):  # fmt: skip
        statements.clear()
        assert await told(facts, ADULT, caller=caller, case=case) == await fresh(facts, ADULT, caller=caller, case=case)
        assert READ_STATE not in statements


async def test_another_claim_by_the_same_asker_is_worked_out_of_the_same_rows(
    settings: Settings, store: Store, facts: StoredFacts
) -> None:
    await told(facts, *EVERYBODY, caller=COURT)
    statements = heard(store.database)
    for claim in (SEALED, CASE, None, "k1", "k2", "k3", SEALED, CASE):
        statements.clear()
        now = await told(facts, *EVERYBODY, caller=COURT, case=claim)
        assert (statements == [READ_STATE]) is settings.sqlite
        assert now == await fresh(facts, *EVERYBODY, caller=COURT, case=claim)
        assert now[1].unsealed is (claim == SEALED)
    if facts.kept is not None:
        assert all(len(mine._facts) <= 4 for mine in facts.kept._askers.values())


async def test_a_write_between_the_reading_and_the_keeping_is_seen_by_the_next(
    settings: Settings, facts: StoredFacts, elsewhere: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = facts._database
    ask = database.rows

    async def rows(statement: sa.TextClause, parameters: Any) -> Sequence[Any]:
        found = await ask(statement, parameters)
        if "subject_seal" in statement.text:
            monkeypatch.setattr(database, "rows", ask)
            elsewhere(f"INSERT INTO subject_seal VALUES ('{NOBODY}', 'SEALED_JUVENILE', 0)")
        return found

    monkeypatch.setattr(database, "rows", rows)
    assert (await told(facts, NOBODY))[0].seal is Seal.NONE
    assert (await told(facts, NOBODY))[0].seal is Seal.SEALED_JUVENILE


async def test_a_restored_database_that_counts_up_to_the_same_number_is_another(
    settings: Settings, facts: StoredFacts, elsewhere: Write, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if not settings.sqlite:
        pytest.skip("nothing is kept there")
    backup = tmp_path_factory.mktemp("backup") / "y.db"
    live = settings.database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(live)) as here, closing(sqlite3.connect(backup)) as there:
        here.backup(there)
    elsewhere(f"INSERT INTO subject_seal VALUES ('{NOBODY}', 'SEALED_JUVENILE', 0)")
    assert (await told(facts, NOBODY))[0].seal is Seal.SEALED_JUVENILE
    with closing(sqlite3.connect(live)) as here, closing(sqlite3.connect(backup)) as there:
        there.backup(here)
    elsewhere(f"INSERT INTO subject_seal VALUES ('{NOBODY}', 'SEALED_PUBLIC_ORDER', 0)")
    assert (await told(facts, NOBODY))[0].seal is Seal.SEALED_PUBLIC_ORDER


async def test_two_databases_brought_to_this_version_are_never_in_the_same_state(databases: Databases) -> None:
    """Or what was read in one would be told of a backup that took its place and was brought here, too."""
    if databases.kind != "sqlite":
        pytest.skip("nothing is kept there")
    marks = set()
    for _ in range(2):
        settings = databases.empty()
        await migrate_store(settings)
        with closing(sqlite3.connect(settings.database_url.removeprefix("sqlite:///"))) as connection:
            marks.add(connection.execute(READ_STATE).fetchone())
    assert len(marks) == 2


@pytest.mark.parametrize("who", ["met in rows", "partner"])
async def test_after_an_erasure_any_question_at_all_leaves_nothing_behind(
    settings: Settings, facts: StoredFacts, elsewhere: Write, who: str
) -> None:
    if not settings.sqlite:
        pytest.skip("nothing is kept there")
    await told(facts, ADULT, MINOR)
    elsewhere(f"INSERT INTO subject_erasure (subject_id, change_id, begun_at_us) VALUES ('{MINOR}', 'c', 1)")
    await facts.of(OFFICER if who == "met in rows" else BANK, Purpose("CC_PLAN", CASE), [ADULT])
    assert facts.kept is not None
    assert len(facts.kept) == 0


async def test_an_erasure_leaves_nothing_of_anybody_behind(
    settings: Settings, facts: StoredFacts, elsewhere: Write
) -> None:
    if not settings.sqlite:
        assert facts.kept is None
        return
    kept = facts.kept
    assert kept is not None
    await told(facts, ADULT, MINOR)
    await told(facts, MINOR, caller=STRANGER)
    assert len(kept) == 3
    elsewhere(f"INSERT INTO subject_erasure (subject_id, change_id, begun_at_us) VALUES ('{MINOR}', 'c', 1)")
    await told(facts, ADULT)
    assert len(kept) == 1
    assert all(MINOR not in mine.said for mine in kept._askers.values())


def test_only_so_many_persons_are_kept_and_who_asked_longest_ago_is_forgotten() -> None:
    nothing = (None, None, 0, None, None, None, None)
    kept = KeptFacts(most=10)
    many = {f"{number}": nothing for number in range(11)}
    assert kept.keep(("big", "o"), "1/1", many, 0) is None
    for number in range(5):
        kept.keep((f"u{number}", "o"), "1/1", {"a": nothing, "b": nothing, "c": nothing}, 0)
        kept.of(("u0", "o"))
    assert len(kept) == 9
    assert [user for user, _ in kept._askers] == ["u3", "u4", "u0"]
    kept.keep(("u0", "o"), "1/1", {f"{number}": nothing for number in range(9)}, 0)
    assert len(kept) == 9, "who asks for more than there is room for begins anew"
    kept.keep(("u1", "o"), "2/1", {"a": nothing}, 0)
    assert len(kept) == 1, "of another state nothing is left"


SPANS = st.tuples(st.integers(-3, 3), st.one_of(st.none(), st.integers(-3, 4))).map(
    lambda span: (NOW + span[0] * SECOND, None if span[1] is None else NOW + span[1] * SECOND)
)
WHO = st.sampled_from([*EVERYBODY, "e" * 32])
CASES = st.sampled_from([CASE, "k1", "k2"])
ORGS = st.sampled_from(["cc-1", "cc-9"])
USERS = st.sampled_from(["officer-lin", "officer-x"])


def _null(value: object) -> str:
    return "NULL" if value is None else str(value)


def _upsert(table: str, values: str) -> str:
    return f"INSERT OR REPLACE INTO {table} VALUES ({values})"


WRITES = st.one_of(
    st.builds(
        lambda who, case, state, seal, minor, span: _upsert(
            "case_register",
            f"'{who}', '{case}', '{state}', '{seal}', {minor}, '', 0, {_null(span[1])}, 0",
        ),
        WHO, CASES, st.sampled_from(["SUPERVISED", "DISCHARGED", "CLOSED", "OUT_OF_CONTACT"]),
        st.sampled_from(Seal), st.booleans(), SPANS,
    ),
    st.builds(
        lambda case, org, part, span: _upsert("case_party", f"'{case}', '{org}', '{part}', {span[0]}, {_null(span[1])}"),
        CASES, ORGS, st.sampled_from(Part), SPANS,
    ),
    st.builds(
        lambda case, user, span: _upsert("case_assignment", f"'{case}', '{user}', {span[0]}, {_null(span[1])}"),
        CASES, USERS, SPANS,
    ),
    st.builds(
        lambda who, case, org, span: _upsert(
            "unseal_order",
            f"'{who[:2]}{org}', '{who}', {case}, '{org}', 'a', 'b', {span[0]}, {span[1] or LATER}",
        ),
        WHO, st.sampled_from(["NULL", "'k1'", "'k2'"]), ORGS, SPANS,
    ),
    st.builds(
        lambda who, span, lifted: _upsert(
            "monitoring_order",
            f"'{who[:2]}{lifted}', '{who}', 1, 'h', {span[0]}, {span[1] or LATER}, "
            + _null(lifted and NOW + lifted * SECOND),
        ),
        WHO, SPANS, st.one_of(st.none(), st.integers(1, 3)),
    ),
    st.builds(
        lambda who, user, span, after: _upsert(
            "break_glass (id, user_id, org_id, subject_id, case_no, reason_code, reason_ct, key_id, alg_id, items, review, "
            "opened_at_us, expires_at_us, due_at_us, alert_id)",
            "",
        ).replace("VALUES ()", "VALUES "
            f"('{who[:2]}{user}{after}', '{user}', 'cc-1', '{who}', 'c', 'r', x'00', 'k', 'x', '[\"a.b\"]', '{after}', 0, "
            f"{span[1] or LATER}, 0, 'a')"),
        WHO, USERS, SPANS, st.sampled_from(["AFTER", "ONLINE"]),
    ),
    st.builds(lambda user: f"UPDATE break_glass SET approved_at_us = 1 WHERE user_id = '{user}'", USERS),
    st.builds(
        lambda who, user, kind: _upsert("relationship", f"'{who}', '{user}', '{kind}', 'hr', 0"),
        WHO, USERS, st.sampled_from(Relationship),
    ),
    st.builds(lambda who, seal: _upsert("subject_seal", f"'{who}', '{seal}', 0"), WHO, st.sampled_from(Seal)),
    st.builds(
        lambda table: f"DELETE FROM {table}", st.sampled_from(sorted(WATCHED - {"officer"}))
    ),
)  # fmt: skip
ASKS = st.builds(
    lambda who, user, org, case: (tuple(who), replace(OFFICER, user_id=user, org_id=org), case),
    st.lists(WHO, min_size=1, max_size=4), USERS, ORGS, st.one_of(st.none(), CASES),
)  # fmt: skip
STEPS = st.lists(st.one_of(WRITES, ASKS, ASKS, ASKS, st.integers(-4, 4)), min_size=4, max_size=30)


@given(steps=STEPS)
@drawing(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_is_written_and_whenever_it_is_asked_what_is_kept_is_what_is_read(
    databases: Databases, store: Store, settings: Settings, clock: HandClock, elsewhere: Write, steps: list[Any]
) -> None:
    if not settings.sqlite:
        pytest.skip("nothing is kept there")
    facts = StoredFacts(store.database, clock)
    clock.at = START
    for step in steps:
        if isinstance(step, str):
            elsewhere(step)
        elif isinstance(step, int):
            clock.at = START + timedelta(seconds=step)
        else:
            who, caller, case = step
            for _ in range(2):
                kept = await told(facts, *who, caller=caller, case=case)
                assert kept == await fresh(facts, *who, caller=caller, case=case)


async def test_what_our_own_commands_declare_counts_too(store: Store, facts: StoredFacts) -> None:
    await told(facts, *EVERYBODY)
    await store.cases.declare([SealEntry(NOBODY, Seal.SEALED_PUBLIC_ORDER)])
    assert (await told(facts, *EVERYBODY))[2].seal is Seal.SEALED_PUBLIC_ORDER
