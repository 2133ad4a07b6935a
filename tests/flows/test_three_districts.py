"""A person moves from one district to another and works in a third; one question, three gateways, three logs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.bootstrap.upstream_receipts import check_receipts, find_receipt, receipts_round, whose_reference
from gateway.clock import SystemClock
from gateway.store.tables import access_event, alert
from gateway.store.tables.upstream import upstream_proof
from ledger.encoding import unb64
from ledger.evidence import parse_evidence, verify_evidence
from ledger.policy import Policy, parse_policy
from ledger.proof import parse_proof, verify_proof
from tests.fakes.tokens import officer
from tests.flows.districts import CASE, NOBODY, WHO, Districts, connect, dumped, three_districts
from tests.flows.house import House
from tests.flows.town import until

pytestmark = pytest.mark.anyio

ASKED = f"""query Moved($idNo: String!, $name: String!) @purpose(code: "CC_TRANSFER", caseNo: "{CASE}") {{
  person(idNo: $idNo, name: $name) {{
    cases {{ state sources {{ source state reason }} records {{ source state executionAdmin asOf }} }}
    insurance {{ state sources {{ source state reason }} records {{ source unitName }} }}
  }}
}}"""


@pytest.fixture(scope="module")
async def districts(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Districts]:
    async with three_districts(tmp_path_factory.mktemp("districts")) as opened:
        await until(lambda: opened["A"].ask(ASKED, WHO), _whole, within_s=20)
        yield opened


def _whole(answer: dict[str, Any]) -> bool:
    said = answer.get("data") or {}
    person = said.get("person") or {}
    return (person.get("cases") or {}).get("state") == "FRESH" and person["insurance"]["state"] == "FRESH"


async def _get(opened: House, path: str) -> bytes:
    async with opened.session.get(f"{opened.url}{path}") as reply:
        body = await reply.read()
        assert reply.status == 200, body
        return body


async def _evidence(opened: House, entry_id: str) -> bytes:
    """Our own record of what we asked, opened for the officer who asked. It has a proof in a moment."""
    await _get(opened, f"/ledger/receipts/{entry_id}?wait=INCLUDED")
    url = f"{opened.url}/ledger/receipts/{entry_id}/evidence"
    async with opened.session.get(url, headers=opened.asker.headers("GET", url)) as reply:
        body = await reply.read()
        assert reply.status == 200, body
        return body


async def _policy(opened: House) -> tuple[str, Policy]:
    text = (await _get(opened, "/ledger/policy?format=text")).decode()
    return text, parse_policy(text)


async def _upstream(opened: House, answer: dict[str, Any]) -> list[dict[str, Any]]:
    evidence = parse_evidence(await _evidence(opened, answer["extensions"]["receipt"]["id"]))
    found: list[dict[str, Any]] = evidence.record.get("upstream", [])
    return found


async def test_one_question_brings_facts_of_two_districts_and_says_whose_they_are(districts: Districts) -> None:
    answer = await districts["A"].ask(ASKED, WHO)
    person = answer["data"]["person"]
    cases = {one["source"]: (one["state"], one["executionAdmin"]) for one in person["cases"]["records"]}
    assert cases == {"AJZ": ("TRANSFERRING", "440604"), "B/BJZ": ("SUPERVISED", "440606")}
    assert [(one["source"], one["unitName"]) for one in person["insurance"]["records"]] == [("C/CSB", "南海五金厂")]
    assert {one["source"] for one in person["cases"]["sources"]} == {"AJZ", "B"}


async def test_both_receipts_are_in_our_record_and_lead_into_logs_that_verify(
    districts: Districts, tmp_path: Path
) -> None:
    answer = await districts["A"].ask(ASKED, WHO)
    evidence = await _evidence(districts["A"], answer["extensions"]["receipt"]["id"])
    found = verify_evidence(parse_evidence(evidence), (await _policy(districts["A"]))[1])
    kept = {one["source"]: one for one in found.record["upstream"]}
    assert set(kept) == {"B", "C"}
    (tmp_path / "ours.json").write_bytes(evidence)
    for name, receipt in kept.items():
        assert receipt["proof"] == f"{districts[name].url}/ledger/receipts/{receipt['id']}"
        assert receipt["rules"]
        said = json.loads(await _get(districts[name], f"/ledger/receipts/{receipt['id']}?wait=INCLUDED"))
        assert said["leafHash"] == receipt["leafHash"]
        proof = await _get(districts[name], f"/ledger/receipts/{receipt['id']}/proof")
        text, policy = await _policy(districts[name])
        verify_proof(parse_proof(proof), unb64(receipt["leafHash"]), policy)
        # The same by the command a prosecutor runs, with nothing of ours at hand but three files.
        (tmp_path / f"{name}.tlog-proof").write_bytes(proof)
        (tmp_path / f"{name}.policy").write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "ledger", "verify", str(tmp_path / f"{name}.tlog-proof")]
        command += ["--receipt", str(tmp_path / "ours.json"), "--policy", str(tmp_path / f"{name}.policy"), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads(done.stdout)["receipt"]["source"] == name
    assert WHO["idNo"] not in dumped(found.record)
    entry_id = answer["extensions"]["receipt"]["id"]
    url = f"{districts['A'].url}/ledger/receipts/{entry_id}/evidence"
    headers = districts["A"].asker.headers("GET", url) | {"accept": "text/html"}
    async with districts["A"].session.get(url, headers=headers) as reply:
        page = await reply.text()
    assert all(receipt["proof"] in page for receipt in kept.values())


async def test_the_operator_walks_all_receipts_to_their_end(
    districts: Districts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = await districts["A"].ask(ASKED, WHO)
    settings = districts["A"].gateway.settings
    kept = await _upstream(districts["A"], answer)
    for one in kept:
        await _get(districts[one["source"]], f"/ledger/receipts/{one['id']}?wait=INCLUDED")
    assert await check_receipts(settings, 1, 1000, tmp_path) == 0
    said = capsys.readouterr().out
    for one in kept:
        assert f"GOOD         INCLUDED {one['source']:10} {one['id']}" in said
        assert (tmp_path / f"{one['id']}.tlog-proof").read_bytes()
    assert await check_receipts(settings, 1, 1000, None) == 0
    said = capsys.readouterr().out
    assert "GOOD" not in said, "what is proven is not asked for again"
    assert f"proven before: {len(list(tmp_path.iterdir()))}" in said
    assert await find_receipt(settings, kept[0]["id"]) == 0
    assert answer["extensions"]["receipt"]["id"] in capsys.readouterr().out


async def test_a_receipt_their_log_does_not_know_is_an_alert_that_nobody_had_to_ask_for(districts: Districts) -> None:
    answer = await districts["A"].ask(ASKED, WHO)
    (receipt,) = [one for one in await _upstream(districts["A"], answer) if one["source"] == "B"]
    ours = districts["A"].gateway
    forged = "01a21686-1258-77a5-ab80-ea2ffb8bae44"
    event, proofs = access_event.c, sa.select(upstream_proof.c.receipt_id, upstream_proof.c.checked_at_us)
    async with ours.store.database.write() as connection:
        said = sa.func.replace(event.upstream, receipt["id"], forged)
        mine = event.id == answer["extensions"]["receipt"]["id"]
        assert (await connection.execute(sa.update(access_event).values(upstream=said).where(mine))).rowcount == 1
    once = receipts_round(ours.settings, ours.store, SystemClock())
    await once()
    raised = sa.select(alert.c.about_id, alert.c.detail).where(alert.c.type == "A13_LEDGER_BREAK")
    async with ours.store.database.read() as connection:
        (row,) = (await connection.execute(raised)).all()
        looked_at = {row.receipt_id: row.checked_at_us for row in await connection.execute(proofs)}
    assert row.about_id == "receipts of B: UNKNOWN"
    assert forged in str(row.detail)
    await once()
    async with ours.store.database.read() as connection:
        after = {row.receipt_id: row.checked_at_us for row in await connection.execute(proofs)}
    assert after == looked_at, "not asked for again at once"


async def test_the_other_districts_prosecutor_finds_who_asked_for_whom(
    districts: Districts, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = await districts["A"].ask(ASKED, WHO)
    (receipt,) = [one for one in await _upstream(districts["A"], answer) if one["source"] == "B"]
    there = districts["B"]
    prosecutor = await officer(
        there.gateway, "jcy-1", org_id="jcy", org_kind="PROCURATORATE", jurisdiction="4406", roles=("PROSECUTOR",)
    )
    url = f"{there.url}/admin/access-events"
    async with there.session.get(f"{url}?limit=200", headers=prosecutor.headers("GET", url)) as reply:
        assert reply.status == 200
        events = (await reply.json())["events"]
    (event,) = [one for one in events if one["id"] == receipt["id"]]
    assert (event["org"], event["client"], event["decision"]) == ("a-corrections", "gateway-a", "ALLOW")
    assert (event["purpose"], event["caseNo"]) == ("CC_TRANSFER", CASE)
    ours = districts["A"].url.partition("://")[2]
    assert event["reference"].startswith(f"{ours}/")
    assert "zumiao" not in event["reference"], "whose question it is can be read by us alone"
    assert await whose_reference(districts["A"].gateway.settings, event["reference"]) == 0
    assert "cc-jo-zumiao" in capsys.readouterr().out
    assert await whose_reference(districts["C"].gateway.settings, event["reference"]) == 1


async def test_an_unknown_person_is_asked_for_in_the_same_way(districts: Districts) -> None:
    answer = await districts["A"].ask(ASKED, NOBODY)
    person = answer["data"]["person"]
    assert (person["cases"]["state"], person["insurance"]["state"]) == ("NOT_FOUND", "NOT_FOUND")
    assert {one["source"] for one in await _upstream(districts["A"], answer)} == {"B", "C"}


async def test_what_comes_from_a_district_goes_round_in_no_circle(districts: Districts) -> None:
    """B has A as a source, too: A's question is put to B's own register alone, B's own officer's to A as well."""
    before = await _entries(districts["A"])
    await districts["A"].ask(ASKED, WHO)
    assert await _entries(districts["A"]) == before + 1, "A was asked by its officer and by nobody else"
    own = await districts["B"].ask(ASKED, WHO)
    assert {one["source"] for one in own["data"]["person"]["cases"]["sources"]} == {"BJZ", "A"}
    assert own["data"]["person"]["cases"]["state"] == "FRESH"


async def test_a_question_that_comes_back_to_its_first_asker_is_refused(districts: Districts) -> None:
    here = districts["A"]
    headers = {**here.headers(), "yimen-via": f"elsewhere.example, {here.url.partition('://')[2]}"}
    async with here.session.post(
        f"{here.url}/graphql", json={"query": ASKED, "variables": WHO}, headers=headers
    ) as reply:
        said = await reply.json(content_type=None)
    assert [one["extensions"]["code"] for one in said["errors"]] == ["ASKED_IN_A_CIRCLE"]
    async with here.session.post(
        f"{here.url}/graphql", json={"query": ASKED}, headers={**here.headers(), "yimen-via": "a b\tc"}
    ) as reply:
        assert reply.status == 400


async def test_the_time_that_is_left_goes_along(districts: Districts) -> None:
    """Whoever waits no longer is answered at once: not known, never "no record"."""
    here = districts["A"]
    headers = {**here.headers(), "yimen-within-ms": "0"}
    async with here.session.post(
        f"{here.url}/graphql", json={"query": ASKED, "variables": WHO}, headers=headers
    ) as reply:
        person = (await reply.json(content_type=None))["data"]["person"]
    assert {(one["state"], one["reason"]) for one in person["cases"]["sources"]} == {("UNAVAILABLE", "TIMEOUT")}
    assert person["insurance"]["state"] == "UNAVAILABLE"


async def test_a_client_that_was_disabled_gets_nothing_and_the_rest_is_as_before(districts: Districts) -> None:
    await districts.manage["B"].disable("gateway-a")
    try:
        answer = await until(
            lambda: districts["A"].ask(ASKED, WHO), lambda one: _reason(one, "cases", "B") == "REFUSED"
        )
        person = answer["data"]["person"]
        assert person["cases"]["state"] == "PARTIAL"
        assert [one["source"] for one in person["cases"]["records"]] == ["AJZ"]
        assert person["insurance"]["state"] == "FRESH"
        assert "B" not in {one["source"] for one in await _upstream(districts["A"], answer) if "id" in one}
    finally:
        await districts.manage["B"].enable("gateway-a")
    await until(lambda: districts["A"].ask(ASKED, WHO), _whole, within_s=10)


async def test_a_district_that_is_down_leaves_the_others_as_they_are(districts: Districts) -> None:
    text = (districts.home / "A" / "manifests" / "c.toml").read_text(encoding="utf-8")
    url = districts["C"].url
    districts.manifest("A", "c", text.replace(url, "http://127.0.0.1:9"))  # nobody listens there
    try:
        answer = await until(
            lambda: districts["A"].ask(ASKED, WHO),
            lambda one: one["data"]["person"]["insurance"]["state"] == "UNAVAILABLE",
            within_s=20,
        )
        person = answer["data"]["person"]
        assert person["insurance"]["records"] == []
        assert person["cases"]["state"] == "FRESH"
        assert {one["source"] for one in await _upstream(districts["A"], answer)} == {"B"}
    finally:
        districts.manifest("A", "c", text)
    await until(lambda: districts["A"].ask(ASKED, WHO), _whole, within_s=20)


async def test_a_hub_may_hand_a_question_on_where_its_manifest_says_so(districts: Districts) -> None:
    """With `hops = 1` B hands A's question on to C, and A hears from B that C said it."""
    await connect(districts, "B", "C", "insurance", hops=1)
    await connect(districts, "A", "B", "insurance", code="HUB")

    def told(answer: dict[str, Any]) -> bool:
        return {one["source"] for one in answer["data"]["person"]["insurance"]["records"]} == {"C/CSB", "HUB/C/CSB"}

    answer = await until(lambda: districts["A"].ask(ASKED, WHO), told, within_s=20)
    assert {one["source"] for one in await _upstream(districts["A"], answer)} == {"B", "C", "HUB"}


def _reason(answer: dict[str, Any], part: str, source: str) -> str | None:
    sources = answer["data"]["person"][part]["sources"]
    return next((one["reason"] for one in sources if one["source"] == source), None)


async def _entries(opened: House) -> int:
    from sqlalchemy import func, select

    from gateway.store.tables import access_event

    async with opened.gateway.store.database.read() as connection:
        return int(await connection.scalar(select(func.count()).select_from(access_event)) or 0)
