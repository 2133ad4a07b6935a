"""docs/guides/credential-types.md, executed as it stands: a proof of registered land, by files and reviewed rules alone."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from credentials.type_metadata import integrity_of
from gateway.bootstrap.credential_types import check_types
from gateway.errors import RequestRefused, SettingsInvalid
from gateway.policy.purposes import read_register
from gateway.policy.ruleset import read_rules
from gateway.services.credentials.ports import Acting, FactsState
from gateway.supervision.case_facts import CaseEntry, Part, PartyEntry
from tests.flows.house import House, house
from tests.flows.register import OURS, SINCE
from tests.flows.test_add_a_source import PERSON, join, registry
from tests.flows.test_credential_facts import CASE, officer

pytestmark = pytest.mark.anyio
GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "credential-types.md"
FILES = dict(re.findall(r"```\w+ file=(\S+)\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL))
JO = Acting(OURS, "JUSTICE_OFFICE", "440604", CASE)


def write(directory: Path, *without: str) -> Path:
    """The guide's files beside the registry's; the folder of types."""
    directory.mkdir()
    join(directory)
    for name, text in FILES.items():
        if "/" in name and name not in without:
            path = directory / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return directory / "types"


@asynccontextmanager
async def opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *without: str, token: str = "land-token"
) -> AsyncIterator[tuple[House, str]]:
    """A gateway with the guide's files, and 张三 enrolled in it. With another `token` the registry refuses to answer."""
    types = write(tmp_path / "manifests", *without)
    async with registry("land-token") as (url, _):
        monkeypatch.setenv("BDC_URL", url)
        monkeypatch.setenv("BDC_TOKEN", token)
        async with house(tmp_path / "manifests", tmp_path, credential_types_dir=types) as running:
            store = running.gateway.store
            (subject,) = await store.subjects.intern([PERSON["idNo"]])
            await store.subjects.remember(subject, PERSON["idNo"], PERSON["name"])
            await store.cases.declare([CaseEntry(CASE, subject), PartyEntry(CASE, OURS, Part.SUPERVISING, SINCE)])
            yield running, subject


async def test_a_type_joins_by_a_file_and_reviewed_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with opened(tmp_path, monkeypatch) as (running, subject):
        assert check_types(tmp_path / "manifests" / "types") == 0
        assert "land-title  1  不动产登记证明" in capsys.readouterr().out

        kinds = running.gateway.credentials.kinds
        await kinds.may_offer(officer(), subject, ["land-title"], CASE)
        found = await kinds.facts(subject, "land-title", JO, purpose="CREDENTIAL_ISSUE", reference="offer-1")
        assert found.state is FactsState.READY, found.reason
        assert dict(found.claims) == json.loads(FILES["claims.json"])
        assert [one.source for one in found.sources] == ["BDC"]

        vct = f"{running.url}/credentials/types/land-title/1"
        async with running.session.get(vct) as answer:
            document = await answer.json()
        assert document["vct"] == vct
        card = document["display"][0]["rendering"]["svg_templates"][0]
        async with running.session.get(card["uri"]) as answer:
            assert integrity_of(await answer.read()) == card["uri#integrity"]


async def test_without_a_rule_it_is_offered_to_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path, monkeypatch, "policies/land-credential.cedar") as (running, subject):
        with pytest.raises(RequestRefused) as caught:
            await running.gateway.credentials.kinds.may_offer(officer(), subject, ["land-title"], CASE)
        assert caught.value.code == "CREDENTIAL_NOT_OFFERED"


async def test_without_its_fields_in_the_purpose_it_is_issued_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path, monkeypatch, "policy/land-credential.toml") as (running, subject):
        fetch = running.gateway.credentials.kinds.facts
        found = await fetch(subject, "land-title", JO, purpose="CREDENTIAL_ISSUE", reference="offer-1")
        assert (found.state, dict(found.claims)) == (FactsState.REFUSED, {})


async def test_the_registry_that_does_not_answer_defers_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path, monkeypatch, token="another") as (running, subject):
        fetch = running.gateway.credentials.kinds.facts
        found = await fetch(subject, "land-title", JO, purpose="CREDENTIAL_ISSUE", reference="offer-1")
        assert found.state is FactsState.UNAVAILABLE


def test_the_group_must_be_its_own(tmp_path: Path) -> None:
    """Borrowing a group would borrow a rule that was reviewed for something else."""

    borrowed = FILES["policies/land-credential.toml"].replace(
        'groups = ["credential-land"]', 'groups = ["credential-livelihood"]'
    )
    taken = FILES["policies/land-credential.toml"].replace('"land-title"', '"residence"')
    for text, expected in (
        (borrowed, "must be in groups this application brings itself"),
        (taken, "residence is already there"),
    ):
        with pytest.raises(SettingsInvalid) as caught:
            read_rules(read_register(), applications={"land-credential.toml": text})
        assert any(expected in fault for fault in caught.value.faults)
