"""The facts of a credential come by the road of every query: from the departments, under the rules in force, on record; and
what a department does not say is never taken for yes or no."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from demo.edits import Edit
from demo.people import register
from gateway.caller import Caller, CallerKind
from gateway.errors import RequestRefused
from gateway.policy.facts import Seal
from gateway.services.credentials.ports import Acting, FactsState, Fetched
from gateway.store.tables import access_event
from gateway.supervision.case_facts import CaseEntry, Part, PartyEntry, SealEntry
from tests.fakes.postgres import new_database
from tests.flows.house import House
from tests.flows.register import MINOR, OURS, SINCE, THEIRS, StoreFacts, seed_register
from tests.flows.town import COUNT, SEED, Town, gateway_of, unhurried

pytestmark = pytest.mark.anyio
ZHANG, LI_YAN = "zhang-san-017", "li-yan"
CASE = "(2026)粤0604刑初123号"
JO = Acting(OURS, "JUSTICE_OFFICE", "440604", CASE)


@dataclass
class Issuer:
    """A gateway on the real register of cases, and everybody enrolled whom it knows."""

    house: House
    town: Town
    subjects: dict[str, str]

    async def facts(self, handle: str, type_id: str, acting: Acting = JO, purpose: str = "CREDENTIAL_ISSUE") -> Fetched:
        fetch = self.house.gateway.credentials.kinds.facts
        return await fetch(self.subjects[handle], type_id, acting, purpose=purpose, reference="offer-1")

    async def offer(self, handle: str, *types: str, caller: Caller | None = None, case_no: str | None = None) -> None:
        may = self.house.gateway.credentials.kinds.may_offer
        await may(caller or officer(), self.subjects[handle], types, case_no)

    async def events(self) -> list[Any]:
        async with self.house.gateway.store.database.read() as connection:
            return list(await connection.execute(sa.select(access_event).order_by(access_event.c.id)))


def officer(
    org: str = OURS, kind: CallerKind = CallerKind.OFFICER, purposes: tuple[str, ...] = ("CREDENTIAL_OFFER",)
) -> Caller:
    until = datetime(2099, 1, 1, tzinfo=UTC)
    return Caller("officer-lin", org, "JUSTICE_OFFICE", frozenset(), "t", until, frozenset(purposes), kind, level=2)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def opened(
    wide_town: Town, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[Issuer]:
    await wide_town.heal()
    facts, given = StoreFacts(), {"reload_poll_s": 0}
    if request.param == "postgresql":
        given["database_url"] = new_database("facts").render_as_string(hide_password=False)  # type: ignore[assignment]
    async with gateway_of(wide_town, tmp_path_factory.mktemp("facts"), unhurried, facts=facts, **given) as house:
        facts.open(house.gateway)
        await seed_register(house.gateway)
        store, people = house.gateway.store, register(SEED, COUNT)
        cast = {handle: people.by_key(handle) for handle in (ZHANG, LI_YAN, MINOR)}
        found = await store.subjects.intern([one.id_no for one in cast.values()])
        subjects = dict(zip(cast, found, strict=True))
        for handle, one in cast.items():
            await store.subjects.remember(subjects[handle], one.id_no, one.name)
        await store.cases.declare(
            [CaseEntry(case.case_no, subjects[LI_YAN], state=case.state) for case in cast[LI_YAN].cases]
        )
        yield Issuer(house, wide_town, subjects)


@pytest.fixture
async def issuer(opened: Issuer, town: Town) -> Issuer:
    return opened


async def test_what_the_departments_say_becomes_claims_and_a_record(issuer: Issuer) -> None:
    before = len(await issuer.events())
    found = await issuer.facts(ZHANG, "residence")
    assert found.state is FactsState.READY, found.reason
    assert (found.claims["livesInDistrict"], found.claims["districtName"]) == ("440604", "广东省佛山市禅城区")
    assert found.claims["name"] == "张三"
    assert {one.source for one in found.sources} == {"LGB", "GA_POP"}
    (event,) = (await issuer.events())[before:]
    assert event.id == found.receipt_id
    assert (event.purpose, event.actor_user, event.actor_org, event.decision, event.client_id) == (
        "CREDENTIAL_ISSUE", "credential-issuer", OURS, "ALLOW", "yimen",
    )  # fmt: skip
    assert (event.case_no, event.reference) == (CASE, "offer-1")


@pytest.mark.parametrize(
    ("type_id", "claims"),
    [
        ("stable-income", {"stableIncome": True, "name": "张三"}),
        ("social-insurance", {
            "insuredNow": True, "pensionNow": True, "medicalNow": True, "monthsAtLeast12": True, "name": "张三",
        }),
        ("business", {"businessInOperation": True, "role": "OPERATOR", "businessName": "佛山市禅城区三记五金店", "name": "张三"}),
        ("conduct-reporting", {"reportedOnTime": True, "name": "张三"}),
        ("conduct-no-warning", {"noWarningInForce": True, "name": "张三"}),
        ("conduct-plan", {"planFollowed": True, "name": "张三"}),
    ],
)  # fmt: skip
async def test_every_type_is_made_of_what_the_town_knows(issuer: Issuer, type_id: str, claims: dict[str, Any]) -> None:
    found = await issuer.facts(ZHANG, type_id)
    assert (found.state, found.claims) == (FactsState.READY, claims), found.reason


async def test_only_the_fields_of_the_type_are_asked_for(issuer: Issuer) -> None:
    await issuer.facts(ZHANG, "stable-income")
    event = (await issuer.events())[-1]
    assert set(orjson.loads(event.fields)) == {
        "business.exists", "business.uscc", "business.role", "business.status", "business.abnormal", "insurance.exists", "insurance.kind",
        "insurance.status", "insurance.lastPaidMonth", "insurance.monthsPaid24",
    }  # fmt: skip


async def test_a_discharge_certificate_rests_on_the_archive(issuer: Issuer) -> None:
    found = await issuer.facts(LI_YAN, "discharge")
    assert (found.state, dict(found.claims)) == (
        FactsState.READY, {"discharged": True, "dischargedOn": "2021-11-20", "name": "李䶮"},
    ), found.reason  # fmt: skip
    assert (await issuer.facts(ZHANG, "discharge")).state is FactsState.REFUSED, (
        "he is supervised: no holder of that type"
    )


async def test_registers_that_disagree_are_a_doubt(issuer: Issuer) -> None:
    """禅城 has him supervised, 顺德 still in transfer."""
    found = await issuer.facts(ZHANG, "leave-clearance")
    assert (found.state, found.reason) == (FactsState.DOUBTED, "no-obstacle")
    assert not found.claims


@pytest.mark.parametrize("fault", ["down", "closed", "too_many", "garbage"])
async def test_a_department_that_is_away_is_no_answer(issuer: Issuer, fault: str) -> None:
    await issuer.town.fault("SB", **{fault: True})
    found = await issuer.facts(ZHANG, "social-insurance")
    assert found.state is FactsState.UNAVAILABLE
    assert not found.claims
    again = await issuer.facts(ZHANG, "stable-income")
    assert (again.state, again.claims["stableIncome"]) == (FactsState.READY, True), "his shop carries it without them"


async def test_half_a_house_is_no_residence(issuer: Issuer) -> None:
    """The police do not answer: what 流管办 says is not the whole of it."""
    await issuer.town.fault("GA_POP", down=True)
    found = await issuer.facts(ZHANG, "residence", purpose="CREDENTIAL_RECHECK")
    assert found.state is FactsState.UNAVAILABLE
    assert found.retry_at is not None


async def test_who_has_moved_away_has_no_proof_of_living_there(issuer: Issuer) -> None:
    edits = issuer.town.running["LGB"].department.edits
    id_no = register(SEED, COUNT).by_key(ZHANG).id_no
    edits[id_no] = Edit(left_on=datetime(2026, 11, 25, tzinfo=UTC).date())
    try:
        found = await issuer.facts(ZHANG, "residence", purpose="CREDENTIAL_RECHECK")
    finally:
        del edits[id_no]
    assert (found.state, found.reason) == (FactsState.NOT_MET, "lives-here")
    assert (await issuer.events())[-1].actor_user == "credential-recheck"


async def test_sealed_unknown_and_without_a_ground_are_one_refusal(issuer: Issuer) -> None:
    before, store = len(await issuer.events()), issuer.house.gateway.store
    (issuer.subjects["nobody"],) = await store.subjects.recognise(["440604199001010018"])
    await issuer.town.forget()
    refused = [
        await issuer.facts(MINOR, "residence"),
        await issuer.facts(MINOR, "residence", Acting(THEIRS, "JUSTICE_OFFICE", "440604")),
        await issuer.facts("nobody", "residence"),
        await issuer.facts(ZHANG, "residence", Acting(THEIRS, "JUSTICE_OFFICE", "440604")),
        await issuer.facts(ZHANG, "residence", Acting("cc-court", "COURT", "440604")),
        await issuer.facts(ZHANG, "no-such-type"),
    ]
    assert {(one.state, one.reason, bool(one.claims), one.sources, one.retry_at) for one in refused} == {
        (FactsState.REFUSED, "NO_GROUND", False, (), None)
    }
    assert {code: await issuer.town.calls(code) for code in issuer.town.running} == {
        code: {} for code in issuer.town.running
    }
    events = (await issuer.events())[before:]
    assert len(events) == len(refused)
    assert {(one.rule_ids, one.decision) for one in events} == {('["no-ground"]', "DENY")}
    assert {one.receipt_id for one in refused} == {one.id for one in events}


async def test_when_the_case_is_over_or_sealed_the_next_look_is_refused(issuer: Issuer) -> None:
    store, subject = issuer.house.gateway.store, issuer.subjects[ZHANG]
    for ended, restored in (
        ([CaseEntry(CASE, subject, state="CLOSED")], [CaseEntry(CASE, subject)]),
        ([CaseEntry(CASE, subject, seal=Seal.SEALED_PUBLIC_ORDER)], [CaseEntry(CASE, subject)]),
        ([CaseEntry(CASE, subject, minor_at_offence=True)], [CaseEntry(CASE, subject)]),
        (
            [PartyEntry(CASE, OURS, Part.SUPERVISING, SINCE, datetime(2026, 2, 1, tzinfo=UTC))],
            [PartyEntry(CASE, OURS, Part.SUPERVISING, SINCE)],
        ),
    ):
        await store.cases.declare(ended)
        found = await issuer.facts(ZHANG, "residence", purpose="CREDENTIAL_RECHECK")
        assert found.state is FactsState.REFUSED, ended
        with pytest.raises(RequestRefused):
            await issuer.offer(ZHANG, "residence")
        await store.cases.declare(restored)
        assert (await issuer.facts(ZHANG, "residence")).state is FactsState.READY


async def test_an_offer_is_decided_by_the_rules_and_recorded(issuer: Issuer) -> None:
    before = len(await issuer.events())
    await issuer.offer(ZHANG, "residence", "conduct-plan", case_no=CASE)
    (event,) = (await issuer.events())[before:]
    assert (event.purpose, event.decision, set(orjson.loads(event.fields))) == (
        "CREDENTIAL_OFFER", "ALLOW", {"credential.residence", "credential.conduct-plan"},
    )  # fmt: skip
    assert {"credential-offer-livelihood", "credential-offer-conduct"} <= set(orjson.loads(event.rule_ids))


@pytest.mark.parametrize(
    ("handle", "types", "caller", "code"),
    [
        (MINOR, ("residence",), officer(), "NO_GROUND"),
        (MINOR, ("residence",), officer(THEIRS), "NO_GROUND"),
        (ZHANG, ("residence",), officer(THEIRS), "NO_GROUND"),
        (ZHANG, ("residence",), officer(kind=CallerKind.SYSTEM), "CREDENTIAL_NOT_OFFERED"),
        (ZHANG, ("residence",), officer(purposes=("CC_HELP",)), "PURPOSE_NOT_YOURS"),
        (ZHANG, ("residence", "unreviewed"), officer(), "CREDENTIAL_NOT_OFFERED"),
        (ZHANG, ("discharge",), officer(), "CREDENTIAL_NOT_OFFERED"),
        (LI_YAN, ("conduct-plan",), officer(), "CREDENTIAL_NOT_OFFERED"),
    ],
)
async def test_what_may_not_be_offered_is_refused_and_recorded(
    issuer: Issuer, handle: str, types: tuple[str, ...], caller: Caller, code: str
) -> None:
    before = len(await issuer.events())
    with pytest.raises(RequestRefused) as caught:
        await issuer.offer(handle, *types, caller=caller)
    assert caught.value.code == code
    (event,) = (await issuer.events())[before:]
    assert event.decision == "DENY"


async def test_a_seal_on_the_person_ends_it_even_for_the_own_agency(issuer: Issuer) -> None:
    """He was sealed when the register was laid down; lifting it takes an order, so here it is looked at from outside."""
    store = issuer.house.gateway.store
    await store.cases.declare([SealEntry(issuer.subjects[MINOR], Seal.SEALED_JUVENILE)])
    found = await issuer.facts(MINOR, "residence", Acting(THEIRS, "JUSTICE_OFFICE", "440604"))
    assert found.state is FactsState.REFUSED
