"""Compiled queries against graphql-core over random schemas, data and questions: the same bytes, the same errors.

Compared exactly: the data as bytes (so the order of keys too), and every error's message, path and locations. One thing is
relaxed, where the specification leaves it open (6.4.4, "Handling field errors": once a field error has made a parent null,
its other fields may be cancelled). Where a position is null for an error below it, *and* something below it is fetched,
which of the errors below are told depends on which answer came first. There we compare that both tell at least one, and
that each tells only such errors as graphql-core finds when nothing propagates. Errors stand in no order the specification
knows, so they are compared sorted.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import orjson
from graphql import ExecutionResult, GraphQLError, execute, parse, validate
from graphql.execution import get_variable_values
from graphql.type.directives import GraphQLDisableErrorPropagationDirective
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from gateway.federation.compiled import Compiled, Compiler
from gateway.federation.compiled_code import code_of
from gateway.federation.execute import run_form
from tests.differential.asked import questions
from tests.differential.drawn import World, made

Told = tuple[str, str, str]


@st.composite
def cases(draw: st.DrawFn) -> tuple[int, float, str, dict[str, Any]]:
    seed = draw(st.integers(0, 2000))
    wrong = draw(st.sampled_from([0.0, 0.02, 0.1]))
    text, variables = draw(questions(made(seed, wrong).schema))
    return seed, wrong, text, variables


def form_of(world: World, text: str, variables: dict[str, Any]) -> tuple[Compiled | None, Any]:
    document = parse(text)
    operation: Any = document.definitions[0]
    fragments = {one.name.value: one for one in document.definitions[1:]}  # type: ignore[attr-defined]
    coerced = get_variable_values(world.schema, operation.variable_definitions or (), variables)
    assert not isinstance(coerced, list)
    found = Compiler(world.schema, world.fetching, {}).compile(operation, fragments, coerced)
    if found is not None:
        found.code = code_of(found)
    return found, coerced


async def ours(world: World, text: str, variables: dict[str, Any]) -> ExecutionResult:
    form, coerced = form_of(world, text, variables)
    assert form is not None
    world.calls.clear()
    return await run_form(form, None, coerced)


async def cores(world: World, text: str, variables: dict[str, Any]) -> ExecutionResult:
    found = execute(world.schema, parse(text), variable_values=variables, hide_suggestions=True)
    return found if isinstance(found, ExecutionResult) else await found


def told(errors: Sequence[GraphQLError] | None) -> list[Told]:
    return sorted((one.message, str(one.path), str(one.locations)) for one in errors or ())


def paths(errors: Sequence[GraphQLError] | None) -> list[list[Any]]:
    return [list(one.path or ()) for one in errors or ()]


def at(data: Any, path: Sequence[Any]) -> Any:
    for key in path:
        if data is None:
            return None
        data = data[key]
    return data


def nulled(result: ExecutionResult) -> set[str]:
    """Positions that are null for an error below them."""
    found = set()
    for path in paths(result.errors):
        for length in range(len(path)):
            if at(result.data, path[:length]) is None:
                found.add(str(path[:length]))
                break
    return found


def below(path: Sequence[Any], places: set[str]) -> str | None:
    return next((str(path[:length]) for length in range(len(path)) if str(path[:length]) in places), None)


async def compare(seed: int, wrong: float, text: str, variables: dict[str, Any]) -> str:
    """Raises AssertionError where the two differ. Tells what kind of answer it was."""
    world = made(seed, wrong)
    core = await cores(world, text, variables)
    own = await ours(world, text, variables)
    calls = Counter(world.calls)
    assert orjson.dumps(own.data) == orjson.dumps(core.data)
    if told(own.errors) == told(core.errors):
        kind = "errors" if core.errors else "plain"
    else:
        places = nulled(core)
        assert places == nulled(own)
        whole = text.replace("{", f"@{GraphQLDisableErrorPropagationDirective.name} {{", 1)
        every = await cores(world, whole, variables)
        assert exact(own, places) == exact(core, places)
        assert {below(path, places) for path in paths(own.errors)} == {
            below(path, places) for path in paths(core.errors)
        }
        known = {one[:2] for one in told(every.errors)}
        assert {one[:2] for one in [*told(own.errors), *told(core.errors)]} <= known
        kind = "open"
    # Nothing is fetched twice for one answer, whatever was wrong in it.
    assert not wrong or max(calls.values(), default=0) <= most_times(text)
    return kind


def exact(result: ExecutionResult, places: set[str]) -> list[Told]:
    return told([one for one in result.errors or () if below(list(one.path or ()), places) is None])


def most_times(text: str) -> int:
    """A field may stand in a question under several keys."""
    return text.count(":") + 1


# What fails is told whole: seeds do not shrink, and trying takes minutes.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


@settings(max_examples=400, deadline=None, phases=PHASES, suppress_health_check=list(HealthCheck))
@given(cases())
def test_any_schema_and_question(case: tuple[int, float, str, dict[str, Any]]) -> None:
    seed, wrong, text, variables = case
    assert not validate(made(seed, wrong).schema, parse(text)), text
    event(asyncio.run(compare(seed, wrong, text, variables)))
