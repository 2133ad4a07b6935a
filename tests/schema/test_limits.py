"""A question is measured in the time its text takes to read, whatever it expands to."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest
from graphql import GraphQLError, build_schema, get_introspection_query, parse
from graphql.language import FieldNode, FragmentDefinitionNode, FragmentSpreadNode, OperationDefinitionNode
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.limits import LimitExceeded, Limits, Measured, measure, parse_bounded, validate_bounded

WIDE = Limits(
    characters=10**7, tokens=10**6, depth=10**3, introspection_depth=10**3, aliases=10**6, root_fields=10**6, fields=10**6,
    repeats=10**7, directives=10**6, cost=10**12,
)  # fmt: skip


def code_of(text: str, variables: dict[str, Any] | None = None, limits: Limits | None = None) -> str:
    limits = limits or Limits()
    with pytest.raises(LimitExceeded) as caught:
        measure(parse_bounded(text, limits), None, variables, limits)
    return caught.value.code


def measured(text: str, variables: dict[str, Any] | None = None, limits: Limits | None = None) -> Measured:
    limits = limits or Limits()
    return measure(parse_bounded(text, limits), None, variables, limits)


def diamonds(levels: int) -> str:
    """Each fragment names the next one twice: 2**levels fields."""
    chain = " ".join(f"fragment F{n} on Query {{ ...F{n + 1} ... {{ ...F{n + 1} }} }}" for n in range(levels))
    return f"{{ ...F0 }} {chain} fragment F{levels} on Query {{ a }}"


def test_a_diamond_of_thirty_levels_is_refused_in_the_time_it_takes_to_read() -> None:
    text = diamonds(28)
    document = parse(text)
    limits = Limits(depth=200, root_fields=2**40)  # so that the size is what refuses it
    started = time.process_time()
    with pytest.raises(LimitExceeded) as caught:
        measure(document, None, {}, limits)
    assert time.process_time() - started < 1.0
    assert caught.value.code == "LIMIT_FIELDS"


def test_a_diamond_whose_leaves_are_few_is_measured_exactly() -> None:
    found = measured(diamonds(9), limits=Limits(root_fields=1000, repeats=10**6))
    assert found.fields == found.root_fields == 2**9


def test_thirty_levels_of_depth_doubling_fragments_take_no_time() -> None:
    text = "{ ...F0 } " + " ".join(
        f"fragment F{n} on Query {{ p {{ ...F{n + 1} }} q {{ ...F{n + 1} }} }}" for n in range(30)
    )
    document = parse(text + " fragment F30 on Query { a }")
    started = time.process_time()
    with pytest.raises(LimitExceeded):
        measure(document, None, {}, WIDE)
    assert time.process_time() - started < 1.0


def test_spreads_without_fields_are_work_too() -> None:
    text = "{ a ...F0 } " + " ".join(f"fragment F{n} on Q {{ ...F{n + 1} ...F{n + 1} }}" for n in range(30))
    assert code_of(text, limits=Limits(depth=200)) == "LIMIT_FIELDS"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{ " + "a { " * 15 + "b" + " }" * 15 + " }", "LIMIT_DEPTH"),
        ("{ a " * 1200, "LIMIT_DEPTH"),
        ("{ a(x: " + "[" * 1500 + "]" * 1500 + ") }", "LIMIT_DEPTH"),
        ("{ " + "... { " * 100 + "a" + " }" * 100 + " }", "LIMIT_DEPTH"),
        ("{ a { " + " ".join(f"x{n}: b" for n in range(61)) + " } }", "LIMIT_ALIASES"),
        ("{ " + " ".join(f"f{n}" for n in range(21)) + " }", "LIMIT_ROOT_FIELDS"),
        ("{ ...A ...A } fragment A on Q { " + " ".join(f"f{n}" for n in range(11)) + " }", "LIMIT_ROOT_FIELDS"),
        ("{ a { " + " ".join(f"f{n}" for n in range(2000)) + " } }", "LIMIT_FIELDS"),
        ("{ a { " + "b " * 60 + " } }", "LIMIT_REPEATS"),
        ("{ x { ...A ...B } } fragment A on Q {" + "a " * 25 + "} fragment B on Q {" + "a{b} " * 25 + "}", "LIMIT_REPEATS"),
        ("{ a " + "@include(if: true) " * 600 + " }", "LIMIT_DIRECTIVES"),
        ("query " + "@x " * 60 + " { a }", "LIMIT_DIRECTIVES"),
        ("{ a " + "@x " * 10_000 + " }", "LIMIT_TOKENS"),
        ("{ a } " * 11, "LIMIT_OPERATIONS"),
        ("{ a }" + " " * 65_536, "LIMIT_LENGTH"),
        ("# \n" * 6_000 + "{ a }", "LIMIT_TOKENS"),
        ("{ ...A } fragment A on Q { ...B } fragment B on Q { ...A }", "FRAGMENT_CYCLE"),
        ("{ a } fragment A on Q { b { ...A } }", "FRAGMENT_CYCLE"),
        ("{ a } " + diamonds(12)[10:], "LIMIT_FIELDS"),
        (
            "{ a } fragment D on Q { x { " + " ".join(f"f{n}" for n in range(900)) + " } }"
            + " ".join(f"fragment L{n} on Q {{ ...D }}" for n in range(5)), "LIMIT_FIELDS",
        ),
        ("{ __schema { types { fields { type { fields { args { name } } } } } } }", "LIMIT_INTROSPECTION"),
        ("{ __schema { types { ...T } } } fragment T on __Type { fields { type { fields { type { ...U } } } } }"
         " fragment U on __Type { fields { name } }", "LIMIT_INTROSPECTION"),
        ("{ __type(name: \"Q\") { " + "ofType { " * 20 + "name" + " }" * 20 + " } }", "LIMIT_DEPTH"),
        ("{ people(first: 1000000) { a } }", "LIMIT_COST"),
        ("{ people(first: " + "9" * 5000 + ") { a } }", "LIMIT_COST"),
        ("{ a(first: 300) { b(last: 300) { c } } }", "LIMIT_COST"),
        ("query ($n: Int = 60000) { a(first: $n) { b } }", "LIMIT_COST"),
    ],
)  # fmt: skip
def test_what_is_too_large_is_refused_with_its_code(text: str, code: str) -> None:
    started = time.process_time()
    assert code_of(text) == code
    assert time.process_time() - started < 2.0


def test_a_chain_of_fragments_cannot_exhaust_the_stack() -> None:
    text = "{ ...F0 } " + " ".join(f"fragment F{n} on Q {{ ...F{n + 1} }}" for n in range(600))
    assert code_of(text + " fragment F600 on Q { a }") == "LIMIT_DEPTH"


def test_a_list_argument_multiplies_by_its_length_wherever_it_stands() -> None:
    query = "query ($who: [K!]!) { people(of: $who) { a b } }"
    assert measured(query, {"who": [{}] * 100}).cost == 1 + 100 * 2
    assert measured("{ people(of: [{n: 1}, {n: 2}]) { a b } }").cost == 1 + 2 * 2
    assert measured("query ($who: [K!]! = [{n: 1}, {n: 2}, {n: 3}]) { people(of: $who) { a } }").cost == 1 + 3
    assert measured(query, {"who": []}).cost == measured(query, {}).cost == 3
    assert code_of(query, {"who": [{}] * 60_000}) == "LIMIT_COST"


def test_a_page_counts_by_first_and_by_what_is_assumed_without_it() -> None:
    assumed = Limits(assumed_sizes={"cases": 20})
    assert measured("{ cases { a } }", limits=assumed).cost == 1 + 20
    assert measured("{ cases(first: 50) { a } }", limits=assumed).cost == 1 + 50
    assert measured("query ($n: Int) { cases(first: $n) { a } }", {"n": 7}, assumed).cost == 1 + 7
    assert measured("{ cases(first: -5) { a } }", limits=assumed).cost == 2


@pytest.mark.parametrize("odd", [True, None, "9", 1.5, float("nan"), {"a": 1}, -(10**30)])
def test_a_page_size_that_is_no_number_counts_as_one(odd: Any) -> None:
    assert measured("query ($n: Int) { cases(first: $n) { a } }", {"n": odd}).cost == 2


@pytest.mark.parametrize("odd", [float("inf"), 10**400])
def test_an_endless_page_is_refused(odd: Any) -> None:
    assert code_of("query ($n: Int) { cases(first: $n) { a } }", {"n": odd}) == "LIMIT_COST"


def test_the_chosen_operation_is_the_one_measured() -> None:
    document = parse("query A { a } query B { b { c } }")
    assert measure(document, "A", {}, Limits()).fields == 1
    assert measure(document, "B", {}, Limits()).fields == 2


def test_the_tools_own_introspection_query_passes() -> None:
    text = get_introspection_query(
        input_value_deprecation=True, directive_is_repeatable=True, specified_by_url=True, schema_description=True
    )
    assert measured(text).root_fields == 1


@pytest.mark.parametrize(
    "text",
    [
        "{" + " ".join(f"a{n}: __schema {{ types {{ name fields {{ name description args {{ name }} type {{ name kind }} }} }} }}" for n in range(20)) + "}",
        "{ __schema { types { " + " ".join(f"a{n}: fields {{ name type {{ name }} }}" for n in range(55)) + " } } }",
        "{ ...f } fragment f on Query { __schema { ...g } } fragment g on __Schema { types { "
        + " ".join(f"a{n}: fields {{ name args {{ name }} }}" for n in range(50))
        + " } }",
    ],
)  # fmt: skip
def test_the_schema_is_read_out_once_and_not_twenty_times(text: str) -> None:
    assert code_of(text) == "LIMIT_INTROSPECTION"


def test_a_field_of_ours_that_is_called_types_is_no_introspection() -> None:
    assert measured("{ catalogue { " + " ".join(f"a{n}: types {{ fields {{ name }} }}" for n in range(58)) + " } }")


def test_what_is_no_graphql_stays_a_syntax_error() -> None:
    with pytest.raises(GraphQLError):
        parse_bounded("{ a", Limits())


def test_validation_stops_and_gives_no_hints() -> None:
    schema = build_schema("type Query { secretRegister: String }")
    document = parse_bounded("{ " + " ".join(f"f{n} secretRegistr" for n in range(40)) + " }", Limits(tokens=10_000))
    errors = validate_bounded(schema, document, Limits())
    assert len(errors) == 21  # the last one says that it stopped
    assert "secretRegister" not in " ".join(error.message for error in errors)


def test_the_worst_that_passes_is_validated_in_bounded_time() -> None:
    schema = build_schema("type Query { a: Query, b(x: Int): Int, c: Int }")
    text = "{ " + " ".join("a { " * 10 + "c" + " }" * 10 for _ in range(13)) + " }"
    limits = Limits()
    document = parse_bounded(text, limits)
    measure(document, None, {}, limits)
    started = time.process_time()
    assert validate_bounded(schema, document, limits) == []
    assert time.process_time() - started < 2.0


def test_errors_never_repeat_what_was_asked() -> None:
    with pytest.raises(LimitExceeded) as caught:
        measured('{ a(x: "44060419900307891X") { ' + "b " * 60 + "} }")
    assert "44060419900307891X" not in str(caught.value)
    assert caught.value.limit == Limits().repeats


NAMES = st.sampled_from(["a", "b", "c"])


@st.composite
def documents(draw: st.DrawFn) -> str:
    """An operation over fragments that only name later ones: acyclic by making."""
    count = draw(st.integers(0, 5))

    def selections(fragment: int, depth: int) -> str:
        parts = []
        for _ in range(draw(st.integers(1, 3))):
            kind = draw(st.sampled_from(["field", "alias", "object", "list", "inline", "spread"]))
            name = draw(NAMES)
            if kind == "spread" and fragment + 1 < count:
                parts.append(f"...F{draw(st.integers(fragment + 1, count - 1))}")
            elif kind == "inline" and depth < 3:
                parts.append(f"... {{ {selections(fragment, depth + 1)} }}")
            elif kind == "list" and depth < 3:
                parts.append(f"{name}(first: {draw(st.integers(1, 4))}) {{ {selections(fragment, depth + 1)} }}")
            elif kind == "object" and depth < 3:
                parts.append(f"{name} {{ {selections(fragment, depth + 1)} }}")
            elif kind == "alias":
                parts.append(f"x: {name} @skip(if: false)")
            else:
                parts.append(name)
        return " ".join(parts)

    return f"{{ {selections(-1, 0)} }} " + " ".join(
        f"fragment F{n} on Q {{ {selections(n, 0)} }}" for n in range(count)
    )


@settings(max_examples=150, deadline=None)
@given(documents())
def test_the_memoised_measure_equals_the_written_out_one(text: str) -> None:
    document = parse(text)
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    totals: Counter[str] = Counter()

    def walk(selection_set: Any, depth: int, factor: int) -> int:
        deepest = depth
        for node in selection_set.selections:
            totals["directives"] += len(node.directives or ())
            if isinstance(node, FieldNode):
                totals["fields"] += 1
                totals["cost"] += factor
                totals["aliases"] += node.alias is not None
                totals["root_fields"] += depth == 0
                deepest = max(deepest, depth + 1)
                if node.selection_set:
                    times = int(node.arguments[0].value.value) if node.arguments else 1  # type: ignore[union-attr]
                    deepest = max(deepest, walk(node.selection_set, depth + 1, factor * times))
            elif isinstance(node, FragmentSpreadNode):
                deepest = max(deepest, walk(fragments[node.name.value].selection_set, depth, factor))
            else:
                deepest = max(deepest, walk(node.selection_set, depth, factor))
        return deepest

    operation = next(one for one in document.definitions if isinstance(one, OperationDefinitionNode))
    depth = walk(operation.selection_set, 0, 1)
    found = measure(document, None, {}, WIDE)
    assert found == Measured(
        depth=depth, **{name: totals[name] for name in ("aliases", "root_fields", "fields", "directives", "cost")}
    )
