"""A type is a file: every fault of it at once, with file and line, and a card that neither runs, loads nor links."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credentials.card_file import card_faults
from credentials.credential_type import Disclosed
from credentials.errors import TypeInvalid
from credentials.sd_jwt import NEVER_SELECTIVE
from credentials.toml_form import line_index, nearest
from credentials.type_files import CASE_STATES, SHIPPED, load_older, load_types

TYPES = {
    "residence", "stable-income", "social-insurance", "business", "conduct-reporting", "conduct-no-warning", "conduct-plan",
    "discharge", "leave-clearance",
}  # fmt: skip
RESIDENCE = (SHIPPED / "residence.toml").read_text(encoding="utf-8").replace('id = "residence"', 'id = "more"')
CARD = (SHIPPED / "residence.svg").read_text(encoding="utf-8")


def faults(directory: Path, text: str = RESIDENCE, card: str | None = CARD) -> tuple[str, ...]:
    (directory / "more.toml").write_text(text, encoding="utf-8")
    if card is not None:
        (directory / "more.svg").write_text(card, encoding="utf-8")
    with pytest.raises(TypeInvalid) as caught:
        load_types([directory])
    return caught.value.faults


def test_the_types_that_come_with_yimen() -> None:
    types = load_types()
    assert types.keys() == TYPES
    for one in types.values():
        assert one.holders
        assert one.paper is not None
        assert one.catalogue_code.startswith("local:"), "a code nobody gave us is said to be ours"
        assert not one.selective & NEVER_SELECTIVE
        assert any(claim.disclosed is Disclosed.ALWAYS for claim in one.claims)
        assert "name" in one.selective, "a name is shown only where the holder chooses"


def test_what_has_nothing_to_do_with_supervision_does_not_die_of_it() -> None:
    """Else the status of a proof of residence would tell a bank that its holder is out of contact."""
    for type_id in ("residence", "stable-income", "social-insurance", "business"):
        assert load_types()[type_id].holders == CASE_STATES


def test_a_folder_adds_types_and_takes_none_away(tmp_path: Path) -> None:
    (tmp_path / "more.toml").write_text(RESIDENCE, encoding="utf-8")
    shutil.copy(SHIPPED / "residence.svg", tmp_path / "more.svg")
    assert load_types([tmp_path]).keys() == TYPES | {"more"}
    (tmp_path / "residence.toml").write_text(RESIDENCE.replace('"more"', '"residence"'), encoding="utf-8")
    shutil.copy(SHIPPED / "residence.svg", tmp_path / "residence.svg")
    with pytest.raises(TypeInvalid) as caught:
        load_types([tmp_path])
    assert caught.value.faults == ("residence.toml:1: the type residence is already in residence.toml",)


def older(directory: Path, text: str, version: str = "1") -> Path:
    """The folder of a deployment with one version of the proof of residence that is issued no more."""
    folder = directory / "older" / version
    folder.mkdir(parents=True)
    (folder / "residence.toml").write_text(text, encoding="utf-8")
    (folder / "residence.svg").write_text(CARD, encoding="utf-8")
    return directory


def test_versions_that_are_issued_no_more_are_known_still(tmp_path: Path) -> None:
    types, text = load_types(), RESIDENCE.replace('"more"', '"residence"')
    (one,) = load_older(types, [older(tmp_path, text.replace('version = "2"', 'version = "1"'))])
    assert (one.id, one.version) == ("residence", "1")
    assert load_types([tmp_path]).keys() == TYPES, "and issued no more"


@pytest.mark.parametrize(
    ("version", "folder", "why"), [("2", "2", "is there already"), ("1", "3", "is to hold version 3")]
)
def test_what_an_older_version_cannot_be(tmp_path: Path, version: str, folder: str, why: str) -> None:
    text = RESIDENCE.replace('"more"', '"residence"').replace('version = "2"', f'version = "{version}"')
    with pytest.raises(TypeInvalid) as caught:
        load_older(load_types(), [older(tmp_path, text, folder)])
    assert why in caught.value.faults[0]


def line_of(text: str, words: str) -> int:
    return text[: text.index(words)].count("\n") + 1


@pytest.mark.parametrize(
    ("words", "instead", "expected"),
    [
        ('version = "2"', 'version = "x"', 'version = "x" must be a version'),
        ('version = "2"', "", "version is missing"),
        ("valid_days = 90", "valid_days = 0", "must lie between 1 and 3660"),
        ("valid_days = 90", 'valid_days = "90"', "valid_days must be a whole number"),
        ("recheck_hours = 24", "recheck_hour = 24", 'unknown key "recheck_hour"; did you mean "recheck_hours"?'),
        ('catalogue_code = "local:SF-JZZM-001"', 'catalogue_code = "SF-1"', 'or "local:..." where it is ours'),
        ('"REPORTED_IN"', '"CLOSED"', '"CLOSED" is no state of a case'),
        (', en = "Proof of residence" }', " }", "en is missing"),
        ('"leftOn"]', '"leftOn", "permitNo"]', "no rule looks at permitNo"),
        ('{ field = "status", eq = "CURRENT" }', '{ field = "state", eq = "CURRENT" }', '"state" is no field that facts names'),
        ('{ field = "status", eq = "CURRENT" }', '{ field = "status", equals = "CURRENT" }', "a condition has one operator"),
        ('{ field = "status", eq = "CURRENT" }', '{ field = "status", within_days = "x" }', "within_days cannot be compared with this"),
        ('{ field = "status", eq = "CURRENT" }', "{ any = [] }", "any must hold conditions"),
        ('noun = "residence"', 'noun = "residences"', '"residences" is none of the nouns under facts'),
        ('newest = "startOn"', 'newest = "regNo"', '"regNo" is no field that facts names'),
        ('first = 6, named = "division"', 'first = 4, named = "division"', "by the first six digits of its code"),
        ('named = "division"', 'named = "town"', 'must be one of , division'),
        ("gives = { livesInDistrict", "gives = { district", '"district" is none of the claims'),
        ('name = "address"', 'name = "exp"', '"exp" has a meaning of its own'),
        ('name = "address"', 'name = "name"', 'the claim "name" stands twice'),
        ('disclosed = "always"', 'disclosed = "never"', "must be one of allowed, always"),
        ('background = "#1f4e79"', 'background = "blue"', "must be a colour"),
        ('name = "name"\n\n[[req', 'name = "idNo"\n\n[[req', "must be one of name, nameMasked"),
        ("[[requirements]]", "[[requirement]]", 'unknown key "requirement"'),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_line(tmp_path: Path, words: str, instead: str, expected: str) -> None:
    found = faults(tmp_path, RESIDENCE.replace(words, instead, 1))
    told = [one for one in found if expected in one]
    assert told, found
    assert all(one.startswith("more.toml:") for one in told)
    if (
        instead
        and "\n" not in words
        and expected.startswith(("must lie", "valid_days must", "unknown key", "must be a colour"))
    ):
        assert int(told[0].split(":")[1]) in (line_of(RESIDENCE, words), 1)


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    text = RESIDENCE.replace("valid_days = 90", "valid_days = 0").replace('"#ffffff"', '"white"', 1)
    found = faults(tmp_path, text, CARD.replace("{{division}}", "{{address}}"))
    assert len(found) == 4, found
    assert {one.split(":")[0] for one in found} == {"more.toml", "more.svg"}


@pytest.mark.parametrize(
    "text", ["[type", 'type = "x"', "[[type]]", "facts = 1", "", "\ufeff[type]\n", "claims = 1\n[type]\n"]
)
def test_what_is_no_type_is_a_fault_and_no_crash(tmp_path: Path, text: str) -> None:
    assert all(one.startswith("more.") for one in faults(tmp_path, text))


def test_a_file_that_is_not_text_or_has_no_card(tmp_path: Path) -> None:
    assert faults(tmp_path, card=None) == ("more.svg: the card cannot be read: FileNotFoundError",)
    (tmp_path / "more.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(TypeInvalid):
        load_types([tmp_path])
    with pytest.raises(TypeInvalid):
        load_types([tmp_path / "nowhere"])


ALTERNATIVES = """
[type]
id = "more"
version = "1"
name = { zh = "甲", en = "A" }
description = { zh = "甲", en = "A" }
holders = ["SUPERVISED"]
valid_days = 1
catalogue_code = "local:x"
[facts]
insurance = ["status", "kind"]
business = ["status"]
[[requirements]]
id = "one"
title = { zh = "甲", en = "A" }
[[requirements.evidence]]
id = "left"
title = { zh = "甲", en = "A" }
noun = "insurance"
where = [{ field = "status", eq = "ACTIVE" }]
gives = { good = LEFT }
[[requirements.evidence]]
id = "right"
title = { zh = "甲", en = "A" }
noun = "business"
where = [{ field = "status", eq = "OPERATING" }]
gives = { good = RIGHT }
[[claims]]
name = "good"
label = { zh = "甲", en = "A" }
[card]
background = "#000000"
text = "#ffffff"
"""


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("{ value = true }", "{ value = false }", "alternatives of different nouns must give the same claims"),
        ('{ field = "kind" }', '{ field = "status" }', "a claim read from a record cannot come from alternatives"),
    ],
)
def test_no_outage_may_change_what_a_credential_says(tmp_path: Path, left: str, right: str, expected: str) -> None:
    text = ALTERNATIVES.replace("LEFT", left).replace("RIGHT", right)
    assert any(expected in one for one in faults(tmp_path, text, '<svg xmlns="http://www.w3.org/2000/svg"/>'))


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        (CARD.replace("<rect", '<script>alert(1)</script><rect', 1), "<script> has no place"),
        (CARD.replace("<rect", '<image href="https://evil.example/x.png"/><rect', 1), "<image> has no place"),
        (CARD.replace("<rect", '<foreignObject/><rect', 1), "<foreignObject> has no place"),
        (CARD.replace("<rect", '<style>@import url(x)</style><rect', 1), "<style> has no place"),
        (CARD.replace("<rect", '<a/><rect', 1), "<a> has no place"),
        (CARD.replace("<rect", '<animate attributeName="x"/><rect', 1), "<animate> has no place"),
        (CARD.replace("<rect", '<b xmlns="http://www.w3.org/1999/xhtml"/><rect', 1), "<b> has no place"),
        (CARD.replace('rx="14"', 'onload="x()"'), "the attribute onload"),
        (CARD.replace('rx="14"', 'style="fill:red"'), "the attribute style"),
        (CARD.replace('rx="14"', 'mask="url(https://evil.example/)"'), "the attribute mask"),
        (CARD.replace('rx="14"', 'rx="{{division}}"'), "the attribute rx"),
        ("<!DOCTYPE svg [<!ENTITY a 'b'>]>" + CARD, "document types"),
        ('<?xml-stylesheet href="x"?>' + CARD, "document types"),
        (CARD.replace("</svg>", ""), "this is no XML"),
        (CARD.replace("{{division}}", "x"), 'the card has no place for "division"'),
        (CARD.replace("{{division}}", "{{more}}"), 'no claim has the svg_id "more"'),
    ],
)  # fmt: skip
def test_a_card_draws_and_does_nothing_else(card: str, expected: str) -> None:
    assert any(expected in why for _, why in card_faults(card, {"division", "holder_name"}))


def test_a_gradient_of_its_own_is_drawing() -> None:
    card = '<svg xmlns="http://www.w3.org/2000/svg"><rect fill="url(#g)"/></svg>'
    assert card_faults(card, set()) == []


@settings(max_examples=200)
@given(st.text(max_size=200))
def test_no_text_makes_the_line_finder_fail(text: str) -> None:
    index = line_index(text)
    assert all(1 <= line <= text.count("\n") + 1 for line in index.values())
    assert nearest(index, ("a", 1, "b")) >= 1
