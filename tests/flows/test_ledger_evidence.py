"""From an answer over HTTP, by way of its receipt, to evidence a reader verifies with `ledger` and keys of their own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from ledger.evidence import parse_evidence, verify_evidence
from ledger.policy import parse_policy
from tests.flows.sealed_house import Five, five
from tests.flows.test_ledger_seals import ASKED, WHOM

pytestmark = pytest.mark.anyio


@pytest.fixture
async def witnesses(tmp_path: Path) -> AsyncIterator[Five]:
    async with five(tmp_path) as found:
        yield found


async def test_an_answer_can_be_shown_to_be_the_one_that_was_recorded(witnesses: Five) -> None:
    async with witnesses.house() as house:
        for question in (ASKED, ASKED.replace("CC_RECEPTION", "LOAN_SERVICE")):  # answered, and refused
            answer = await house.ask(question, WHOM)
            receipt = answer["extensions"]["receipt"]
            async with house.session.get(f"{house.url}/ledger/receipts/{receipt['id']}?wait=SEALED") as reply:
                said = json.loads(await reply.read())
            assert (said["level"], said["leafHash"]) == ("SEALED", receipt["leafHash"])
            url = f"{house.url}/ledger/receipts/{receipt['id']}/evidence"
            async with house.session.get(url, headers=house.asker.headers("GET", url)) as reply:
                assert reply.status == 200
                evidence = parse_evidence(await reply.read())
            async with house.session.get(f"{house.url}/ledger/policy?format=text") as reply:
                policy = parse_policy(await reply.text())
            assert policy.witnesses == parse_policy(witnesses.policy).witnesses
            shown = {name: answer[name] for name in ("data", "errors") if name in answer}
            found = verify_evidence(evidence, policy, answer=orjson.dumps(shown) if "errors" not in shown else None)
            assert len(found.witnesses) >= 4
            assert found.record["decision"] == ("ALLOW" if question is ASKED else "DENY")
            assert "inner" in found.blind
        async with house.session.get(f"{house.url}/ledger") as reply:
            page = await reply.text()
        assert "一次查询被拒绝" in page
