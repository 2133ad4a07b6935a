"""From an access on record to evidence that verifies with `ledger` alone: over real HTTP, over the real store."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from adapters.onward import UpstreamReceipt
from gateway.caller import Alert, Change, Decision
from gateway.clock import SystemClock
from gateway.store.alerts import StoredAlerts
from gateway.store.changes import record_change
from gateway.store.tables import change_event
from ledger.checkpoint import Checkpoint
from ledger.errors import PolicyUnsatisfied
from ledger.evidence import Findings, parse_evidence, verify_evidence
from ledger.merkle import leaf_hash, root_of
from ledger.note import parse_note, sign_note
from ledger.policy import parse_policy, verify_checkpoint
from ledger.proof import parse_proof, verify_proof
from ledger.tiles import bundles_of, decode_bundle
from tests.fakes.ledger import WITNESSES, WITNESSING
from tests.fakes.person_house import PersonHouse, person_house
from tests.fakes.tokens import Asker, officer
from tests.gateway.web.test_history import at_home, supervisor
from tests.gateway.web.test_history import record as put
from tests.gateway.web.test_me_consent import decided

pytestmark = pytest.mark.anyio
OTHER = "f" * 32


@pytest.fixture
async def house() -> AsyncIterator[PersonHouse]:
    async with person_house() as opened, opened.working():
        await opened.store.log.open("yimen.example/ledger", "2026")
        assert await opened.store.log.lead()
        yield opened


async def sign(house: PersonHouse, *cosigners: str) -> None:
    """Everything that waits gets its index; a checkpoint over it is signed, cosigned and published."""
    log = house.store.log
    while await log.sequence(1000):
        pass
    tree = await log.tree()
    note = sign_note(Checkpoint(tree.origin, tree.size, tree.root).text, await log.signers())
    await log.keep_checkpoint(tree, note)
    lines = {name: str(WITNESSES[name].sign(note.text, 1_800_000_000)) for name in cosigners}
    await log.keep_cosignatures(tree.shard, tree.size, lines, sealed=len(lines) >= 4)
    await log.publish(tree.shard, tree.size)


async def record(house: PersonHouse, *subjects: str, **changes: Any) -> str:
    """With a digest as answers have it."""
    digest = hmac.digest(b"s" * 16, b"the answer", "sha256")
    return await put(house, *subjects, result_salt=b"s" * 16, result_digest=digest, **changes)


SEALING = ("GA", "JCY", "FY", "SFJ")


async def policy(house: PersonHouse) -> Any:
    """What we say of our own key, and the witnesses as a reader knows them."""
    text = (await raw(house, "/ledger/policy?format=text")).decode().replace("quorum none\n", "")
    return parse_policy(text + WITNESSING)


async def raw(house: PersonHouse, path: str, status: int = 200, **headers: str) -> bytes:
    async with house.client.get(house.url + path, headers=headers) as reply:
        body = await reply.read()
        assert reply.status == status, (path, body)
        return body


async def evidence(house: PersonHouse, event: str, asker: Asker, status: int = 200) -> bytes:
    path = f"/ledger/receipts/{event}/evidence"
    return await raw(house, path, status, **asker.headers("GET", house.url + path))


async def verified(house: PersonHouse, body: bytes) -> Findings:
    return verify_evidence(parse_evidence(body), await policy(house))


async def test_a_receipt_is_upgraded_and_the_whole_log_hashes_to_what_was_signed(house: PersonHouse) -> None:
    subject = await house.enrol()
    event = await record(house, subject)
    assert json.loads(await raw(house, f"/ledger/receipts/{event}"))["level"] == "DURABLE"
    await sign(house, "GA")
    said = json.loads(await raw(house, f"/ledger/receipts/{event}"))
    assert said["level"] == "INCLUDED"
    leaf = leaf_hash(said["entry"].encode())
    with pytest.raises(PolicyUnsatisfied):
        verify_proof(parse_proof(await raw(house, said["proof"])), leaf, await policy(house))
    await sign(house, *SEALING)
    said = json.loads(await raw(house, f"/ledger/receipts/{event}"))
    assert said["level"] == "SEALED"
    verify_proof(parse_proof(await raw(house, said["proof"])), leaf, await policy(house))
    believed = verify_checkpoint(parse_note(await raw(house, "/ledger/2026/checkpoint")), await policy(house))
    leaves: list[bytes] = []
    for tile in bundles_of(believed.checkpoint.size):
        bundle = decode_bundle(await raw(house, f"/ledger/2026/{tile.path}"), tile.width)
        leaves += map(leaf_hash, bundle)
    assert root_of(leaves) == believed.checkpoint.root
    assert leaves[said["index"]] == leaf


async def test_asker_watcher_and_person_each_get_their_own_evidence_of_it(house: PersonHouse) -> None:
    subject = await at_home(house)
    event = await record(house, subject, OTHER, inner_rule_ids=("no-relatives",), inputs='{"link":"kin"}')
    await sign(house, *SEALING)
    asker = await officer(house, "lin", org_id="office")
    found = await verified(house, await evidence(house, event, asker))
    assert set(found.disclosed) == {"by", "case", "reference"}
    assert found.disclosed["case"] == "(2026)粤0604刑初123号"
    assert "inner" in found.blind
    body = await evidence(house, event, asker)
    assert verify_evidence(parse_evidence(body), await policy(house), answer=b"the answer").answer_checked
    found = await verified(house, await evidence(house, event, await supervisor(house)))
    assert found.disclosed["inner"] == {
        "rules": ["no-relatives"],
        "inputs": '{"link":"kin"}',
        "visible_from": None,
    }
    body = await raw(house, f"/me/history/{event}/evidence")
    found = await verified(house, body)
    assert list(found.disclosed.values()) == [house.store.subjects.pid(subject, "office")]
    for hidden in (b'lin"', "粤0604".encode(), b"ref-7", b"no-relatives", b"link", subject.encode(), OTHER.encode()):
        assert hidden not in body, hidden
    async with house.store.database.read() as connection:
        query = sa.select(change_event).where(change_event.c.kind == "EVIDENCE_READ")
        rows = (await connection.execute(query)).all()
    assert [(row.actor_user, row.object_id) for row in rows] == [("boss", event)]


async def test_the_page_leads_to_it_and_can_be_kept(house: PersonHouse) -> None:
    subject = await at_home(house)
    event = await record(house, subject)
    await sign(house, *SEALING)
    _, page = await house.get("/me/history")
    assert f'href="/me/history/{event}/evidence"' in page
    text = (await raw(house, f"/me/history/{event}/evidence?format=html")).decode()
    (inside,) = re.findall(r'<script type="application/json" id="evidence">(.*?)</script>', text, re.DOTALL)
    await verified(house, inside.encode())
    assert "祖庙司法所" in text


async def test_the_page_names_what_other_districts_recorded_and_who_gave_no_receipt(house: PersonHouse) -> None:
    subject = await at_home(house)
    kept = UpstreamReceipt("SD", "7" * 32, "2026-11-26T07:00:00Z", "A" * 43 + "=", proof="https://sd.example/proof")
    event = await record(house, subject, upstream=(kept, UpstreamReceipt("NH", note="MALFORMED")))
    await sign(house, *SEALING)
    text = (await raw(house, f"/me/history/{event}/evidence?format=html")).decode()
    for said in (kept.source, kept.recorded_at, kept.leaf_hash, kept.proof, "NH", "MALFORMED"):
        assert f"<code>{said}</code>" in text or f" {said} " in text, said


async def test_what_is_not_theirs_is_told_alike(house: PersonHouse) -> None:
    subject = await at_home(house)
    later = await record(house, subject, visible_from=datetime.now(UTC) + timedelta(days=30))
    foreign = await record(house, OTHER, actor_org="court", decision=Decision.DENY, inner_rule_ids=("sealed",))
    await sign(house, *SEALING)
    zhou, unknown = await officer(house, "zhou", org_id="office"), "0" * 8 + later[8:]
    assert len({await evidence(house, one, zhou, 404) for one in (later, foreign, unknown)}) == 1
    pages = {await raw(house, f"/me/history/{one}/evidence", 404) for one in (later, foreign, unknown)}
    assert len({re.sub(rb'value="[^"]+"', b"", one) for one in pages}) == 1


async def test_an_edited_row_no_longer_fits_its_entry(house: PersonHouse) -> None:
    event = await record(house, OTHER)
    await sign(house, *SEALING)
    lin = await officer(house, "lin", org_id="office")
    await verified(house, await evidence(house, event, lin))
    async with house.store.database.write() as connection:
        await connection.execute(sa.text("UPDATE access_event SET purpose = 'CC_HELP'"))
    with pytest.raises(Exception, match="another record"):
        await verified(house, await evidence(house, event, lin))


async def test_of_an_erased_person_nothing_can_be_shown_and_the_log_still_verifies(house: PersonHouse) -> None:
    event, both = await record(house, OTHER), await record(house, OTHER, "e" * 32)
    await sign(house, *SEALING)
    lin = await officer(house, "lin", org_id="office")
    await house.store.subject_keys.destroy(OTHER)
    assert await evidence(house, event, lin, 404) == await evidence(house, "0" * 8 + event[8:], lin, 404)
    await verified(house, await evidence(house, both, lin))  # the other one's key still opens it
    said = json.loads(await raw(house, f"/ledger/receipts/{event}"))
    proof = parse_proof(await raw(house, said["proof"]))
    verify_proof(proof, leaf_hash(said["entry"].encode()), await policy(house))


async def test_who_may_not_see_when_the_person_may_does_not_see_that_they_may_not(house: PersonHouse) -> None:
    """That an access is hidden from the person for a while tells of a case: it is for those who watch alone."""
    hidden = await record(house, OTHER, visible_from=datetime.now(UTC) + timedelta(days=30), decision=Decision.DENY)
    plain = await record(house, OTHER, decision=Decision.DENY)
    await sign(house, *SEALING)
    lin = await officer(house, "lin", org_id="office")
    one, other = [parse_evidence(await evidence(house, event, lin)) for event in (hidden, plain)]
    changing = {
        "id",
        "recorded_at",
        "by",
        "case",
        "reference",
        "inner",
        "subjects",
        "result",
    }  # blinds, and the event itself
    assert {name: one.record[name] for name in one.record.keys() - changing} == {
        name: other.record[name] for name in other.record.keys() - changing
    }
    assert one.disclosed.keys() == other.disclosed.keys()


async def done(house: PersonHouse, change: Change) -> str:
    async with house.store.database.write() as connection:
        return await record_change(connection, datetime.now(UTC), change)


async def test_of_a_change_who_made_it_and_who_watches_have_evidence(house: PersonHouse) -> None:
    boss = await supervisor(house)
    approved = await done(house, Change("POLICY_APPROVED", "p-1", "office", "lin", detail={"digest": "d", "was": None}))
    enrolled = await done(house, Change("PERSON_ENROLLED", OTHER, "office", "lin", OTHER, {"by_subject_id": OTHER}))
    lin, zhou = await officer(house, "lin", org_id="office"), await officer(house, "zhou", org_id="office")
    assert b"LEDGER_NOT_INCLUDED" in await evidence(house, approved, lin, 409)
    await sign(house, *SEALING)
    for asker in (lin, boss):
        found = await verified(house, await evidence(house, approved, asker))
        assert (found.entry.kind, found.record["kind"]) == ("policy", "POLICY_APPROVED")
        assert found.disclosed == {"by": "lin", "object": "p-1", "detail": {"digest": "d", "was": None}}
        body = await evidence(house, enrolled, asker)
        found = await verified(house, body)
        assert OTHER.encode() not in body  # by our own id no reader knows anybody
        assert (found.disclosed, set(found.blind)) == ({"by": "lin"}, {"object", "detail", "subject"})
    unknown = "0" * 8 + approved[8:]
    assert await evidence(house, approved, zhou, 404) == await evidence(house, unknown, zhou, 404)
    async with house.store.database.read() as connection:
        query = sa.select(change_event).where(change_event.c.kind == "EVIDENCE_READ")
        rows = (await connection.execute(query)).all()
    assert [(row.actor_user, row.object_id) for row in rows] == [("boss", approved), ("boss", enrolled)]
    path = f"/ledger/receipts/{approved}/evidence"
    headers = boss.headers("GET", house.url + path) | {"accept": "text/html"}
    page = (await raw(house, path, **headers)).decode()
    assert "规则" in page
    assert "POLICY_APPROVED" in page
    assert "digest d" in page


async def test_of_an_alert_who_watches_has_evidence_once_its_entry_came(house: PersonHouse) -> None:
    """Until then there is nothing in the log to prove it by, and nothing in it that tells of the alert."""
    boss, lin = await supervisor(house), await officer(house, "lin", org_id="office")
    alerts = StoredAlerts(house.store.database, SystemClock())
    raised = await alerts.raise_alert(Alert("A11_INSIDER", "S1", "OFFICER", "lin", "office", detail={"queries": 900}))
    await sign(house, *SEALING)
    assert b"LEDGER_NOT_INCLUDED" in await evidence(house, raised, boss, 409)
    async with house.store.database.write() as connection:
        await connection.execute(sa.text("UPDATE ledger_outbox SET due_at_us = 0"))
    await sign(house, *SEALING)
    found = await verified(house, await evidence(house, raised, boss))
    assert found.disclosed == {"about_id": "lin", "detail": {"queries": 900}}
    assert (found.entry.kind, found.record["alert"]) == ("alert", "A11_INSIDER")
    assert await evidence(house, raised, lin, 404) == await evidence(house, "0" * 8 + raised[8:], lin, 404)
    path = f"/ledger/receipts/{raised}/evidence"
    page = (await raw(house, path, **boss.headers("GET", house.url + path), accept="text/html")).decode()
    assert "A11_INSIDER" in page
    assert "queries 900" in page


async def test_a_person_has_evidence_of_what_they_agreed_to_and_took_back(house: PersonHouse) -> None:
    subject = await house.enrol()
    _, path = await decided(house, "give")
    _, page = await house.get(path)
    await house.post(f"{path}/withdraw", page)
    await sign(house, *SEALING)
    consent_id = path.rpartition("/")[2]
    for what in ("given", "withdrawn"):
        body = await raw(house, f"{path}/evidence?of={what}")
        assert subject.encode() not in body
        found = await verified(house, body)
        assert found.record["kind"] == f"CONSENT_{what.upper()}"
        assert found.entry.actor == "person"
        assert found.disclosed == {"by": "person", "object": consent_id, "detail": {}}
        assert found.blind == ("subject",)
        kept = (await raw(house, f"{path}/evidence?of={what}&format=html")).decode()
        assert "本人" in kept
        (await verified(house, kept.encode()))
    await raw(house, f"{path}/evidence?of=refused", 404)
    await raw(house, f"{path[:-4]}0000/evidence", 404)
    await raw(house, f"{path}/evidence?of=something", 400)


async def test_the_page_of_a_consent_leads_to_its_evidence(house: PersonHouse) -> None:
    await house.enrol()
    _, path = await decided(house, "give")
    await sign(house, *SEALING)
    _, page = await house.get(path)
    assert f'href="{path}/evidence?of=given"' in page
    assert "of=withdrawn" not in page
