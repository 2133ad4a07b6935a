"""Variables coerced by code made once: the same values, sources and errors as graphql-core's."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import build_schema, parse
from graphql.execution import get_variable_values
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.federation import variables as module
from gateway.federation.variables import Coercer
from schema.build import build_schema as build_ours

OURS = build_ours().graphql
OTHER = build_schema("""
    scalar Any
    enum Colour { RED GREEN }
    input Leaf { word: String! }
    input Tree { n: Int = 3, colour: Colour! = RED, leaf: Leaf = {word: "w"}, leaves: [Leaf!], any: Any, deep: [[Float]!], tree: Tree }
    input Flat { n: Int = 3, colour: Colour! = RED, leaf: Leaf = {word: "w"}, leaves: [Leaf!], any: Any, deep: [[Float]!] }
    input One @oneOf { a: Int, b: String }
    type Query { a: Int }
""")
KINDS = (
    "Int", "Int!", "Float!", "String", "String!", "Boolean!", "ID", "Colour", "Colour!", "Any", "[Int!]!", "[[Int]!]", "[Colour!]",
    "Leaf", "Leaf!", "[Leaf!]!", "Flat", "Flat!", "[Flat]", "Tree", "One",
)  # fmt: skip
DEFAULTS = {
    "Int": ("", " = 4", " = null"),
    "String": ("", ' = "d"'),
    "Colour": ("", " = GREEN"),
    "[Int!]!": ("", " = [1, 2]", " = 7"),
    "Leaf": ("", ' = {word: "x"}'),
    "Flat": ("", " = {n: null}", ' = {colour: GREEN, leaves: {word: "one"}}'),
}
ATOMS = st.sampled_from([None, 0, 1, -(2**31), 2**31, 1.0, 1.5, True, "", "RED", "BLUE", "7", float("nan")])
FIELDS = st.sampled_from(["n", "colour", "leaf", "leaves", "any", "deep", "tree", "word", "a", "b", "other"])
VALUES = st.recursive(
    ATOMS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4), max_leaves=8
)
WORDS = st.fixed_dictionaries({"word": st.sampled_from(["a", "b", "", 3, None])})
LIKELY = st.one_of(
    VALUES,
    WORDS,
    st.lists(WORDS, max_size=3),
    st.fixed_dictionaries(
        {},
        optional={
            "n": st.sampled_from([1, None, "x"]),
            "colour": st.sampled_from(["RED", "GREEN", "NONE", None]),
            "leaf": WORDS,
            "leaves": st.lists(WORDS, max_size=2) | WORDS,
            "any": VALUES,
            "deep": st.lists(st.lists(st.sampled_from([1, 2.5, None]), max_size=2), max_size=2),
        },
    ),
)


@st.composite
def operations(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    declared, given_ = [], {}
    for number in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(KINDS))
        declared.append(f"$v{number}: {kind}{draw(st.sampled_from(DEFAULTS.get(kind, ('',))))}")
        if draw(st.integers(0, 4)):
            given_[f"v{number}"] = draw(LIKELY)
    return f"query ({', '.join(declared)}) {{ a }}", given_


def compare(schema: Any, text: str, values: dict[str, Any]) -> bool:
    """Whether there were values; raises AssertionError where the two differ."""
    operation: Any = parse(text).definitions[0]
    core = get_variable_values(schema, operation.variable_definitions, values, max_errors=10, hide_suggestions=True)
    own = Coercer(schema, operation)(values)
    if isinstance(core, list):
        assert isinstance(own, list)
        assert [(error.message, error.locations) for error in own] == [
            (error.message, error.locations) for error in core
        ]
        return False
    assert not isinstance(own, list)
    assert repr(own.coerced) == repr(core.coerced)  # repr: 1 is not 1.0, and the order counts
    assert repr({name: one.value for name, one in own.sources.items()}) == repr(
        {name: one.value for name, one in core.sources.items()}
    )
    return True


@settings(max_examples=600, deadline=None)
@given(operations())
def test_any_variables_are_coerced_alike(case: tuple[str, dict[str, Any]]) -> None:
    compare(OTHER, *case)


KEY = {"idNo": "440606199003070017", "name": "张三"}


@pytest.mark.parametrize(
    ("declared", "values", "fine"),
    [
        ("$v: [PersonKey!]!", {"v": [KEY] * 3}, True),
        ("$v: [PersonKey!]!", {"v": KEY}, True),  # a list of one
        ("$v: [PersonKey!]!", {"v": [KEY, KEY | {"extra": 1}]}, False),
        ("$v: [PersonKey!]!", {"v": [KEY, {"idNo": "1"}]}, False),
        ("$v: [PersonKey!]!", {"v": [None]}, False),
        ("$v: [PersonKey!]!", {}, False),
        ("$v: ResidenceFilter", {"v": {"status": {"in": ["CURRENT"]}, "startOn": {"min": "2020-01-01"}}}, True),
        ("$v: ResidenceFilter", {"v": {"startOn": {"min": "yesterday"}}}, False),
        ("$v: ResidenceFilter = {status: {eq: LEFT}}", {}, True),
        ("$v: Int = 20", {"v": 2**40}, False),
    ],
)
def test_our_own_shapes(declared: str, values: dict[str, Any], fine: bool) -> None:
    assert compare(OURS, f"query ({declared}) {{ a }}", values) is fine


def test_the_usual_question_does_not_go_to_graphql_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this, a coercer that always gives up would pass every comparison."""
    operation: Any = parse("query ($of: [PersonKey!]!, $w: ResidenceFilter, $n: Int = 3) { a }").definitions[0]
    coerce = Coercer(OURS, operation)
    monkeypatch.delattr(module, "get_variable_values")
    found = coerce({"of": [KEY] * 20, "w": {"status": {"eq": "LEFT"}}, "unknown": 1})
    assert not isinstance(found, list)
    assert list(found.coerced) == ["of", "w", "n"]
