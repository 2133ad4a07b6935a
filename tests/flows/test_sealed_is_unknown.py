"""王小明's file is sealed. For whoever is not entitled he is nobody: the same bytes, the same questions to departments and
to the database, the same counts and lines as for a number nobody has; and what really decided stands in evidence alone.

What may differ, and is replaced before comparing: the person's pseudonym (another one for every number), the receipt's id
and time, when a source was asked, in headers the date, the request's id and the DPoP nonce, in log lines that id and the
milliseconds (`bench/sealed_timing.py` is about those).
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from demo.people import register
from gateway.bootstrap.watching import watch_rounds
from gateway.services.ledger.keeper import Keeper
from gateway.store.tables import access_event, alert
from gateway.store.tables.credentials import credential_offer
from tests.fakes.postgres import new_database
from tests.fakes.tokens import Asker, officer
from tests.flows.house import House
from tests.flows.questions import PARTS, key_of
from tests.flows.register import MINOR, THEIRS, ZHOU, StoreFacts, seed_register
from tests.flows.town import COUNT, SEED, Town, gateway_of, unhurried

pytestmark = pytest.mark.anyio
SEALED_CASE, NO_CASE = "(2026)粤0604刑初88号", "(2026)粤0604刑初87号"
MINE = "(2026)粤0604刑初123号"
NOBODY = [
    {"idNo": number, "name": "无此人"} for number in ("440604199001010018", "440604199001010034", "440604199001010050")
]
VARYING_HEADERS = {"date", "x-request-id", "dpop-nonce"}
ENVELOPE = (
    "state source asOf fetchedAt reason retryAt withheld quality { field flag } sources { source state reason asOf } "
    "conflicts { field } review { source nameMasked } records { source sourceRecordId }"
)
WHOLE = "pid " + " ".join(f"{part} {{ {ENVELOPE} }}" for part in PARTS)


def purpose(case_no: str = MINE) -> str:
    return f'@purpose(code: "CC_RECEPTION", caseNo: "{case_no}")'


ONE = f"query One($idNo: String!, $name: String!) {purpose()} {{ person(idNo: $idNo, name: $name) {{ {WHOLE} }} }}"
MANY = f"query Many($of: [PersonKey!]!) {purpose()} {{ people(of: $of) {{ {WHOLE} }} }}"
CASE = f"""query Case($caseNo: String!) {purpose()} {{ case(caseNo: $caseNo) {{ {
    ENVELOPE.replace(
        "sourceRecordId", "caseNo chargeText minorAtOffence person { pid identity { state } } documents { state }"
    )
} }} }}"""
CASES = f"""query Cases($first: Int!, $after: String) {purpose()} {{ cases(executionAdmin: "440604", first: $first, after: $after) {{
  state edges {{ cursor node {{ caseNo sourceRecordId person {{ pid }} }} }} pageInfo {{ hasNextPage endCursor }} }} }}"""


# What is looked at once in so many seconds, whoever is asked about: jobs, keys that tokens are checked with, what is spent.
BY_THE_CLOCK = (
    "FROM job",
    "FROM oauth_signing_key",
    "FROM data_key",
    "DELETE FROM spent_once",
    "DELETE FROM revocation",
)
# Who looks every few seconds or on hearing news, in a task of their own: the same statement out of a request would count.
BESIDE = frozenset(
    ("disputes", "rules", "floods", "events", "jobs", "consents", "credentials", "key changes", "subject-keys", "purge")
)


@dataclass
class Seen:
    """Everything of one request that anybody could look at."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    statements: list[str]
    calls: dict[str, dict[str, int]]
    metrics: Counter[str]
    logs: list[dict[str, Any]]
    events: int
    inner: list[str] = field(compare=False, default_factory=list)


class Watched:
    """Chancheng's gateway, on the register, with nothing running beside the request that is looked at."""

    def __init__(self, house: House, town: Town) -> None:
        self.house, self.town, self.gateway = house, town, house.gateway

    async def look(self, asker: Asker, query: str, **variables: Any) -> Seen:
        statements: list[str] = []

        def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            asking = asyncio.current_task()
            beside = asking is not None and asking.get_name() in BESIDE
            if not beside and not any(words in statement for words in BY_THE_CLOCK):
                statements.append(statement)

        await self.town.forget()
        engine = self.gateway.store.database.engine.sync_engine
        before, events = self._counted(), len(await self.rows(access_event))
        sa.event.listen(engine, "before_cursor_execute", note)
        url = f"{self.house.url}/graphql"
        with capture_logs() as logs:
            async with self.house.session.post(
                url, json={"query": query, "variables": variables}, headers=asker.headers("POST", url)
            ) as answer:
                body, status = await answer.read(), answer.status
                headers = [(k.lower(), v) for k, v in answer.headers.items() if k.lower() not in VARYING_HEADERS]
        sa.event.remove(engine, "before_cursor_execute", note)
        found = await self.rows(access_event)
        return Seen(
            status,
            headers,
            alike(body),
            statements,
            {code: await self.town.calls(code) for code in self.town.running},
            self._counted() - before,
            [{name: value for name, value in line.items() if name not in ("ms", "request_id")} for line in logs],
            len(found) - events,
            [row.inner_rule_ids for row in found[events:]],
        )

    def _counted(self) -> Counter[str]:
        """Every counter, and how many times a duration was measured; not how long it took. A text that comes for the first
        time is planned, whomever it asks about: that counts like one that is known."""
        text = self.gateway.metrics.exposition()
        text = text.decode() if isinstance(text, bytes) else text
        lines = [line.rsplit(" ", 1) for line in text.splitlines() if line and line[0] != "#"]
        found: Counter[str] = Counter()
        for name, value in lines:
            if re.search(r"_(total|count)(\{|$)", name):
                found[name.replace('how="COLD"', 'how="WARM"')] += int(float(value))
        return found

    async def rows(self, table: sa.Table) -> list[Any]:
        async with self.gateway.store.database.read() as connection:
            return list(await connection.execute(sa.select(table).order_by(*table.primary_key)))


def alike(body: bytes) -> bytes:
    body = re.sub(rb'"pid":"[a-z0-9]{26}"', b'"pid":"?"', body)
    body = re.sub(
        rb'"receipt":\{"id":"[0-9a-f-]{36}","recordedAt":"[^"]{10,40}","leafHash":"[A-Za-z0-9+/=]{44}","level":"DURABLE","proof":"/ledger/receipts/[0-9a-f-]{36}"\}',
        b'"receipt":"?"',
        body,
    )
    return re.sub(rb'("fetchedAt"|"asOf"):"[^"]*"', rb"\1:?", body)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def watched(
    wide_town: Town, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[Watched]:
    await wide_town.heal()
    facts = StoreFacts()
    home = tmp_path_factory.mktemp("sealed")
    given: dict[str, object] = {"alarm_poll_s": 0, "reload_poll_s": 0}
    if request.param == "postgresql":
        given["database_url"] = new_database("sealed").render_as_string(hide_password=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Keeper, "__call__", _resting)
        async with gateway_of(wide_town, home, unhurried, facts=facts, **given) as opened:
            facts.open(opened.gateway)
            await seed_register(opened.gateway)
            yield Watched(opened, wide_town)


async def _resting(keeper: Keeper) -> None:
    """Entries wait: the log is written by what runs beside all requests alike."""
    await keeper._stopping.wait()


@pytest.fixture
async def lin(watched: Watched) -> Asker:
    return await officer(watched.gateway, "officer-lin")


@pytest.fixture
async def agency(watched: Watched) -> Asker:
    """王小明's own agency."""
    return await officer(watched.gateway, "officer-he", org_id=THEIRS)


@pytest.fixture(autouse=True)
async def warm(watched: Watched, lin: Asker) -> None:
    """What is worked out once, the first time anybody is refused, is worked out."""
    await watched.look(lin, ONE, idNo="440604199001010077", name="无此人")
    await watched.look(lin, CASE, caseNo="(2026)粤0604刑初86号")


async def test_asked_by_number_he_is_nobody(watched: Watched, lin: Asker) -> None:
    sealed = await watched.look(lin, ONE, **key_of(MINOR))
    nobody = await watched.look(lin, ONE, **NOBODY[0])
    assert sealed == nobody
    assert (sealed.status, sealed.events) == (200, 1)
    assert sealed.calls == {code: {} for code in watched.town.running}, "nobody outside hears of either"
    assert b'"WITHHELD"' in sealed.body
    assert b'"rules":["no-ground"]' in sealed.body
    assert sealed.inner != nobody.inner, "what really decided stands in evidence"


@pytest.mark.parametrize("road", ["event stream", "socket"])
async def test_over_a_stream_or_a_socket_he_is_nobody_too(watched: Watched, lin: Asker, road: str) -> None:
    """Every frame of it, byte for byte."""
    url = f"{watched.house.url}/graphql"

    async def told(key: dict[str, str]) -> list[bytes]:
        asked = {"query": ONE, "variables": key}
        if road == "event stream":
            headers = lin.headers("POST", url) | {"accept": "text/event-stream"}
            async with watched.house.session.post(url, json=asked, headers=headers) as answer:
                return [alike(line) for line in (await answer.read()).split(b"\n")]
        async with watched.house.session.ws_connect(url, protocols=("graphql-transport-ws",)) as ws:
            await ws.send_json(lin.init(url))
            await ws.send_json({"type": "subscribe", "id": "1", "payload": asked})
            frames = [alike((await ws.receive_str(timeout=20)).encode()) for _ in range(3)]
            return frames

    sealed, nobody = await told(key_of(MINOR)), await told(NOBODY[0])
    assert sealed == nobody
    assert b"WITHHELD" in b"".join(sealed)


async def test_what_his_own_agency_asked_before_does_not_make_him_any_quicker_to_refuse(
    watched: Watched, agency: Asker
) -> None:
    """The first question of an organisation reads from the store who it is about, whatever others know by heart."""
    await watched.look(agency, ONE.replace(MINE, SEALED_CASE), **key_of(MINOR))
    seen = []
    for number, key in enumerate((key_of(MINOR), NOBODY[1])):
        stranger = await officer(watched.gateway, f"officer-{number}", org_id=f"cc-fresh-{number}")
        seen.append(await watched.look(stranger, ONE, **key))
    assert seen[0] == seen[1]
    assert len([one for one in seen[0].statements if "FROM subject" in one and "id_hmac" in one]) == 1


async def test_asked_again_and_among_others_he_is_nobody_still(watched: Watched, lin: Asker) -> None:
    zhang = key_of("zhang-san-017")
    await watched.look(lin, MANY, of=[zhang, key_of(MINOR), *NOBODY])  # one's own earlier questions help one
    first = await watched.look(lin, MANY, of=[zhang, key_of(MINOR), NOBODY[1]])
    other = await watched.look(lin, MANY, of=[zhang, NOBODY[1], NOBODY[2]])
    again = await watched.look(lin, MANY, of=[zhang, NOBODY[1], key_of(MINOR)])
    for seen in (first, other, again):
        seen.calls.clear()  # 张三's own departments answer from the cache the second time
        seen.metrics = Counter({name: n for name, n in seen.metrics.items() if "upstream" not in name})
    assert first == other == again
    assert first.events == 3
    assert b'"FRESH"' in first.body


async def test_by_his_case_number_there_is_no_such_case(watched: Watched, lin: Asker) -> None:
    sealed = await watched.look(lin, CASE, caseNo=SEALED_CASE)
    nobody = await watched.look(lin, CASE, caseNo=NO_CASE)
    assert sealed == nobody
    asked = [name for name in sealed.metrics if "upstream" in name]
    assert asked
    assert all('"GDSJ"' in name for name in asked), "the register was asked, and nobody after it"
    assert b'"NOT_FOUND"' in sealed.body


async def test_whose_a_row_is_takes_a_whole_reading_though_the_asker_named_him_before(
    watched: Watched, lin: Asker
) -> None:
    """Were it quicker then, it would say whose the case is."""
    named = [await watched.look(lin, ONE, **key) for key in (key_of(MINOR), NOBODY[0]) for _ in range(2)]
    assert named[1] == named[3]
    sealed = await watched.look(lin, CASE, caseNo=SEALED_CASE)
    nobody = await watched.look(lin, CASE, caseNo=NO_CASE)
    assert sealed == nobody

    def wholly(seen: Seen) -> int:
        return sum("subject_seal" in statement for statement in seen.statements)

    assert wholly(sealed) == 1
    assert wholly(named[1]) == (0 if watched.gateway.store.database.is_sqlite else 1)


async def test_a_claim_of_his_case_number_changes_nothing(watched: Watched, lin: Asker) -> None:
    claims = [ONE.replace(MINE, case_no) for case_no in (SEALED_CASE, NO_CASE)]
    for key in (key_of(MINOR), NOBODY[0]):  # one's own earlier questions help one
        await watched.look(lin, ONE, **key)
    seen = [await watched.look(lin, claim, **key) for claim in claims for key in (key_of(MINOR), NOBODY[0])]
    for one in seen[1:]:
        assert one == seen[0]


async def test_lists_do_not_know_him_and_no_page_is_shorter(watched: Watched, lin: Asker) -> None:
    for first in (1, 7, 100):
        shown, after = [], None
        while True:
            answer = await watched.house.data(CASES, {"first": first, "after": after})
            page = answer["cases"]
            shown += [edge["node"]["caseNo"] for edge in page["edges"]]
            if not page["pageInfo"]["hasNextPage"]:
                break
            assert len(page["edges"]) == first
            after = page["pageInfo"]["endCursor"]
        assert SEALED_CASE not in shown
        held = (case for one in register(SEED, COUNT).people for case in one.cases if "GDSJ" in case.held_by)
        expected = [case.case_no for case in held if case.execution_admin == "440604" and not case.minor_at_offence]
        assert sorted(shown) == sorted(expected)


async def test_his_own_agency_sees_him_and_his_case(watched: Watched, agency: Asker) -> None:
    found = await watched.look(agency, ONE.replace(MINE, SEALED_CASE), **key_of(MINOR))
    assert b'"FRESH"' in found.body
    assert b'"source":"GDSJ","sourceRecordId"' in found.body
    case = await watched.look(agency, CASE.replace(MINE, SEALED_CASE), caseNo=SEALED_CASE)
    assert b'"minorAtOffence":true' in case.body
    assert SEALED_CASE.encode() in case.body


async def test_kin_oneself_and_strangers_are_the_same_no(watched: Watched) -> None:
    """周凯 asks about his former wife, himself, somebody without a case of his, and nobody."""
    zhou = await officer(watched.gateway, ZHOU, org_id="cc-jo-of-zhou")
    people = [key_of("li-mei"), key_of("zhou-kai"), key_of(MINOR), key_of("zhang-san-033"), NOBODY[0]]
    seen = [await watched.look(zhou, ONE, **key) for key in people]
    for one in seen[1:]:
        assert one == seen[0]
    inner = [" ".join(one.inner) for one in seen]
    assert len({*inner}) == 4, "evidence knows which it was; a stranger and nobody are one"


OFFER = """mutation Offer($idNo: String!, $name: String!) @purpose(code: "CREDENTIAL_OFFER", caseNo: "%s") {
  offerCredential(idNo: $idNo, name: $name, credential: ["residence"]) { link txCode offer { id } } }"""
OFFERS = """query Offers($idNo: String!, $name: String!) @purpose(code: "CREDENTIAL_OFFER", caseNo: "%s") {
  credentialOffers(idNo: $idNo, name: $name) { id state } }"""
OFFERING = ("CREDENTIAL_OFFER",)


async def test_a_credential_is_offered_to_him_as_little_as_to_nobody(watched: Watched) -> None:
    """Sealed, unknown, kin, oneself and a stranger: one refusal, byte for byte, and nobody has an offer afterwards."""
    lin = await officer(watched.gateway, "officer-lin", purposes=OFFERING)
    zhou = await officer(watched.gateway, ZHOU, org_id="cc-jo-of-zhou", purposes=OFFERING)
    for asker, people in (
        (lin, [key_of(MINOR), NOBODY[0]]),
        (zhou, [key_of("li-mei"), key_of("zhou-kai"), key_of(MINOR), key_of("zhang-san-033"), NOBODY[0]]),
    ):
        for text in (OFFER % MINE, OFFERS % MINE):
            for key in people:  # one's own earlier questions help one
                await watched.look(asker, text, **key)
            seen = [await watched.look(asker, text, **key) for key in people]
            for one in seen[1:]:
                assert one == seen[0]
            assert seen[0].events == 1
        assert b'"credentialOffers":[]' in seen[0].body
    refused = await watched.look(lin, OFFER % MINE, **key_of(MINOR))
    assert (refused.status, b'"code":"NO_GROUND"' in refused.body) == (200, True)
    assert await watched.rows(credential_offer) == []


async def test_to_the_person_of_the_case_it_is_offered_and_only_that_body_sees_the_offer(watched: Watched) -> None:
    lin = await officer(watched.gateway, "officer-lin", purposes=OFFERING)
    zhang = key_of("zhang-san-017")
    made = await watched.look(lin, OFFER % MINE, **zhang)
    assert made.status == 200
    assert b'"errors"' not in made.body
    (offer,) = await watched.rows(credential_offer)
    one = f'query {{ credentialOffer(id: "{offer.offer_id}") {{ id state timeline {{ step }} }} }}'
    one = one.replace("query {", f'query One @purpose(code: "CREDENTIAL_OFFER", caseNo: "{MINE}") {{', 1)
    assert b'"timeline":[{"step":"CREATED"}]' in (await watched.look(lin, one)).body
    far = await officer(watched.gateway, "officer-far", org_id="cc-jo-far", purposes=OFFERING)
    others = await watched.look(far, one)
    none = await watched.look(far, one.replace(offer.offer_id, "0" * 32))
    assert others.body == none.body
    assert b'"credentialOffer":null' in none.body


async def test_the_alarms_are_raised_afterwards_by_other_work(watched: Watched, lin: Asker) -> None:
    raising, *_ = watch_rounds(watched.gateway.store, watched.gateway.clock)
    await raising()
    before = {(row.type, row.about_id, row.subject_id) for row in await watched.rows(alert)}
    for key in (key_of(MINOR), NOBODY[2]):
        await watched.look(lin, ONE, **key)
    assert {(row.type, row.about_id, row.subject_id) for row in await watched.rows(alert)} == before
    await raising()
    raised = await watched.rows(alert)
    subjects = await watched.gateway.store.subjects.recognise([key_of(MINOR)["idNo"], NOBODY[2]["idNo"]])
    assert {("A11_INSIDER", "officer-lin", subject) for subject in subjects} <= {
        (row.type, row.about_id, row.subject_id) for row in raised
    }


async def test_the_officer_cannot_look_at_alerts_and_a_supervisor_sees_those_of_others(
    watched: Watched, lin: Asker
) -> None:
    raising, *_ = watch_rounds(watched.gateway.store, watched.gateway.clock)
    await watched.look(lin, ONE, **key_of(MINOR))
    await raising()
    url = f"{watched.house.url}/admin/alerts"
    async with watched.house.session.get(url, headers=lin.headers("GET", url)) as answer:
        assert answer.status == 403
    boss = await officer(watched.gateway, "boss-1", roles=("SUPERVISOR",))
    async with watched.house.session.get(url, headers=boss.headers("GET", url)) as answer:
        assert answer.status == 200
        found = (await answer.json())["alerts"]
    assert {one["aboutId"] for one in found} >= {"officer-lin"}
    own = await officer(watched.gateway, "officer-lin", roles=("SUPERVISOR",))
    async with watched.house.session.get(url, headers=own.headers("GET", url)) as answer:
        assert "officer-lin" not in {one["aboutId"] for one in (await answer.json())["alerts"]}


async def test_emergency_access_opens_one_field_of_one_person_and_no_seal(watched: Watched) -> None:
    far = await officer(watched.gateway, "officer-far", org_id="cc-jo-far")
    url = f"{watched.house.url}/admin/break-glass"
    body = {
        "reasonCode": "RISK_TO_LIFE", "reason": "他打电话说要跳江,必须马上找到他", "caseNo": MINE,
        "items": ["residence.address"], "review": "AFTER",
    }  # fmt: skip

    async def open_for(key: dict[str, str], case_no: str = MINE) -> tuple[int, bytes]:
        said = body | {"idNo": key["idNo"], "caseNo": case_no}
        async with watched.house.session.post(url, json=said, headers=far.headers("POST", url)) as answer:
            return answer.status, await answer.read()

    assert await open_for(key_of(MINOR), SEALED_CASE) == await open_for(NOBODY[0], SEALED_CASE)
    ask = f"""query One($idNo: String!, $name: String!) {purpose()} {{ person(idNo: $idNo, name: $name) {{
      residence {{ state records {{ address permitNo }} }} identity {{ state }} }} }}"""
    assert (await watched.look(far, ask, **key_of("zhang-san-017"))).body.count(b"WITHHELD") == 2
    status, _ = await open_for(key_of("zhang-san-017"))
    assert status == 201
    opened = await watched.look(far, ask, **key_of("zhang-san-017"))
    assert "福宁路36号".encode() in opened.body
    assert b'"identity":{"state":"WITHHELD"}' in opened.body
    assert "A17_RULE_WAIVED" in " ".join(opened.inner)
