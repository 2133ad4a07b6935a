"""Receipts and their proofs over real HTTP, and who may have evidence of an access."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from ledger.encoding import b64
from ledger.errors import InvalidProof, PolicyUnsatisfied
from ledger.evidence import parse_evidence, verify_evidence
from ledger.merkle import leaf_hash
from ledger.policy import parse_policy
from ledger.proof import parse_proof, verify_proof
from tests.fakes.ledger import WITNESSES
from tests.gateway.web.ledger_house import CALLERS, OTHER, PERSON, LedgerHouse, ledger_house

pytestmark = pytest.mark.anyio
ALLOWED = {"asker": "ASKER", "supervisor": "WATCHER", "discipline": "WATCHER", "prosecutor": "WATCHER"}
SECRETS = ("lin", "g-secret", "粤0604", "no-relatives", PERSON[:4] + "-office", OTHER[:4] + "-office")


@pytest.fixture
async def house() -> AsyncIterator[LedgerHouse]:
    async with ledger_house() as opened:
        yield opened


async def receipt(house: LedgerHouse, entry_id: str, query: str = "") -> tuple[int, dict[str, Any]]:
    reply = await house.get(f"/ledger/receipts/{entry_id}{query}")
    return reply.status, json.loads(await reply.read())


async def test_a_receipt_grows_from_durable_to_included_to_sealed(house: LedgerHouse) -> None:
    house.ledger.grow(4)
    entry_id = house.access(PERSON, sign=False)
    status, said = await receipt(house, entry_id)
    assert status == 200
    assert (said["level"], said["index"], said["shard"], said["checkpoint"], said["proof"]) == ("DURABLE", *[None] * 4)
    assert said["leafHash"] == b64(leaf_hash(said["entry"].encode()))
    early = await house.get(f"/ledger/receipts/{entry_id}/proof")
    assert (early.status, early.headers["retry-after"]) == (409, "1")
    house.ledger.sign("GA", publish=False)
    _, said = await receipt(house, entry_id)
    assert (said["level"], said["index"], said["origin"]) == ("INCLUDED", 4, house.ledger.origin)
    house.ledger.grow(2)
    house.ledger.sign("GA", "JCY", "FY", "SFJ")
    house.ledger.grow(2)
    house.ledger.sign("GA", "JCY", "FY", "SFJ", "JY")
    _, said = await receipt(house, entry_id)
    assert (said["level"], said["recordedAt"]) == ("SEALED", "2026-11-25T01:02:03Z")
    assert [one["name"] for one in said["witnesses"]] == ["GA", "JCY", "FY", "SFJ"]  # the smallest that is sealed
    assert said["checkpoint"].split("\n")[1] == "7"
    assert set(said) == {"id", "level", "shard", "origin", "index", "leafHash", "entry", "recordedAt", "checkpoint",
                         "proof", "witnesses"}  # fmt: skip


async def test_the_proof_verifies_without_us_once_it_is_sealed(house: LedgerHouse) -> None:
    house.ledger.grow(300)
    entry_id = house.access(PERSON, sign=False)
    house.ledger.grow(9)
    house.ledger.sign("GA", "JCY", "FY")
    policy = parse_policy(await house.walk.policy_text())
    _, said = await receipt(house, entry_id)
    leaf = leaf_hash(said["entry"].encode())
    reply = await house.get(said["proof"])
    assert (reply.headers["yimen-ledger-level"], reply.headers["content-type"]) == (
        "INCLUDED",
        "text/plain; charset=utf-8",
    )
    early = parse_proof(await reply.read())
    assert early.extra == b"INCLUDED"
    with pytest.raises(PolicyUnsatisfied):
        verify_proof(early, leaf, policy)
    house.ledger.sign("GA", "JCY", "FY", "SFJ")
    reply = await house.get(said["proof"])
    assert reply.headers["yimen-ledger-level"] == "SEALED"
    believed = verify_proof(parse_proof(await reply.read()), leaf, policy)
    assert set(believed.witnesses) == {"GA", "JCY", "FY", "SFJ"}
    with pytest.raises(InvalidProof):
        verify_proof(parse_proof(await reply.read()), leaf_hash(b"another"), policy)


async def test_one_may_wait_for_the_seal_but_not_for_ever(house: LedgerHouse) -> None:
    entry_id = house.access(PERSON, sign=False)
    began = asyncio.get_running_loop().time()
    _, said = await receipt(house, entry_id, "?wait=SEALED")
    assert said["level"] == "DURABLE"
    assert 0.25 < asyncio.get_running_loop().time() - began < 2
    waiting = asyncio.create_task(receipt(house, entry_id, "?wait=SEALED"))
    while not house.ledger.reads:
        await asyncio.sleep(0.01)
    house.ledger.sign("GA", "JCY", "FY", "SFJ")
    assert (await waiting)[1]["level"] == "SEALED"
    assert (await receipt(house, entry_id, "?wait=FOREVER"))[0] == 400


@pytest.mark.parametrize(
    "name",
    [str(uuid4()), "0" * 36, "x", "%00" * 36, "A" * 36],
    ids=["anybody's", "zeros", "short", "nothing", "letters"],
)
async def test_an_unknown_id_is_one_plain_sentence(house: LedgerHouse, name: str) -> None:
    house.access(PERSON)
    answers = [await house.get(f"/ledger/receipts/{name}{end}") for end in ("", "/proof")]
    assert {one.status for one in answers} == {404}
    for one in answers:
        said = json.loads(await one.read())
        # No address has a NUL in it, so that one leads nowhere at all.
        assert said["errors"][0]["extensions"] == {"code": "NOT_FOUND" if "%00" in name else "RECEIPT_UNKNOWN"}


@pytest.mark.parametrize("who", CALLERS)
async def test_who_may_have_evidence(house: LedgerHouse, who: str) -> None:
    entry_id = house.access(PERSON, OTHER)
    reply = await house.evidence(entry_id, who)
    text = (await reply.read()).decode()
    if who not in ALLOWED:
        assert reply.status == 404
        assert house.openings.opened == []  # nothing was even looked at
        assert house.door.readings == []
        return
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json; charset=utf-8")
    evidence = parse_evidence(text.encode())
    found = verify_evidence(evidence, parse_policy(await house.walk.policy_text()))
    watching = ALLOWED[who] == "WATCHER"
    assert set(found.disclosed) == {"by", "case"} | ({"inner"} if watching else set())
    assert found.disclosed["by"] == {"user": "lin", "grant": "g-secret"}
    assert set(found.blind) == {"subjects/0", "subjects/1"} | (set() if watching else {"inner"})
    assert (evidence.result_salt is None) is watching
    assert ("no-relatives" in text) is watching
    assert PERSON[:4] + "-office" not in text
    read = [(one.kind, one.object_id, one.actor_user) for one in house.door.readings]
    assert read == ([("EVIDENCE_READ", entry_id, CALLERS[who].user_id)] if watching else [])


async def test_the_asker_can_show_which_answer_they_got(house: LedgerHouse) -> None:
    reply = await house.evidence(house.access(PERSON), "asker")
    evidence, policy = parse_evidence(await reply.read()), parse_policy(await house.walk.policy_text())
    assert verify_evidence(evidence, policy, answer=b"the answer").answer_checked
    with pytest.raises(InvalidProof):
        verify_evidence(evidence, policy, answer=b"another")


async def test_without_a_token_there_is_no_evidence(house: LedgerHouse) -> None:
    entry_id = house.access(PERSON)
    reply = await house.get(f"/ledger/receipts/{entry_id}/evidence")
    assert reply.status == 401
    assert house.door.asked == 0


async def test_unknown_foreign_and_erased_are_told_alike(house: LedgerHouse) -> None:
    foreign = house.access(PERSON)
    erased = house.access(PERSON)
    del house.openings.kept[erased]
    asked = {"unknown": (str(uuid4()), "colleague"), "foreign": (foreign, "colleague"), "erased": (erased, "asker")}
    replies = {name: await house.evidence(*one) for name, one in asked.items()}
    assert {one.status for one in replies.values()} == {404}
    assert len({await one.read() for one in replies.values()}) == 1
    for one in replies.values():
        assert one.headers["cache-control"] == "no-store"
    before = house.door.asked, house.ledger.reads
    await house.evidence(str(uuid4()), "colleague")
    unknown = house.door.asked - before[0], house.ledger.reads - before[1]
    before = house.door.asked, house.ledger.reads
    await house.evidence(foreign, "colleague")
    assert unknown == (house.door.asked - before[0], house.ledger.reads - before[1]) == (1, 0)


async def test_evidence_without_a_proof_yet_says_to_come_back(house: LedgerHouse) -> None:
    entry_id = house.access(PERSON, sign=False)
    reply = await house.evidence(entry_id, "asker")
    assert (reply.status, reply.headers["retry-after"]) == (409, "1")
    assert (await house.evidence(entry_id, "colleague")).status == 404


async def test_the_person_sees_that_it_was_about_them_and_nothing_of_others(house: LedgerHouse) -> None:
    entry_id = house.access(PERSON, OTHER)
    house.person.append(PERSON)
    reply = await house.get(f"/me/history/{entry_id}/evidence")
    text = (await reply.read()).decode()
    assert reply.status == 200, text
    found = verify_evidence(parse_evidence(text.encode()), parse_policy(await house.walk.policy_text()))
    assert found.disclosed == {"subjects/0": PERSON[:4] + "-office"}
    for hidden in ("lin", "g-secret", "粤0604", "no-relatives", OTHER[:4] + "-office"):
        assert hidden not in text, hidden
    assert house.door.readings == []  # whoever reads about themselves is not watched


async def test_what_the_history_does_not_show_has_no_evidence(house: LedgerHouse) -> None:
    hidden = house.access(PERSON)
    house.door.about[hidden] = set()  # not to be seen yet
    house.person.append(PERSON)
    texts = set()
    for name in (hidden, house.access(OTHER), str(uuid4()), "x"):
        reply = await house.get(f"/me/history/{name}/evidence")
        assert reply.status == 404
        texts.add(re.sub(r'value="[^"]+"', "", (await reply.read()).decode()))
    assert len(texts) == 1
    house.person.clear()
    reply = await house.get(f"/me/history/{hidden}/evidence")
    assert (reply.status, reply.headers["location"]) == (303, "/me")


async def test_as_a_page_it_is_one_file_that_holds_its_own_evidence(house: LedgerHouse) -> None:
    entry_id = house.access(PERSON, client="</script><b>&", rules=["identity-case-organs", "gone"])
    reply = await house.get(
        f"/ledger/receipts/{entry_id}/evidence", authorization="Bearer asker", accept="text/html,*/*;q=0.8"
    )
    page = (await reply.read()).decode()
    assert reply.status == 200, page
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    for words in ("祖庙司法所", "Zumiao Justice Office", "社区矫正接收", "身份记录：姓名", "接收", "CC Law Art. 5",
                  "已封存", "<li>GA：2026", "2026年11月25日 09:02", "(2026)粤0604刑初123号"):  # fmt: skip
        assert words in page, words
    assert "no-relatives" not in page
    (inside,) = re.findall(r'<script type="application/json" id="evidence">(.*?)</script>', page, re.DOTALL)
    evidence = parse_evidence(inside.encode())
    assert evidence.record["client"] == "</script><b>&"
    verify_evidence(evidence, parse_policy(await house.walk.policy_text()))
    assert not re.findall(r'(?:src|href)="(?!data:)', page)  # nothing to fetch from anywhere
    policy = reply.headers["content-security-policy"]
    assert "script-src" not in policy
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert reply.headers["content-disposition"].startswith("inline")
    same = await house.evidence(entry_id, "asker", "?format=html")
    assert same.headers["content-disposition"] == f'attachment; filename="yimen-evidence-{entry_id}.html"'
    assert (await same.read()).decode() == page


async def test_beside_it_stand_the_rules_as_they_were_called(house: LedgerHouse) -> None:
    reply = await house.evidence(house.access(PERSON), "asker", "?format=rules")
    said = json.loads(await reply.read())
    assert said == {
        "policyVersion": "v1",
        "rules": [
            {"id": "identity-case-organs", "title": {"zh": "接收", "en": "Reception"},
             "basis": "社区矫正法第五条 · CC Law Art. 5"},
            {"id": "gone", "title": {"zh": None, "en": None}, "basis": None},
        ],
    }  # fmt: skip
    reply = await house.evidence(house.access(PERSON, policy="lost"), "asker", "?format=rules")
    assert json.loads(await reply.read())["rules"][0]["basis"] is None
    assert (await house.evidence(str(uuid4()), "asker", "?format=pdf")).status == 400


async def test_evidence_outlives_a_change_of_keys(house: LedgerHouse) -> None:
    reply = await house.evidence(house.access(PERSON), "asker")
    old = await reply.read()
    policy = await house.walk.policy_text()
    later = policy + "log " + str(type(house.ledger.signer)(house.ledger.origin, 1, b"\x09" * 32).key) + "\n"
    assert verify_evidence(parse_evidence(old), parse_policy(later)).witnesses.keys() <= WITNESSES.keys()


async def test_nothing_personal_is_in_what_anybody_may_read(house: LedgerHouse) -> None:
    entry_id = house.access(PERSON, OTHER)
    house.ledger.grow(3)
    house.ledger.sign("GA", "JCY", "FY", "SFJ")
    public = [
        "/ledger", "/ledger/checkpoints", "/ledger/witnesses", "/ledger/policy", "/ledger/2026/entries/0",
        "/ledger/2026/entries/0/proof", "/ledger/2026/entries/0/entry", "/ledger/2026/checkpoint",
        "/ledger/2026/tile/entries/000.p/4", f"/ledger/receipts/{entry_id}", f"/ledger/receipts/{entry_id}/proof",
    ]  # fmt: skip
    for path in public:
        reply = await house.get(path)
        text = (await reply.read()).decode("utf-8", "replace")
        assert reply.status == 200, path
        for secret in (*SECRETS, PERSON, OTHER, "CC_RECEPTION", "identity.name"):
            assert not re.search(rf"\b{re.escape(secret)}\b", text), (path, secret)
        if "receipts" not in path:
            assert entry_id not in text, path  # whose receipt it is, only its holder knows
