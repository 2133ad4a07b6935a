"""Offering a credential by mutation: decided before it is done, recorded before it is told, one refusal for all who must
look unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from gateway.caller import Caller, CallerKind, Decision
from gateway.errors import RequestRefused
from gateway.federation.catalog import Snapshot
from gateway.federation.offering import OfferDesk, OfferSeen, ToOffer
from gateway.federation.plan import Plans
from gateway.policy.decision import EXISTS, Effect, Mask, Question
from gateway.policy.purposes import PurposeRule, read_register
from gateway.services.execute import GraphQLAnswer, GraphQLRequest
from gateway.services.run_query import RunQuery
from gateway.services.snapshots import Held, Snapshots
from schema.build import build_schema
from schema.limits import Limits
from tests.fakes.federated import NOW, OFFICER, OTHER, PERSON, Everyone, FixedClock, NoLoads, NoMetrics, Recorder

pytestmark = pytest.mark.anyio
BUILT = build_schema()
SHIPPED = read_register()
# What the shipped register says of the purpose is the rules' own matter; here it is enough that there is one.
REGISTER = replace(
    SHIPPED,
    rules={
        **SHIPPED.rules,
        "CREDENTIAL_OFFER": PurposeRule(
            "CREDENTIAL_OFFER", "发放凭证", "Offer", "依据", "ground", True, frozenset({"JUSTICE_OFFICE"}),
            {"credential": None}, {},
        ),
    },
)  # fmt: skip
PURPOSE = '@purpose(code: "CREDENTIAL_OFFER", caseNo: "(2026)粤0604刑初123号")'
OFFER = f"""mutation M($id: String!, $name: String!, $what: [String!]!) {PURPOSE} {{
  offerCredential(idNo: $id, name: $name, credential: $what) {{
    link otherLink qrText txCode offer {{ id credential flow state txCodeNeeded expiresAt timeline {{ step at }} }} }} }}"""
CLERK = replace(OFFICER, purposes=frozenset({"CREDENTIAL_OFFER"}))


@dataclass
class Decides:
    """Policy: `may` are the items of those it has a ground towards; `sealed` look unknown, whoever asks."""

    may: frozenset[str] = frozenset({"residence"})
    sealed: frozenset[str] = frozenset()
    asked: list[Question] = field(default_factory=list)

    async def decide(self, question: Question) -> Mask:
        self.asked.append(question)
        return self._mask(question)

    async def decide_subjects(self, question: Question, mask: Mask, subjects: Sequence[str]) -> Sequence[Mask]:
        return [
            Mask({}, ("no-ground",), (), "v", denied="NO_GROUND", inner_rule_ids=("secret",))
            if one in self.sealed
            else self._mask(question)
            for one in subjects
        ]

    def _mask(self, question: Question) -> Mask:
        effects = {
            noun: {name: Effect.ALLOW if name in self.may else Effect.WITHHOLD for name in names}
            for noun, names in question.asked.items()
        }
        return Mask(effects, ("purpose:CREDENTIAL_OFFER",), (), "v")


@dataclass
class Desk:
    configurations: frozenset[str] = frozenset({"residence", "residence.w3c", "business"})
    types: frozenset[str] = frozenset({EXISTS, "residence", "business"})
    made: list[tuple[str, str | None, ToOffer]] = field(default_factory=list)
    kept: dict[str, OfferSeen] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)

    async def make(self, caller: Caller, case_no: str | None, offer: ToOffer) -> Mapping[str, Any]:
        if len(self.made) == 3:
            raise RequestRefused("OVERLOADED")
        self.made.append((caller.user_id, case_no, offer))
        self.order.append(offer.subject_id)
        data = _data(f"offer-{len(self.made)}", offer.credential)
        self.kept[data["id"]] = OfferSeen(offer.subject_id, caller.org_id, NOW, data)
        return {"offer": data, "link": "https://y/w", "otherLink": "o://", "qrText": "https://y/w", "txCode": "123456"}

    async def find(self, offer_id: str) -> OfferSeen | None:
        return self.kept.get(offer_id)

    async def of_person(self, subject_id: str) -> Sequence[OfferSeen]:
        return [one for one in self.kept.values() if one.subject_id == subject_id]


def _data(offer_id: str, credential: Sequence[str]) -> dict[str, Any]:
    return {
        "id": offer_id, "credential": list(credential), "flow": "PRE_AUTHORIZED_CODE", "state": "OPEN",
        "txCodeNeeded": True, "createdAt": NOW, "expiresAt": NOW, "redeemedAt": None,
        "timeline": [{"step": "CREATED", "at": NOW}],
    }  # fmt: skip


@dataclass
class Room:
    policy: Decides = field(default_factory=Decides)
    desk: Desk = field(default_factory=Desk)
    evidence: Recorder = field(default_factory=Recorder)
    caller: Caller = CLERK
    query: RunQuery = field(init=False)

    def __post_init__(self) -> None:
        snapshot = Snapshot("v1" * 16, BUILT, {}, (), REGISTER)
        held = Held(snapshot, Plans(BUILT, Limits(), introspection=False), self.policy)
        self.query = RunQuery(
            Snapshots(NoLoads(), held, "same"), evidence=self.evidence, subjects=Everyone(), clock=FixedClock(),
            metrics=NoMetrics(), deadline_s=2.0, batch_persons=100, trusted_documents={},
        )  # fmt: skip
        desk: OfferDesk = self.desk
        self.query.offers_at(desk)

    async def offer(
        self, person: tuple[str, str] = PERSON, what: Sequence[str] = ("residence",), text: str = OFFER
    ) -> GraphQLAnswer:
        variables = {"id": person[0], "name": person[1], "what": list(what)}
        return await self.query(self.caller, GraphQLRequest(text, None, variables))

    async def ask(self, text: str) -> GraphQLAnswer:
        return await self.query(self.caller, GraphQLRequest(text))


def code(answer: GraphQLAnswer) -> str:
    return str(answer.errors[0]["extensions"]["code"])


async def subject_of(person: tuple[str, str]) -> str:
    return (await Everyone().intern([person[0]]))[0]


async def test_it_is_offered_to_whom_policy_allows_and_recorded_as_what_was_offered() -> None:
    room = Room()
    answer = await room.offer(what=["residence", "residence.w3c"])
    assert answer.errors == ()
    assert answer.data is not None
    told = answer.data["offerCredential"]
    assert (told["txCode"], told["offer"]["state"]) == ("123456", "OPEN")
    assert told["offer"]["timeline"] == [{"step": "CREATED", "at": NOW.isoformat()}]
    (made,) = room.desk.made
    assert made[:2] == (CLERK.user_id, "(2026)粤0604刑初123号")
    assert made[2] == ToOffer(
        await subject_of(PERSON), ("residence", "residence.w3c"), "PRE_AUTHORIZED_CODE", True, False
    )
    (event,) = room.evidence.events
    assert (event.decision, event.purpose, event.fields) == (
        Decision.ALLOW, "CREDENTIAL_OFFER", ("credential.residence",),
    )  # fmt: skip
    assert event.subjects == [made[2].subject_id]
    assert answer.extensions["receipt"]["id"] == "r1"


async def test_arguments_reach_the_desk_as_they_were_said_and_each_text_is_decided_by_its_own_variables() -> None:
    room = Room(Decides(frozenset({"residence", "business"})))
    text = OFFER.replace("credential: $what", "credential: $what, txCode: false, flow: AUTHORIZATION_CODE, send: true")
    await room.offer(text=text)
    await room.offer(what=["business"], text=text)
    first, second = (one[2] for one in room.desk.made)
    assert (first.flow, first.tx_code, first.send) == ("AUTHORIZATION_CODE", False, True)
    assert second.credential == ("business",)
    assert [question.asked["credential"] for question in room.policy.asked] == [
        {EXISTS, "residence"}, {EXISTS, "business"},
    ]  # fmt: skip


async def test_whoever_must_look_unknown_is_one_and_the_same_refusal_and_nothing_is_made() -> None:
    room = Room(Decides(sealed=frozenset({await subject_of(PERSON), await subject_of(OTHER)})))
    answers = [await room.offer(person) for person in (PERSON, OTHER)]
    for answer in answers:
        assert answer.data == {"offerCredential": None}
        assert code(answer) == "NO_GROUND"
        assert answer.extensions["policy"]["rules"] == ["no-ground"]
    assert answers[0].errors == answers[1].errors
    assert room.desk.made == []
    assert [event.decision for event in room.evidence.events] == [Decision.DENY, Decision.DENY]


async def test_a_type_without_a_rule_is_offered_to_nobody() -> None:
    room = Room()
    answer = await room.offer(what=["business"])
    assert code(answer) == "CREDENTIAL_NOT_OFFERED"
    assert room.desk.made == []
    mixed = await room.offer(what=["residence", "business"])
    assert code(mixed) == "CREDENTIAL_NOT_OFFERED"
    assert room.desk.made == []


@pytest.mark.parametrize("what", [["440606199003070017"], ["zhangsan"], ["residence", "passport"]])
async def test_what_is_no_type_comes_neither_to_policy_nor_into_evidence(what: list[str]) -> None:
    room = Room()
    answer = await room.offer(what=what)
    assert code(answer) == "CREDENTIAL_UNKNOWN"
    assert (room.policy.asked, room.evidence.events, room.desk.made) == ([], [], [])


@pytest.mark.parametrize("what", [[], ["residence", "residence"], ["residence"] * 11])
async def test_how_many_there_may_be(what: list[str]) -> None:
    room = Room()
    assert code(await room.offer(what=what)) == "CREDENTIALS_ASKED"
    assert room.desk.made == []


async def test_an_unknown_form_of_a_known_type_is_refused_too() -> None:
    room = Room()
    assert code(await room.offer(what=["residence.mdoc"])) == "CREDENTIAL_UNKNOWN"


async def test_a_bad_number_is_refused_before_anything_is_made() -> None:
    room = Room()
    assert code(await room.offer(("440606199003070018", "张三"))) == "BAD_ID"
    assert room.desk.made == []


async def test_no_purpose_no_offer() -> None:
    room = Room()
    assert code(await room.offer(text=OFFER.replace(PURPOSE, ""))) == "PURPOSE_MISSING"
    other = await room.offer(text=OFFER.replace("CREDENTIAL_OFFER", "CC_RECEPTION"))
    assert code(other) == "PURPOSE_NOT_YOURS"
    assert room.desk.made == []


@pytest.mark.parametrize("kind", [CallerKind.SYSTEM, CallerKind.PARTNER])
async def test_no_program_offers_anything(kind: CallerKind) -> None:
    room = Room(caller=replace(CLERK, kind=kind))
    assert code(await room.offer()) == "OFFICERS_ONLY"
    assert room.desk.made == []


async def test_never_over_get() -> None:
    room = Room()
    variables = {"id": PERSON[0], "name": PERSON[1], "what": ["residence"]}
    answer = await room.query(CLERK, GraphQLRequest(OFFER, None, variables, method="GET"))
    assert code(answer) == "MUTATION_IN_GET"
    assert room.desk.made == []


async def test_several_are_made_one_after_another_and_one_that_fails_leaves_the_others() -> None:
    room = Room()
    fields = " ".join(
        f'a{n}: offerCredential(idNo: "{PERSON[0]}", name: "张三", credential: ["residence"]) {{ offer {{ id }} }}'
        for n in range(4)
    )
    answer = await room.ask(f"mutation {PURPOSE} {{ {fields} }}")
    assert answer.data == {
        "a0": {"offer": {"id": "offer-1"}}, "a1": {"offer": {"id": "offer-2"}}, "a2": {"offer": {"id": "offer-3"}},
        "a3": None,
    }  # fmt: skip
    assert code(answer) == "OVERLOADED"


async def test_a_field_left_out_offers_nothing() -> None:
    room = Room()
    text = OFFER.replace("{\n  offerCredential(idNo: $id, name: $name, credential: $what) {",
                         "{ offerCredential(idNo: $id, name: $name, credential: $what) @skip(if: true) {")  # fmt: skip
    answer = await room.offer(text=text)
    assert answer.data == {}
    assert room.desk.made == []


async def test_without_a_record_no_link_is_told() -> None:
    room = Room(evidence=Recorder(broken=True))
    with pytest.raises(Exception, match="EVIDENCE_UNAVAILABLE"):
        await room.offer()


ONE = f'query {PURPOSE} {{ credentialOffer(id: "ID") {{ id state timeline {{ step }} }} }}'


async def test_an_offer_is_seen_by_its_own_body_and_by_nobody_else() -> None:
    room = Room()
    await room.offer()
    seen = await room.ask(ONE.replace("ID", "offer-1"))
    assert seen.data == {"credentialOffer": {"id": "offer-1", "state": "OPEN", "timeline": [{"step": "CREATED"}]}}
    assert room.evidence.events[-1].subjects == [await subject_of(PERSON)]
    none = await room.ask(ONE.replace("ID", "offer-9"))
    room.caller = replace(CLERK, org_id="cc-another")
    others = await room.ask(ONE.replace("ID", "offer-1"))
    assert none.data == others.data == {"credentialOffer": None}
    assert none.errors == others.errors == ()
    assert none.extensions["policy"] == others.extensions["policy"]


async def test_a_person_sealed_since_then_has_no_offer_any_more() -> None:
    room = Room()
    await room.offer()
    room.policy.sealed = frozenset({await subject_of(PERSON)})
    sealed, none = await room.ask(ONE.replace("ID", "offer-1")), await room.ask(ONE.replace("ID", "offer-9"))
    assert sealed.data == none.data == {"credentialOffer": None}
    assert sealed.extensions["policy"] == none.extensions["policy"]
    assert [event.decision for event in room.evidence.events[-2:]] == [Decision.DENY, Decision.DENY]


async def test_the_offers_of_a_person_are_those_of_the_asker() -> None:
    room = Room()
    await room.offer()
    text = f'query {PURPOSE} {{ credentialOffers(idNo: "{PERSON[0]}", name: "张三") {{ id }} }}'
    assert (await room.ask(text)).data == {"credentialOffers": [{"id": "offer-1"}]}
    room.caller = replace(CLERK, org_id="cc-another")
    assert (await room.ask(text)).data == {"credentialOffers": []}
    room.caller = CLERK
    room.policy.sealed = frozenset({await subject_of(PERSON)})
    answer = await room.ask(text)
    assert answer.data == {"credentialOffers": []}
    assert answer.extensions["policy"]["rules"] == ["no-ground"]


async def test_other_purposes_do_not_read_offers() -> None:
    room = Room()
    await room.offer()
    assert code(await room.ask(ONE.replace("CREDENTIAL_OFFER", "CC_RECEPTION"))) == "PURPOSE_NOT_YOURS"
