"""Rules come into force with the sources, all or nothing; what they decided can be decided again from the record."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from adapters.egress_http import HttpEgress
from gateway.caller import Decision
from gateway.policy.cedar import CedarPolicy
from gateway.policy.compare import Decided, replay
from gateway.policy.ruleset import RuleSet, remade, shipped
from gateway.services.execute import GraphQLRequest
from gateway.services.load_sources import SourceLoads
from gateway.services.rules_in_force import Approved, RulesInForce
from gateway.services.snapshots import Snapshots
from schema.limits import Limits
from tests.fakes.federated import NOW, OFFICER, PERSON, Assigned, FixedClock, Recorder, opened, policy_of, road

pytestmark = pytest.mark.anyio
MORE = '@id("no-notes") @title_zh("题") @title_en("t") @basis_zh("据") @basis_en("b") forbid (principal, action, resource == Item::"teamNote.author");'


@dataclass
class Shelf:
    """Approved rules in memory."""

    approved: Approved | None = None
    kept: dict[str, Any] = field(default_factory=dict)

    async def in_force(self) -> Approved | None:
        return self.approved

    async def keep(self, version: str, texts: Any) -> None:
        self.kept[version] = texts


async def snapshots(directory: Path, rules: RulesInForce) -> tuple[Snapshots, list[RuleSet]]:
    made: list[RuleSet] = []

    def policy(rule_set: RuleSet) -> CedarPolicy:
        made.append(rule_set)
        return CedarPolicy(rule_set.register, rule_set, Assigned(), FixedClock())

    loads = SourceLoads(directory, HttpEgress(), {}, directory, lambda: NOW, Limits(), False, policy, rules=rules)
    stamp = loads.version()
    return Snapshots(loads, await loads.load(), stamp), made


async def test_an_approved_set_comes_into_force_with_the_next_reload_and_is_kept_whole(tmp_path: Path) -> None:
    shelf = Shelf()
    rules = RulesInForce(shelf)
    running, made = await snapshots(tmp_path, rules)
    first = running.current.snapshot.version
    assert not await running.reload()
    shelf.approved = Approved("a", {**shipped(), "99.cedar": MORE})
    await rules.look()
    assert await running.reload()
    assert running.current.snapshot.version != first
    assert ["no-notes" in rule_set.rules for rule_set in made] == [False, True]
    assert set(shelf.kept) == {rule_set.version for rule_set in made}
    assert all(remade(texts).version == version for version, texts in shelf.kept.items())


@pytest.mark.parametrize(
    "bad", ["permit (", MORE.replace("no-notes", "self"), '@id("x") forbid (principal, action, resource);']
)
async def test_a_bad_set_changes_nothing_and_says_why(tmp_path: Path, bad: str) -> None:
    running, made = await snapshots(tmp_path, RulesInForce(Shelf()))
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "land.cedar").write_text(bad, "utf-8")
    before = running.current
    assert not await running.reload()
    assert running.current is before
    assert running.fault is not None
    assert "policies/land.cedar:1: " in running.fault
    assert len(made) == 1
    (tmp_path / "policies" / "land.cedar").write_text(MORE, "utf-8")
    assert await running.reload()
    assert (running.fault, "no-notes" in made[-1].rules) == (None, True)


async def test_what_was_recorded_is_decided_again_the_same() -> None:
    source, _ = opened(
        "LGB",
        "residence",
        {"address": "dz", "landlordMasked": "fd"},
        [{"id": "1", "sfz": PERSON[0], "xm": PERSON[1], "dz": "x"}],
    )
    evidence = Recorder()
    query = 'query($i: String!, $n: String!) @purpose(code: "CC_RECEPTION", caseNo: "1") { person(idNo: $i, name: $n) { residence { best { address landlordMasked } } } }'
    await road([source], evidence)(OFFICER, GraphQLRequest(query, None, {"i": PERSON[0], "n": PERSON[1]}))
    (event,) = evidence.events
    decided = Decided(
        "e", event.at, event.purpose, event.case_no, tuple(event.fields), event.decision is Decision.ALLOW,
        tuple(event.rule_ids), event.policy_version, json.loads(event.inputs),
    )  # fmt: skip
    again = await replay(remade(policy_of().rules.texts), decided)
    assert again.same
    assert again.then == {"residence.address", "residence.startOn", "residence.leftOn"}  # `best` looks at the latter
    assert event.policy_version == policy_of().rules.version
