"""Where a device is can be asked through one door, and the code of partners and scores cannot come near it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.caller import Caller, CallerKind
from gateway.location.ground import LocationGround, ground_of
from gateway.policy.facts import CaseLink, Relationship, Seal, SubjectFacts
from schema.build import build_schema
from schema.builtin import builtin_nouns
from schema.errors import NounConflict
from schema.nouns import FieldSpec, NounSpec, Title

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 25, tzinfo=UTC)
OFFICER = Caller("o1", "cc-1", "JUSTICE_OFFICE", frozenset(), "t", NOW)
LIVE = SubjectFacts(case_link=CaseLink.ASSIGNED, claimed_case=True, monitoring_order=True)
TITLE = Title("名", "Name")


def test_an_assigned_officer_has_a_ground_while_an_order_is_live() -> None:
    ground = ground_of(OFFICER, "s1", LIVE, NOW)
    assert ground is not None
    assert (ground.user_id, ground.subject_id, ground.as_of) == ("o1", "s1", NOW)


@pytest.mark.parametrize(
    ("caller", "facts"),
    [
        (OFFICER, replace(LIVE, monitoring_order=False)),
        (OFFICER, replace(LIVE, case_link=CaseLink.ORGANISATION)),
        (OFFICER, replace(LIVE, relationship=Relationship.FORMER_SPOUSE)),
        (OFFICER, replace(LIVE, seal=Seal.SEALED_JUVENILE)),
        (replace(OFFICER, kind=CallerKind.PARTNER), LIVE),
        (replace(OFFICER, kind=CallerKind.SYSTEM), LIVE),
        (replace(OFFICER, org_kind="POLICE"), LIVE),
        (replace(OFFICER, org_kind="COURT"), replace(LIVE, revocation_pending=True)),
        (replace(OFFICER, org_kind="BANK"), LIVE),
        (replace(OFFICER, org_kind="PROCURATORATE"), replace(LIVE, claimed_case=False)),
    ],
)
def test_nobody_else_has_one(caller: Caller, facts: SubjectFacts) -> None:
    assert ground_of(caller, "s1", facts, NOW) is None


def test_police_have_one_once_contact_is_lost() -> None:
    police = replace(OFFICER, org_kind="POLICE")
    assert ground_of(police, "s1", replace(LIVE, out_of_contact=True), NOW) is not None


def test_a_ground_cannot_be_made_by_hand() -> None:
    with pytest.raises(TypeError):
        LocationGround(object(), OFFICER, "s1", NOW)


@pytest.mark.parametrize(
    ("noun", "field"),
    [
        ("locationFix", "at"),
        ("deviceLocation", "at"),
        ("track", "lat"),
        ("track", "homeLongitude"),
        ("track", "gpsText"),
        ("track", "LAT"),
        ("track", "geofence"),
    ],
)
def test_no_noun_and_no_field_of_the_schema_names_a_place_on_the_map(noun: str, field: str) -> None:
    spec = NounSpec(noun, noun[0].upper() + noun[1:] + "Record", TITLE, (FieldSpec(field, "String", TITLE),))
    with pytest.raises(NounConflict, match="place on the map"):
        build_schema([spec])


def test_words_that_only_look_alike_are_left_alone() -> None:
    fields = tuple(FieldSpec(name, "String", TITLE) for name in ("plate", "latestOn", "longTermPlan", "flat"))
    build_schema([NounSpec("parcel", "ParcelRecord", TITLE, fields, root_keys=(("plate",),))])
    assert builtin_nouns()


def _contracts() -> dict[str, dict[str, object]]:
    found = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    return {one["name"]: one for one in found}


def test_the_contracts_let_in_only_who_is_named_and_partners_not_even_by_a_detour() -> None:
    door = next(one for name, one in _contracts().items() if name.startswith("6 "))
    assert (door["type"], door["protected_modules"]) == ("protected", ["gateway.location"])
    assert set(door["allowed_importers"]) <= {"gateway.bootstrap", "gateway.location"}  # type: ignore[arg-type]
    far = next(one for name, one in _contracts().items() if name.startswith("7 "))
    assert far["forbidden_modules"] == ["gateway.location"]
    assert not far.get("allow_indirect_imports")
    assert {"gateway.consent", "gateway.federation", "gateway.oauth", "credentials"} <= set(far["source_modules"])  # type: ignore[call-overload]


@pytest.mark.parametrize("where", ["services/run_query.py", "consent/ports.py", "web/consents_api.py"])
def test_a_line_that_would_let_a_partner_in_is_found(tmp_path: Path, where: str) -> None:
    """The linter is run over a copy in which one import was slipped in."""
    import shutil

    for package in ("gateway", "schema", "adapters", "credentials", "ledger"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    contracts = {name: one for name, one in _contracts().items() if name[0] in "67"}
    config = ["[importlinter]", "root_packages =", *("    " + one for one in ("gateway", "schema", "adapters"))]
    for number, (name, one) in enumerate(contracts.items()):
        config += [f"[importlinter:contract:{number}]", f"name = {name}"]
        for key, value in one.items():
            if key != "name":
                listed = (
                    [one for one in value if one not in ("credentials", "ledger")] if isinstance(value, list) else None
                )
                config.append(
                    f"{key} = {value}" if listed is None else f"{key} =\n" + "\n".join("    " + v for v in listed)
                )
    (tmp_path / ".importlinter").write_text("\n".join(config), "utf-8")
    lint = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            lint, cwd=tmp_path, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(tmp_path)}
        )

    before = run()
    assert before.returncode == 0, before.stdout + before.stderr
    file = tmp_path / "gateway" / where
    file.write_text(
        file.read_text("utf-8") + textwrap.dedent("\nfrom gateway.location.ground import ground_of\n"), "utf-8"
    )
    after = run()
    assert after.returncode != 0
    assert "BROKEN" in after.stdout
