"""Run a planned operation: its compiled form level by level, or graphql-core for what has none.

A form runs on the plain road (`compiled_code`). Where a value turns out irregular (a wrong type, a null where none may be,
an error in the place of a value), `compiled_errors` goes over what is already fetched and goes on from there: nothing is
fetched twice, and errors, paths and null propagation are graphql-core's.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import structlog
from graphql import ExecutionResult, GraphQLError, GraphQLResolveInfo, GraphQLSchema, execute
from graphql.execution import VariableValues

from gateway.federation.compiled import Compiled, Field
from gateway.federation.compiled_code import Irregular
from gateway.federation.compiled_errors import Judge
from gateway.federation.plan import Asked
from schema.fetching import Ask, Batched, Computed, Fetch

_log = structlog.get_logger(__name__)
_NOTHING: Mapping[str, Any] = {}
_PARENTS = attrgetter("parents")


async def run_plan(
    schema: GraphQLSchema,
    asked: Asked,
    context: Any,
    variables: Mapping[str, Any],
    operation_name: str | None,
) -> ExecutionResult:
    """The result of one query or mutation; `asked` is what `Plans.prepare` made of `variables`."""
    if asked.form is not None:
        return await run_form(asked.form, context, asked.variables, asked.counts)
    if asked.plan.kind == "query":
        asked.counts["FALLBACK"] += 1
    found = execute(
        schema,
        asked.plan.document,
        context_value=context,
        variable_values=dict(variables),
        operation_name=operation_name,
        hide_suggestions=True,
    )
    return found if isinstance(found, ExecutionResult) else await found


async def run_form(
    form: Compiled, context: Any, variables: VariableValues, counts: dict[str, int] | None = None
) -> ExecutionResult:
    """The result of a compiled query. `counts["JUDGED"]` tells in how many something was irregular."""
    run = _Run(form, context, variables)
    try:
        return ExecutionResult(data=await run.plainly())
    except Irregular:
        pass
    except Exception as error:  # a wrong value where the code reads on, or a bug of ours: both are judged
        run.fault = error
    if counts is not None:
        counts["JUDGED"] = counts.get("JUDGED", 0) + 1
    found = await Judge(form, run.info, run.computed)(run.level_again)
    if run.fault is not None and not found.errors:  # a bug must not hide behind the right answer
        _log.warning("compiled_failed", kind=type(run.fault).__name__)
    return found


class _Run:
    """One pass over a form. The code sees it as a list: what gives the resolve info of a field, then for each node that
    waits where its objects and their values go, then for each computed field its arguments, or what gives its value where that
    is kept."""

    __slots__ = ("_context", "_fetched", "_form", "_infos", "_kept", "_values", "_variables", "fault")

    def __init__(self, form: Compiled, context: Any, variables: VariableValues) -> None:
        self._form = form
        self._context = context
        self._variables = variables
        self._fetched: dict[tuple[Field, int], tuple[Any, Any]] = {}
        self._kept: list[tuple[Any, Any]] = []  # (asks, values) of each level of the plain road
        self._values: dict[
            tuple[Field, int], tuple[Any, Any]
        ] = {}  # of computed fields below which something is fetched
        self._infos: dict[Field, Any] = {}
        self.fault: Exception | None = None

    async def plainly(self) -> dict[str, Any]:
        """The answer's data. Raises whatever a value that is not plain makes the code raise."""
        form = self._form
        waiting, fill = form.waiting, form.code.fill
        run: list[Any] = [self.info, *([None] * (2 * len(waiting)))]
        run += [self._keeping(one) if one.kept else self.arguments(one) for one in form.computed]
        owed = [_renewed(run, place) for place in range(len(waiting))]
        data: dict[str, Any] = form.code.root(None, run)
        while True:
            asks = []
            outs = []
            for place, (objects, values) in enumerate(owed):
                if objects:
                    for one in waiting[place].batched:
                        asks.append((one, values))
                        outs.append(objects)
                    owed[place] = _renewed(run, place)
            if not asks:
                break
            found = await self._level(asks)
            self._kept.append((asks, found))
            for (one, _), objects, fetched in zip(asks, outs, found, strict=True):
                fill[one](objects, fetched, run)
        return data

    async def level_again(self, asks: Sequence[tuple[Field, Sequence[Any]]]) -> Sequence[Sequence[Any]]:
        """The same, for the judge: what the plain road fetched is not fetched again."""
        fetched = self._fetched
        while self._kept:
            self._remember(*self._kept.pop())
        missing = [(one, [parent for parent in parents if (one, id(parent)) not in fetched]) for one, parents in asks]
        missing = [(one, parents) for one, parents in missing if parents]
        if missing:
            self._remember(missing, await self._level(missing))
        return [[fetched[one, id(parent)][1] for parent in parents] for one, parents in asks]

    def _remember(self, asks: Sequence[tuple[Field, Sequence[Any]]], found: Sequence[Sequence[Any]]) -> None:
        for (one, parents), values in zip(asks, found, strict=True):
            for parent, value in zip(parents, values, strict=True):
                self._fetched[one, id(parent)] = parent, value  # with the parent, so that its id stays its own

    async def _level(self, asks: Sequence[tuple[Field, Sequence[Any]]]) -> Sequence[Sequence[Any]]:
        """One call for all fields that are fetched alike. An error of a call is the error of each of its values."""
        how = asks[0][0].how
        if isinstance(how, Batched) and (own := self._of_one_call(how.fetch, asks)) is not None:
            return await self._call(how.fetch, own)
        found: list[Sequence[Any]] = [()] * len(asks)
        calls: dict[Fetch, list[tuple[int, Ask]]] = {}
        for number, (one, parents) in enumerate(asks):
            how = one.how
            if not isinstance(how, Batched):
                raise TypeError(one.name)
            try:
                arguments = self.arguments(one)
            except GraphQLError as error:
                found[number] = [error] * len(parents)
                continue
            calls.setdefault(how.fetch, []).append((number, Ask(how.what, parents, arguments)))
        waits = [self._call(fetch, [ask for _, ask in told]) for fetch, told in calls.items()]
        answers = [await waits[0]] if len(waits) == 1 else await asyncio.gather(*waits)
        for told, answer in zip(calls.values(), answers, strict=True):
            for (number, _), values in zip(told, answer, strict=True):
                found[number] = values
        return found

    def _of_one_call(self, fetch: Fetch, asks: Sequence[tuple[Field, Sequence[Any]]]) -> list[Ask] | None:
        """As nearly every level is: all fetched alike, and nothing wrong with an argument. None otherwise."""
        own = []
        for one, parents in asks:
            how = one.how
            if not isinstance(how, Batched) or how.fetch is not fetch:
                return None
            try:
                arguments = _NOTHING if one.arguments is None else one.arguments(self._variables)
            except GraphQLError:
                return None
            own.append(Ask(how.what, parents, arguments))
        return own

    async def _call(self, fetch: Fetch, asks: Sequence[Ask]) -> Sequence[Sequence[Any]]:
        try:
            found = await fetch(self._context, asks)
            if list(map(len, found)) != list(map(len, map(_PARENTS, asks))):
                raise ValueError("a batch has as many values as parents")
        except Exception as error:
            return [[error] * len(ask.parents) for ask in asks]
        return found

    def arguments(self, one: Field) -> Mapping[str, Any]:
        """Raises GraphQLError."""
        return _NOTHING if one.arguments is None else one.arguments(self._variables)

    def computed(self, one: Field, parent: Any) -> Any:
        """A computed field's value, the very objects the plain road had where something is fetched for them. Raises what
        its function raises."""
        how = one.how
        if not isinstance(how, Computed):
            raise TypeError(one.name)
        return self._keeping(one)(parent) if one.kept else how.of(parent, self.arguments(one))

    def _keeping(self, one: Field) -> Callable[[Any], Any]:
        how, arguments, values = one.how, self.arguments(one), self._values
        if not isinstance(how, Computed):
            raise TypeError(one.name)

        def of(parent: Any) -> Any:
            held = values.get((one, id(parent)))
            if held is None:
                held = values[one, id(parent)] = parent, how.of(parent, arguments)
            return held[1]

        return of

    def info(self, one: Field) -> Any:
        """What graphql-core hands to `resolve_type` and `is_type_of`; the path is not known here."""
        found = self._infos.get(one)
        if found is None:
            form = self._form
            found = self._infos[one] = GraphQLResolveInfo(
                one.name,
                one.nodes,
                one.type,
                one.parent,
                None,  # type: ignore[arg-type]
                form.schema,
                dict(form.fragments),
                None,
                form.operation,
                self._variables,
                self._context,
                inspect.isawaitable,  # type: ignore[arg-type]
                None,
                None,  # type: ignore[arg-type]
            )
        return found


def _renewed(run: list[Any], place: int) -> tuple[list[Any], list[Any]]:
    """Fresh lists for what waits at this place for the next level: the objects, and the values they are of."""
    objects: list[Any] = []
    values: list[Any] = []
    run[1 + 2 * place], run[2 + 2 * place] = objects.append, values.append
    return objects, values
