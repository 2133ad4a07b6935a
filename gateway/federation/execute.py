"""Run a planned operation: the compiled form breadth-first, or graphql-core for what has none.

The two give the same data. Where a value turns out irregular (a wrong type, a null where none may be, a bad key),
graphql-core runs the operation over the same context: nothing is fetched twice, and errors, paths and null propagation
are its own.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import structlog
from graphql import ExecutionResult, GraphQLSchema, execute
from graphql.execution import VariableValues

from gateway.errors import RequestRefused
from gateway.federation.compiled import Compiled, Irregular, Node, Root
from gateway.federation.context import OperationContext
from gateway.federation.plan import Plan
from schema.errors import BadInput
from schema.filters import passes
from schema.wiring import LINKS

_log = structlog.get_logger(__name__)
Data = Mapping[str, Any]
Out = dict[str, Any]


async def run_plan(
    schema: GraphQLSchema,
    plan: Plan,
    compiled: Compiled | None,
    context: OperationContext,
    coerced: VariableValues,
    variables: Mapping[str, Any],
    operation_name: str | None,
) -> ExecutionResult:
    """The result of one query or mutation; `coerced` are `variables` as the schema's types."""
    if compiled is not None:
        try:
            return ExecutionResult(data=await _Run(context)(compiled, coerced))
        except (Irregular, BadInput, RequestRefused):  # graphql-core words it, on what is already fetched
            context.restart()
        except Exception as error:  # the same, but a bug of ours must not hide behind the right answer
            _log.warning("compiled_failed", kind=type(error).__name__)
            context.restart()
    found = execute(
        schema,
        plan.document,
        context_value=context,
        variable_values=dict(variables),
        operation_name=operation_name,
        hide_suggestions=True,
    )
    return found if isinstance(found, ExecutionResult) else await found


class _Run:
    """One pass over a compiled operation, level by level."""

    def __init__(self, context: OperationContext) -> None:
        self._context = context
        self._links: list[tuple[Out, str, str, tuple[str, ...], Node, Data]] = []
        self._persons: list[tuple[Out, str, Node, Data]] = []

    async def __call__(self, compiled: Compiled, variables: VariableValues) -> Out:
        out: Out = dict(compiled.template)
        info = SimpleNamespace(context=self._context)
        values = [root.ask(info, variables) for root in compiled.roots]
        for root, value in zip(compiled.roots, await _settled(values), strict=True):
            out[root.key] = self._root(root, value)
        while self._links or self._persons:
            await self._level()
        return out

    def _root(self, root: Root, value: Any) -> Any:
        if not root.is_list:
            return self._object(value, root.node)
        return [self._object(item, root.node) for item in value]

    async def _level(self) -> None:
        """Everything that hangs on what the last level brought, in one turn."""
        links, self._links = self._links, []
        persons, self._persons = self._persons, []
        if persons:
            keys = [(links_["idNo"], links_.get("name") or "") for _, _, _, links_ in persons]
            found = await self._context.people(keys)
            for (out, key, node, _), person in zip(persons, found, strict=True):
                out[key] = self._object(person, node)
        parts = await self._context.parts([(noun, by, on) for _, _, noun, by, _, on in links])
        for (out, key, _, _, node, _), part in zip(links, parts, strict=True):
            out[key] = self._project(part, node)

    def _object(self, value: Any, node: Node) -> Out | None:
        if value is None:
            return None
        if isinstance(value, Exception):
            raise Irregular
        return self._project(value, node)

    def _project(self, data: Data, node: Node) -> Out:
        out = node.template.copy()
        for key, name, serialize, non_null in node.leaves:
            value = data.get(name)
            if value is not None:
                out[key] = serialize(value)
            elif non_null:
                raise Irregular
        if node.records:
            for key, inner, where in node.records:
                records = data["records"]
                shown = records if not where else [record for record in records if passes(record, where)]
                out[key] = [self._project(record, inner) for record in shown]
        if node.objects:
            for key, name, inner, non_null in node.objects:
                value = data.get(name)
                if value is not None:
                    out[key] = self._project(value, inner)
                elif non_null:
                    raise Irregular
        if node.object_lists:
            for key, name, inner, _ in node.object_lists:
                out[key] = [self._project(item, inner) for item in _sequence(data.get(name))]
        if node.lists:
            for key, name, serialize in node.lists:
                value = data.get(name)
                out[key] = None if value is None else [serialize(item) for item in _sequence(value)]
        for key, noun, by, inner in node.links:
            self._links.append((out, key, noun, by, inner, data[LINKS]))
        for key, inner in node.persons:
            if data[LINKS].get("idNo"):
                self._persons.append((out, key, inner, data[LINKS]))
        return out


def _sequence(value: Any) -> Sequence[Any]:
    if isinstance(value, list | tuple) and None not in value:
        return value
    raise Irregular


async def _settled(values: Sequence[Any]) -> Sequence[Any]:
    waiting = [value for value in values if inspect.isawaitable(value)]
    if not waiting:
        return values
    done = iter(await asyncio.gather(*waiting))
    return [next(done) if inspect.isawaitable(value) else value for value in values]
