"""From an answer over HTTP, by way of its receipt, to evidence a reader verifies with `ledger` and keys of their own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import LedgerError
from ledger.evidence import parse_evidence, verify_evidence
from ledger.policy import parse_policy
from tests.flows.sealed_house import Five, five
from tests.flows.test_ledger_seals import ASKED, WHOM

pytestmark = pytest.mark.anyio


@pytest.fixture
async def witnesses(tmp_path: Path) -> AsyncIterator[Five]:
    async with five(tmp_path) as found:
        yield found


def recorded(answer: dict[str, Any]) -> bytes:
    """Of which bytes the record holds a digest, worked out from what was received: docs/guides/ask.md says how."""
    said: dict[str, Any] = {"data": answer.get("data")}
    if "errors" in answer:
        said["errors"] = [{**one, "message": one["extensions"]["code"]} for one in answer["errors"]]
        for one in said["errors"]:
            one["extensions"].pop("requestId", None)
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


async def test_an_answer_can_be_shown_to_be_the_one_that_was_recorded(witnesses: Five) -> None:
    async with witnesses.house() as house:
        refused = ASKED.replace("CC_RECEPTION", "LOAN_SERVICE")
        for question, whom in ((ASKED, WHOM), (refused, WHOM), (ASKED, {**WHOM, "idNo": "440606199003070018"})):
            answer = await house.ask(question, whom)
            assert ("errors" in answer) == ((question, whom) != (ASKED, WHOM))
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
            found = verify_evidence(evidence, policy, answer=recorded(answer))
            assert len(found.witnesses) >= 4
            assert found.answer_checked
            assert found.record["decision"] == ("ALLOW" if question is ASKED else "DENY")
            with pytest.raises(LedgerError):
                verify_evidence(evidence, policy, answer=recorded({**answer, "data": {"person": "another"}}))
            assert "inner" in found.blind
        async with house.session.get(f"{house.url}/ledger") as reply:
            page = await reply.text()
        assert "一次查询被拒绝" in page
