"""A second application, legal aid, is there by files alone: schema, purpose, rules, people, client (C23)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from demo.bodies import AGENCY, LEGAL_AID, identity_files
from demo.docket import case_files
from demo.people import register
from demo.queries import CASE
from demo.queries import LEGAL_AID as QUERY
from gateway.bootstrap.composition import stored_facts
from gateway.bootstrap.identities import importer
from gateway.policy.facts import Facts
from gateway.services.identity_rows import from_files
from gateway.services.import_cases import ImportCases
from tests.fakes.tokens import Asker, officer
from tests.flows.house import House
from tests.flows.town import COUNT, SEED, Town, gateway_of, unhurried

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
ZHANG_SAN = {"idNo": "440606199003070017", "name": "张三"}
LI_MEI = {"idNo": "44060419910518002X", "name": "李梅"}


class _Later:
    """The store's own facts, once there is a store."""

    def __init__(self) -> None:
        self.real: Facts | None = None

    async def of(self, *asked: Any) -> Any:
        assert self.real is not None
        return await self.real.of(*asked)


@pytest.fixture(scope="module")
async def aided(wide_town: Town, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """Chancheng's gateway on the demo's own files, its bodies and its register of cases imported."""
    await wide_town.heal()
    facts = _Later()
    async with gateway_of(wide_town, tmp_path_factory.mktemp("aid"), unhurried, facts=facts) as house:
        gateway = house.gateway
        facts.real = stored_facts(gateway.store, gateway.clock)
        files = {name: text.encode() for name, text in identity_files().items()}
        plan = await importer(gateway.store, gateway.settings)(from_files(files), actor_org="TOWN", actor_user="test")
        assert plan.faults == ()
        docket = case_files(register(SEED, COUNT).people, officers=True)
        done = await ImportCases(gateway.store.cases, gateway.store.subjects)(
            {name: text.encode() for name, text in docket.items()}
        )
        assert done.faults == ()
        yield house


async def _ask(house: House, asker: Asker, query: str, who: dict[str, str]) -> dict[str, Any]:
    url = f"{house.url}/graphql"
    body = {"query": query, "variables": who}
    async with house.session.post(url, json=body, headers=asker.headers("POST", url)) as reply:
        answer: dict[str, Any] = await reply.json(content_type=None)
        return answer


async def _lawyer(house: House, **claims: Any) -> Asker:
    given = {"org_id": LEGAL_AID, "org_kind": "LEGAL_AID", "roles": ("LEGAL_AID_OFFICER",), **claims}
    return await officer(house.gateway, "lawyer-su", purposes=("LEGAL_AID_SERVICE",), **given)


async def test_the_lawyer_sees_the_aid_case_by_the_applications_own_rules(aided: House) -> None:
    answer = await _ask(aided, await _lawyer(aided), QUERY, ZHANG_SAN)
    assert "errors" not in answer
    person = answer["data"]["person"]
    (record,) = person["legalAid"]["records"]
    assert record["state"] == "OPEN"
    assert record["aidNo"].startswith("禅法援〔2026〕")
    assert person["identity"]["records"] == [{"name": "张三", "sex": "MALE"}]
    rules = set(answer["extensions"]["policy"]["rules"])
    assert {"purpose:LEGAL_AID_SERVICE", "legal-aid-person", "legal-aid-name", "application-items"} <= rules
    assert any("法律援助法" in basis for basis in answer["extensions"]["policy"]["basis"])


async def test_the_purpose_reaches_what_it_names_and_nothing_else(aided: House) -> None:
    query = QUERY.replace("name sex", "name phone").replace(
        "legalAid {", "insurance { state withheld records { unitName } } legalAid {"
    )
    person = (await _ask(aided, await _lawyer(aided), query, ZHANG_SAN))["data"]["person"]
    assert person["insurance"] == {"state": "WITHHELD", "withheld": ["unitName"], "records": []}
    assert [record["phone"] for record in person["identity"]["records"]] in ([None], [])


async def test_whoever_is_not_the_centres_client_is_no_ones_business(aided: House) -> None:
    answer = await _ask(aided, await _lawyer(aided), QUERY, LI_MEI)
    assert answer["data"]["person"]["legalAid"]["state"] == "WITHHELD"
    assert answer["extensions"]["policy"]["rules"] == ["no-ground"]


async def test_nobody_else_may_claim_the_purpose(aided: House) -> None:
    stranger = await officer(
        aided.gateway, org_id=AGENCY, org_kind="CORRECTION_AGENCY", purposes=("LEGAL_AID_SERVICE",)
    )
    answer = await _ask(aided, stranger, QUERY, ZHANG_SAN)
    assert answer["errors"][0]["extensions"]["code"] == "PURPOSE_NOT_YOURS"


async def test_the_justice_office_sees_the_little_its_help_needs(aided: House) -> None:
    lin = await officer(aided.gateway, org_id="CC-JO-ZUMIAO", purposes=("CC_HELP",))
    query = f"""query Help($idNo: String!, $name: String!) @purpose(code: "CC_HELP", caseNo: "{CASE}") {{
      person(idNo: $idNo, name: $name) {{ legalAid {{ state withheld records {{ kind state lawyer }} }} }} }}"""
    part = (await _ask(aided, lin, query, ZHANG_SAN))["data"]["person"]["legalAid"]
    assert part["withheld"] == ["lawyer"]
    assert [(one["state"], one["lawyer"]) for one in part["records"]] == [("OPEN", None)]


def test_no_file_of_the_product_knows_of_it() -> None:
    for floor in ("gateway", "adapters", "schema"):
        for file in (ROOT / floor).rglob("*"):
            if file.suffix in (".py", ".toml", ".cedar", ".graphql", ".cedarschema"):
                text = file.read_text(encoding="utf-8").lower()
                assert "legalaid" not in text, file
                assert "legal_aid" not in text, file
