"""What policy is told of a person: alike for the sealed and the unknown, in what is asked of the database too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.caller import Caller, CallerKind
from gateway.consent.ports import ConsentInForce
from gateway.policy.decision import Purpose
from gateway.policy.facts import CaseLink, Relationship, Seal, SubjectFacts
from gateway.store import Store
from gateway.store.facts import StoredFacts
from gateway.supervision.case_facts import (
    AssignmentEntry,
    CaseEntry,
    Entry,
    MonitoringEntry,
    Part,
    PartyEntry,
    RelationshipEntry,
    SealEntry,
    UnsealOrder,
)
from tests.gateway.store.conftest import START, HandClock, OpenStore

pytestmark = pytest.mark.anyio
EARLIER = START - timedelta(days=30)
OFFICER = Caller("officer-lin", "cc-1", "JUSTICE_OFFICE", frozenset(), "t", datetime(2027, 1, 1, tzinfo=UTC))
COURT = replace(OFFICER, user_id="judge-1", org_id="court-1", org_kind="COURT")
STRANGER = replace(OFFICER, user_id="officer-x", org_id="cc-9")
BANK = replace(OFFICER, user_id="bank-client", org_id="bank", org_kind="BANK", kind=CallerKind.PARTNER)
ADULT, MINOR, NOBODY = "a" * 32, "b" * 32, "c" * 32
CASE, SEALED = "(2026)粤0604刑初1号", "(2026)粤0604刑初2号"
PURPOSE = Purpose("CC_PLAN", CASE)
REGISTER: list[Entry] = [
    CaseEntry(CASE, ADULT),
    PartyEntry(CASE, "cc-1", Part.SUPERVISING, EARLIER),
    PartyEntry(CASE, "court-1", Part.DECIDING, EARLIER),
    AssignmentEntry(CASE, "officer-lin", EARLIER),
    CaseEntry(SEALED, MINOR, minor_at_offence=True),
    SealEntry(MINOR, Seal.SEALED_JUVENILE),
    PartyEntry(SEALED, "cc-1", Part.SUPERVISING, EARLIER),
    PartyEntry(SEALED, "court-1", Part.DECIDING, EARLIER),
]


@pytest.fixture
async def facts(store: Store, clock: HandClock) -> StoredFacts:
    await store.cases.declare(REGISTER)
    return StoredFacts(store.database, clock)


async def of(facts: StoredFacts, caller: Caller, *subjects: str, case: str | None = CASE) -> Sequence[SubjectFacts]:
    return await facts.of(caller, Purpose("CC_PLAN", case), subjects)


async def test_a_link_is_the_officers_or_the_organisations_and_ends(
    store: Store, facts: StoredFacts, clock: HandClock
) -> None:
    (lin,) = await of(facts, OFFICER, ADULT)
    assert (lin.case_link, lin.case_role, lin.claimed_case) == (CaseLink.ASSIGNED, "SUPERVISING", True)
    (colleague,) = await of(facts, replace(OFFICER, user_id="officer-he"), ADULT, case="another")
    assert (colleague.case_link, colleague.claimed_case) == (CaseLink.ORGANISATION, False)
    await store.cases.declare([PartyEntry(CASE, "cc-1", Part.SUPERVISING, EARLIER, START + timedelta(days=1))])
    clock.forward(86400)
    assert await of(facts, OFFICER, ADULT) == [SubjectFacts()], "an assignment without the organisation's part is none"


async def test_who_is_not_entitled_finds_a_sealed_person_to_be_nobody(facts: StoredFacts) -> None:
    sealed, nobody = await of(facts, STRANGER, MINOR, NOBODY)
    assert nobody == SubjectFacts()
    assert sealed == replace(nobody, seal=Seal.SEALED_JUVENILE)


async def test_the_agency_of_the_case_sees_it_and_a_court_only_for_the_case_it_claims(facts: StoredFacts) -> None:
    (agency,) = await of(facts, OFFICER, MINOR, case=SEALED)
    assert (agency.unsealed, agency.claimed_case, agency.sealed_cases) == (True, True, frozenset())
    (court,) = await of(facts, COURT, MINOR, case=SEALED)
    assert (court.unsealed, court.case_role) == (True, "DECIDING")
    (curious,) = await of(facts, COURT, MINOR, case=CASE)
    assert curious == SubjectFacts(seal=Seal.SEALED_JUVENILE)


async def test_one_sealed_case_of_a_person_is_hidden_and_gives_no_link(store: Store, facts: StoredFacts) -> None:
    await store.cases.declare(
        [CaseEntry("old", ADULT, minor_at_offence=True), PartyEntry("old", "cc-9", Part.POLICING, EARLIER)]
    )
    (lin,) = await of(facts, OFFICER, ADULT)
    assert (lin.case_link, lin.sealed_cases, lin.seal) == (CaseLink.ASSIGNED, frozenset({"old"}), Seal.NONE)
    (stranger,) = await of(facts, STRANGER, ADULT, case="old")
    assert stranger == SubjectFacts(
        sealed_cases=frozenset(
            {
                "old",
            }
        )
    )


async def test_an_unseal_order_opens_for_its_organisation_until_it_expires(
    store: Store, facts: StoredFacts, clock: HandClock
) -> None:
    until = START + timedelta(hours=1)
    await store.cases.declare([UnsealOrder("u1", MINOR, "cc-9", "judge-a", "judge-b", EARLIER, until)])
    assert (await of(facts, STRANGER, MINOR))[0].unsealed
    clock.forward(3600)
    assert await of(facts, STRANGER, MINOR) == [SubjectFacts(seal=Seal.SEALED_JUVENILE)]


@pytest.mark.parametrize("kind", [Relationship.RELATIVE, Relationship.FORMER_SPOUSE, Relationship.SELF])
async def test_a_relationship_is_known_whatever_the_case(store: Store, facts: StoredFacts, kind: Relationship) -> None:
    await store.cases.declare([RelationshipEntry("officer-lin", who, kind, "hr-1") for who in (ADULT, MINOR, NOBODY)])
    assert {fact.relationship for fact in await of(facts, OFFICER, ADULT, MINOR, NOBODY)} == {kind}
    assert {fact.relationship for fact in await of(facts, STRANGER, ADULT, NOBODY)} == {Relationship.NONE}


async def test_location_ends_with_the_order_at_once(store: Store, facts: StoredFacts, clock: HandClock) -> None:
    order = MonitoringEntry("m1", ADULT, 1, "head-1", EARLIER, START + timedelta(seconds=1))
    await store.cases.declare([order])
    assert (await of(facts, OFFICER, ADULT))[0].monitoring_order
    clock.forward(1)
    assert not (await of(facts, OFFICER, ADULT))[0].monitoring_order
    later = MonitoringEntry("m2", ADULT, 1, "head-1", START, START + timedelta(days=60))
    await store.cases.declare([later])
    assert (await of(facts, OFFICER, ADULT))[0].monitoring_order
    await store.cases.declare([replace(later, lifted_at=clock.now())])
    assert not (await of(facts, OFFICER, ADULT))[0].monitoring_order


async def test_states_and_delays_are_told(store: Store, facts: StoredFacts) -> None:
    later = START + timedelta(days=30)
    await store.cases.declare([CaseEntry(CASE, ADULT, state="OUT_OF_CONTACT", visible_from=later)])
    (fact,) = await of(facts, OFFICER, ADULT)
    assert (fact.out_of_contact, fact.revocation_pending, fact.visible_from) == (True, False, later)
    await store.cases.declare([CaseEntry(CASE, ADULT, state="REVOCATION_PENDING", offence_in_progress=True)])
    (fact,) = await of(facts, OFFICER, ADULT)
    assert (fact.out_of_contact, fact.revocation_pending, fact.visible_from) == (True, True, None)


@pytest.mark.parametrize(
    ("state", "agency", "court"),
    [("DISCHARGED", True, False), ("AFTERCARE", True, False), ("CLOSED", False, False), ("TERMINATED", False, False)],
)
async def test_when_a_case_is_over_its_ground_is_too(
    store: Store, facts: StoredFacts, state: str, agency: bool, court: bool
) -> None:
    await store.cases.declare([CaseEntry(CASE, ADULT, state=state)])
    assert ((await of(facts, OFFICER, ADULT))[0].case_link is not CaseLink.NONE) is agency
    assert ((await of(facts, COURT, ADULT))[0].case_link is not CaseLink.NONE) is court


class Granted:
    """A consent for everybody; says who used it."""

    def __init__(self) -> None:
        self.used: list[Sequence[str]] = []

    async def use(self, caller: Caller, purpose: str, subjects: Sequence[str]) -> Sequence[ConsentInForce | None]:
        self.used.append(tuple(subjects))
        return [ConsentInForce("consent-1", frozenset({"identity.name"}), START + timedelta(days=1))] * len(subjects)


async def test_a_partner_has_consents_and_nothing_else_and_none_for_the_sealed(store: Store, clock: HandClock) -> None:
    bank = replace(BANK, org_id="cc-1", user_id="officer-lin")  # even one that had parts and assignments
    await store.cases.declare(
        [*REGISTER, MonitoringEntry("m1", ADULT, 1, "head-1", EARLIER, START + timedelta(days=9))]
    )
    granted = Granted()
    facts = StoredFacts(store.database, clock, granted)
    adult, minor, nobody = await of(facts, bank, ADULT, MINOR, NOBODY)
    assert adult == nobody == SubjectFacts(consent=adult.consent)
    assert minor == SubjectFacts(seal=Seal.SEALED_JUVENILE)
    assert granted.used == [(ADULT, MINOR, NOBODY)]
    assert await of(StoredFacts(store.database, clock), bank, ADULT) == [SubjectFacts()]
    await of(facts, OFFICER, ADULT)
    assert len(granted.used) == 1, "an officer spends no consent"


async def test_the_statements_do_not_tell_who_it_is_about(store: Store, facts: StoredFacts) -> None:
    await store.cases.declare([RelationshipEntry("officer-lin", NOBODY[:-1] + "d", Relationship.RELATIVE, "hr-1")])
    seen: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    sa.event.listen(store.database.engine.sync_engine, "before_cursor_execute", note)
    asked = []
    for subject in (NOBODY, MINOR, ADULT, NOBODY[:-1] + "d"):
        for caller in (STRANGER, OFFICER):
            seen.clear()
            await of(facts, caller, subject)
            asked.append(tuple(seen))
    assert len(set(asked)) == 1
    assert len(asked[0]) == 1, "one statement"


async def test_many_are_asked_in_one_statement_and_keep_their_order(facts: StoredFacts) -> None:
    many = [f"{number:032x}" for number in range(100)] + [ADULT, NOBODY, ADULT]
    found = await of(facts, OFFICER, *many)
    assert [fact.case_link for fact in found[-3:]] == [CaseLink.ASSIGNED, CaseLink.NONE, CaseLink.ASSIGNED]
    assert set(found[:100]) == {SubjectFacts()}


async def test_what_one_replica_declares_the_other_decides_on(open_replica: OpenStore, clock: HandClock) -> None:
    here, there = await open_replica(), await open_replica()
    await here.cases.declare(REGISTER)
    assert (await of(StoredFacts(there.database, clock), OFFICER, ADULT))[0].case_link is CaseLink.ASSIGNED
