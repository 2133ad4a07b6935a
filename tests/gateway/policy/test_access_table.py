"""The access table of the law: every row with who may and who may not, and the whole of it against an oracle."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.policy.cases import Case, put
from gateway.policy.decision import Effect
from gateway.policy.examples import Example, difference, read_examples
from gateway.policy.purposes import read_register
from gateway.policy.ruleset import EXAMPLES, read_rules, shipped
from tests.gateway.policy.law import BY_SYSTEMS, EMERGENCY, PARTNERS, PURPOSES, ROW, Asked, ground, may_see

T = TypeVar("T")
RULES = read_rules(read_register())
EXAMPLES_GIVEN = read_examples(shipped()[EXAMPLES], EXAMPLES)
ROWS = {
    "catalogue", "identity", "judgments", "livelihood", "supervision", "location", "medical-biometric", "penalties",
    "juvenile", "statement", "aggregates", "own-log", "credential",
}  # fmt: skip


@pytest.mark.parametrize("given_example", EXAMPLES_GIVEN, ids=lambda one: f"{one.row}-{one.number}")
def test_the_shipped_rules_bear_out_every_example(given_example: Example) -> None:
    assert difference(given_example, asyncio.run(put(RULES, given_example.case))) == ""


@pytest.mark.parametrize("row", sorted(ROWS))
def test_every_row_of_the_table_has_an_allowed_and_a_refused_example(row: str) -> None:
    effects = {one.effect for one in EXAMPLES_GIVEN if one.row == row}
    assert Effect.ALLOW in effects
    assert Effect.WITHHOLD in effects


def test_every_rule_decides_some_example() -> None:
    decided = {rule for one in EXAMPLES_GIVEN for rule in asyncio.run(put(RULES, one.case)).rules}
    assert RULES.rules.keys() - decided == {
        # second locks: what they forbid, nothing permits in the first place
        "penalties-sealed", "partners-nothing-else",
        # they decide on rows of minors, not on fields: see test_cedar_policy
        "juvenile-agency", "juvenile-judicial", "juvenile-unsealed", "credential-no-juvenile",
        "application-items",
    }  # fmt: skip


ITEMS = st.sampled_from(sorted(ROW))
KINDS = sorted({kind for kinds, _ in PURPOSES.values() for kind in kinds})


def mostly(usual: Sequence[T], *others: T) -> st.SearchStrategy[T]:
    """One of `usual` five times of six: what is refused for one reason hides whether another works."""
    return st.integers(0, 5).flatmap(
        lambda turn: st.sampled_from(list(others) if others and turn == 0 else list(usual))
    )


@st.composite
def questions(draw: st.DrawFn) -> Asked:
    """Questions that are near the edge: mostly the right body, purpose and item, and then some fact is missing."""
    purpose = draw(st.sampled_from(sorted(PURPOSES)))
    kinds, rows = PURPOSES[purpose]
    kind = draw(mostly(sorted(kinds), *KINDS))
    partner = kind in PARTNERS
    row = draw(mostly(sorted(rows), *sorted(set(ROW.values()))))
    item = draw(st.sampled_from(sorted(item for item in ROW if ROW[item] == row)))
    return Asked(
        kind=kind,
        caller=draw(
            mostly(
                ["PARTNER"] if partner else ["SYSTEM"] if purpose in BY_SYSTEMS else ["OFFICER"],
                "OFFICER",
                "SYSTEM",
                "PARTNER",
            )
        ),
        level=draw(mostly([2, 3], 1)),
        purpose=purpose,
        item=item,
        case_link=draw(st.sampled_from(["NONE", "ORGANISATION", "ASSIGNED", "ASSIGNED"])),
        case_part=draw(st.sampled_from(["", "SUPERVISING", "DECIDING", "DECIDING", "POLICING"])),
        claimed=draw(st.booleans()),
        relationship=draw(mostly(["NONE"], "SELF", "RELATIVE", "FORMER_SPOUSE")),
        seal=draw(mostly(["NONE"], "SEALED_JUVENILE", "SEALED_PUBLIC_ORDER")),
        unsealed=draw(st.booleans()),
        order=draw(st.booleans()),
        out_of_contact=draw(st.booleans()),
        revocation=draw(st.booleans()),
        consented=draw(st.none() | st.frozensets(ITEMS, max_size=4) | st.just(frozenset({item}))),
        emergency=draw(mostly([None], frozenset(EMERGENCY), frozenset({"insurance.status"}), frozenset({item}))),
    )


@settings(max_examples=4000, deadline=None)
@given(questions())
def test_the_rules_say_what_the_law_says(ask: Asked) -> None:
    outcome = asyncio.run(put(RULES, as_case(ask)))
    granted = outcome.effect(ask.item) in (Effect.ALLOW, Effect.MASK)
    assert granted == (may_see(ask) and within_purpose(ask)), (ask, outcome.rules)
    if not granted and outcome.plan.denied is None and ask.caller != "PARTNER":
        assert (outcome.mask.denied == "NO_GROUND") == (not ground(ask))
    if ask.caller == "PARTNER" and not granted and outcome.plan.denied is None:
        assert outcome.mask.denied == "NO_CONSENT"
        assert outcome.mask.rule_ids == ("no-consent",)


def within_purpose(ask: Asked) -> bool:
    """Whether the register's fields for the purpose hold the item."""
    noun, _, name = ask.item.partition(".")
    fields = RULES.register.rules[ask.purpose].nouns.get(noun, frozenset())
    return fields is None or name in fields


def as_case(ask: Asked) -> Case:
    return Case(
        kind=ask.kind,
        purpose=ask.purpose,
        items=[ask.item],
        asker={"caller": ask.caller, "level": ask.level},
        person={
            "caseLink": ask.case_link, "casePart": ask.case_part, "claimedCase": ask.claimed,
            "relationship": ask.relationship, "seal": ask.seal, "unsealed": ask.unsealed,
            "monitoringOrder": ask.order, "outOfContact": ask.out_of_contact, "revocationPending": ask.revocation,
        },
        consent=ask.consented,
        emergency=ask.emergency,
    )  # fmt: skip
