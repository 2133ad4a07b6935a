"""The lawyer and the keeper of the rules, beside a gateway that runs: a decision explained, replayed, and changed by two."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.bootstrap.policies import explain_event
from gateway.bootstrap.policy_changes import approve, diff, propose, replay_event
from gateway.errors import RequestRefused
from gateway.policy.ruleset import SHIPPED
from gateway.services.identity_rows import from_files
from gateway.services.import_identities import ImportIdentities
from gateway.store.tables import access_event
from tests.flows.house import CASE, House, house
from tests.gateway.services.identity_examples import district

pytestmark = pytest.mark.anyio
QUESTION = f"""query($idNo: String!, $name: String!) @purpose(code: "CC_RECEPTION", caseNo: "{CASE}") {{
  person(idNo: $idNo, name: $name) {{ residence {{ state best {{ address startOn }} }} }}
}}"""
FORBID = """
@id("no-start") @title_zh("居住起始日不提供") @title_en("No start of residence") @basis_zh("据") @basis_en("basis")
forbid (principal, action, resource == Item::"residence.startOn");
"""
OFFICERS = (
    "login,name,org_id,roles\nowner,甲,CC-JUSTICE,POLICY_OWNER\napprover,乙,CC-JUSTICE,POLICY_OWNER;POLICY_APPROVER\n"
)


async def rules_cited(here: House) -> str:
    answer = await here.ask(QUESTION, {"idNo": "440606199003070017", "name": "张三"})
    return str(answer)


async def test_a_decision_is_explained_replayed_and_changed_by_two_while_the_gateway_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "manifests").mkdir()
    async with house(tmp_path / "manifests", tmp_path) as here:
        settings, store = here.gateway.settings, here.gateway.store
        monkeypatch.setenv("YIMEN_DEMO", "true")
        monkeypatch.setenv("YIMEN_DATABASE_URL", settings.database_url)
        monkeypatch.setenv("YIMEN_STATE_DIR", str(settings.state_dir))
        monkeypatch.setenv("YIMEN_MANIFESTS_DIR", str(settings.manifests_dir))
        importing = ImportIdentities(store.identity_changes, store.subjects, store.revocations, here.gateway.clock)
        files = district(officers=OFFICERS, devices="")
        assert (await importing(from_files(files), actor_org="OPERATOR", actor_user="o")).faults == ()

        before = await rules_cited(here)
        assert "livelihood-corrections" in before
        async with store.database.read() as connection:
            event = await connection.scalar(sa.select(access_event.c.id).order_by(access_event.c.id.desc()).limit(1))
        assert await explain_event(str(event)) == 0
        told = capsys.readouterr().out
        assert "社区矫正接收" in told
        assert "事项 residence.startOn" in told
        assert await replay_event(str(event)) == 0
        assert "一致" in capsys.readouterr().out

        changed = tmp_path / "rules"
        shutil.copytree(SHIPPED, changed)
        (changed / "99-start.cedar").write_text(FORBID, "utf-8")
        assert await diff("in-force", str(changed), 100) == 0
        told = capsys.readouterr().out
        assert "no-start" in told
        assert "residence.startOn" in told  # who would lose it, over what was recorded
        assert await propose(changed, "approver") == 0
        proposal = capsys.readouterr().out.split("approve ")[1].split()[0]
        with pytest.raises(RequestRefused):
            await approve(proposal, "approver")
        with pytest.raises(RequestRefused):
            await approve(proposal, "owner")
        files = district(
            officers=OFFICERS.replace("甲,CC-JUSTICE,POLICY_OWNER", "甲,CC-JUSTICE,POLICY_APPROVER"), devices=""
        )
        await importing(from_files(files), actor_org="OPERATOR", actor_user="o")
        assert await approve(proposal, "owner") == 0
        async with asyncio.timeout(20):
            while "no-start" not in await rules_cited(here):
                await asyncio.sleep(0.05)
        assert await replay_event(str(event)) == 0  # under the rules of its day
        assert "一致" in capsys.readouterr().out
