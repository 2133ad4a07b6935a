"""The code a plan is turned into: what is in it, what is not, and how little of it there is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest
from graphql import GraphQLSchema, build_schema, parse
from graphql.execution import VariableValues

from gateway.federation.compiled import Compiled, Compiler
from gateway.federation.compiled_code import code_of
from gateway.federation.execute import run_form
from schema.fetching import Ask, Batched, Fetching

SCHEMA = build_schema("""
    type Thing { class: String! d: Int p: [Thing!] out: Thing from: Boolean zip: Float }
    type Query { import: [Thing]! def: Thing! }
""")
WORDS = [{"class": "a", "d": 1, "p": [], "out": None, "from": True, "zip": 2.5}]


class Things:
    """Answers every field with what it was given, and remembers each call."""

    def __init__(self, **values: Any) -> None:
        self.values = values
        self.calls: list[list[tuple[str, int]]] = []

    async def __call__(self, _context: Any, asks: Sequence[Ask]) -> Sequence[Sequence[Any]]:
        self.calls.append([(ask.what, len(ask.parents)) for ask in asks])
        return [[self.values[ask.what]] * len(ask.parents) for ask in asks]


def form(schema: GraphQLSchema, fetching: Fetching, text: str) -> Compiled:
    document = parse(text)
    operation: Any = document.definitions[0]
    fragments: Any = {one.name.value: one for one in document.definitions[1:]}  # type: ignore[attr-defined]
    found = Compiler(schema, fetching, {}).compile(operation, fragments, VariableValues({}, {}))
    assert found is not None
    found.code = code_of(found)
    return found


@pytest.mark.anyio
async def test_names_that_are_words_of_python_are_only_names() -> None:
    things = Things(**{"import": WORDS, "def": WORDS[0]})
    fetching = {("Query", name): Batched(things, name) for name in ("import", "def")}
    text = (
        "{ import { class lambda: d None: p { class } out { d } from zip } def { __builtins__: class k0: d p { d } } }"
    )
    found = form(SCHEMA, fetching, text)
    result = await run_form(found, None, VariableValues({}, {}))
    assert result.errors is None
    assert result.data == {
        "import": [{"class": "a", "lambda": 1, "None": [], "out": None, "from": True, "zip": 2.5}],
        "def": {"__builtins__": "a", "k0": 1, "p": []},
    }
    for word in ("lambda", "__builtins__"):  # a response key is the asker's word: it is never in the code
        assert word not in found.code.source


def test_a_diamond_of_fragments_is_one_node_a_storey() -> None:
    storeys = 24
    fragments = " ".join(
        f"fragment F{number} on Thing {{ out {{ ...F{number + 1} }} left: out {{ ...F{number + 1} }} ...F{number + 1} }}"
        for number in range(storeys)
    )
    text = f"{{ def {{ ...F0 }} }} {fragments} fragment F{storeys} on Thing {{ d }}"
    things = Things()
    began = time.process_time()
    found = form(SCHEMA, {("Query", "def"): Batched(things, "def")}, text)
    assert time.process_time() - began < 5
    assert len(found.nodes) <= 2 * storeys + 2
    assert len(found.code.source) < 100_000


LEVELS = build_schema("""
    type Person { name: String! home: Home! jobs: [Job!]! friend: Person }
    type Home { town: String! }
    type Job { title: String! }
    type Query { people: [Person]! }
""")


def linked(things: Things, other: Things) -> Fetching:
    return {
        ("Query", "people"): Batched(things, "people"),
        ("Person", "home"): Batched(things, "home"),
        ("Person", "friend"): Batched(things, "friend"),
        ("Person", "jobs"): Batched(other, "jobs"),
    }


@pytest.mark.anyio
async def test_a_level_is_one_call_for_all_that_is_fetched_alike() -> None:
    things = Things(people=[{"name": "a"}, None, {"name": "b"}], home={"town": "t"}, friend={"name": "c"})
    other = Things(jobs=[{"title": "x"}])
    text = "{ people { name home { town } jobs { title } friend { name home { town } } } }"
    result = await run_form(form(LEVELS, linked(things, other), text), None, VariableValues({}, {}))
    assert result.errors is None
    assert things.calls == [[("people", 1)], [("home", 2), ("friend", 2)], [("home", 2)]]
    assert other.calls == [[("jobs", 2)]]


@pytest.mark.anyio
async def test_a_fault_in_an_answer_costs_no_further_call() -> None:
    things = Things(people=[{"name": "a"}, {"name": 7.5}, {"name": None}], home={"town": []}, friend=ValueError("no"))
    other = Things(jobs=[{"title": "x"}])
    counts = {"JUDGED": 0}
    text = "{ people { name home { town } jobs { title } friend { name } } }"
    result = await run_form(form(LEVELS, linked(things, other), text), None, VariableValues({}, {}), counts)
    assert counts["JUDGED"] == 1
    assert things.calls == [[("people", 1)], [("home", 2), ("friend", 2)]]  # who is null is not asked about
    assert result.data == {"people": [None, None, None]}
    assert [error.path for error in result.errors or ()] == [
        ["people", 2, "name"],
        ["people", 0, "home", "town"],
        ["people", 1, "home", "town"],
    ]


@pytest.mark.anyio
async def test_a_source_that_gives_too_few_values_gives_none() -> None:
    class Short(Things):
        async def __call__(self, context: Any, asks: Sequence[Ask]) -> Sequence[Sequence[Any]]:
            return [values[:-1] for values in await super().__call__(context, asks)]

    short = Short(jobs=[{"title": "x"}])
    things = Things(people=[{"name": "a"}, {"name": "b"}])
    text = "{ people { name jobs { title } } }"
    result = await run_form(form(LEVELS, linked(things, short), text), None, VariableValues({}, {}))
    assert result.data == {"people": [None, None]}
    assert len(result.errors or ()) == 2
