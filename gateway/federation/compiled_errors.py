"""What an answer looks like in which something is wrong: errors, their paths, and which parents are null for them.

Goes over a compiled form value by value, as graphql-core's executor does (GraphQL specification, 6.4.3 and 6.4.4), with its
own words and its own order; what waits for a batch comes level by level. It is handed all that is already fetched and asks
for nothing twice. `execute` comes here when the plain road (`compiled_code`) met a value it does not know.

Below a parent that an error made null, which further errors are told is open in the specification: nothing more is asked
for there, and nothing more is told.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from graphql import (
    ExecutionResult,
    GraphQLError,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
    located_error,
)
from graphql.execution import default_type_resolver
from graphql.pyutils import Undefined, inspect, is_iterable

from gateway.federation.compiled import Compiled, Field, Node
from gateway.federation.compiled_code import reader
from schema.fetching import Batched, Computed


class _Place:
    """A position of the answer: what holds it, and whether it may be null."""

    __slots__ = ("before", "dead", "holder", "key", "nullable")

    def __init__(self, before: _Place | None, holder: Any, key: Any, nullable: bool) -> None:
        self.before, self.holder, self.key, self.nullable = before, holder, key, nullable
        self.dead = False

    def path(self) -> list[str | int]:
        found = []
        place = self
        while place.before is not None:  # the answer itself has no name
            found.append(place.key)
            place = place.before
        return found[::-1]

    def gone(self) -> bool:
        """Whether this or something around it is null for an error."""
        place: _Place | None = self
        while place is not None:
            if place.dead:
                return True
            place = place.before
        return False


Level: TypeAlias = Callable[[Sequence[tuple[Field, Sequence[Any]]]], Awaitable[Sequence[Sequence[Any]]]]
"""Values for (field, parents) of one level, in order."""


class Judge:
    """One answer, with its errors."""

    def __init__(self, compiled: Compiled, info: Callable[[Field], Any], computed: Callable[[Field, Any], Any]) -> None:
        self._compiled = compiled
        self._info = info
        self._computed = computed
        self._errors: list[GraphQLError] = []
        self._waiting: list[list[tuple[dict[str, Any], Any, _Place]]] = [[] for _ in compiled.waiting]

    async def __call__(self, level: Level) -> ExecutionResult:
        whole: dict[str, Any] = {}
        start = _Place(None, whole, "data", True)
        try:
            whole["data"] = self._object(self._compiled.root, None, start)
        except GraphQLError as error:
            return ExecutionResult(None, [*self._errors, error])
        while any(self._waiting):
            await self._level(level)
        return ExecutionResult(whole["data"], self._errors or None)

    async def _level(self, level: Level) -> None:
        turn = self._waiting
        self._waiting = [[] for _ in turn]
        asks = []
        owed = []
        for node, entries in zip(self._compiled.waiting, turn, strict=True):
            alive = [entry for entry in entries if not entry[2].gone()]
            if alive:
                asks += [(one, [value for _, value, _ in alive]) for one in node.batched]
                owed += [alive] * len(node.batched)
        for (one, _), entries, values in zip(asks, owed, await level(asks), strict=True):
            for (out, _, place), value in zip(entries, values, strict=True):
                if not place.gone():
                    self._late(one, out, place, value)

    def _late(self, one: Field, out: dict[str, Any], parent: _Place, value: Any) -> None:
        """Lay a batched value into its object, which stands in the answer already."""
        try:
            out[one.key] = self._completed(one, _Place(parent, out, one.key, not is_non_null_type(one.type)), value)
        except GraphQLError as error:
            place = parent
            place.dead = True
            while not place.nullable and place.before is not None:
                place = place.before
                place.dead = True
            place.holder[place.key] = None
            self._errors.append(error)

    def _object(self, node: Node, value: Any, place: _Place) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for one in node.fields:
            if one.type is None:
                out[one.key] = node.type.name
            elif isinstance(one.how, Batched):
                out[one.key] = None
            else:
                out[one.key] = self._field(one, value, out, place)
        if node.batched:
            self._waiting[node.place].append((out, value, place))
        return out

    def _field(self, one: Field, parent: Any, out: dict[str, Any], before: _Place) -> Any:
        place = _Place(before, out, one.key, not is_non_null_type(one.type))
        try:
            if isinstance(one.how, Computed):
                value = self._computed(one, parent)
            else:
                if one.read is None:
                    one.read = reader(one.reading, one.name)
                value = one.read(parent)
        except Exception as error:
            return self._failed(one, place, error)
        return self._completed(one, place, value)

    def _completed(self, one: Field, place: _Place, value: Any) -> Any:
        try:
            return self._complete(one, one.type, place, value)
        except Exception as error:
            return self._failed(one, place, error)

    def _failed(self, one: Field, place: _Place, raw: Exception) -> None:
        """Null here, or one further out. Raises the located error where null may not be."""
        error = located_error(raw, one.nodes, place.path())
        place.dead = True
        if not place.nullable:
            raise error
        self._errors.append(error)

    def _complete(self, one: Field, kind: Any, place: _Place, value: Any) -> Any:
        if isinstance(value, Exception):
            raise value
        if is_non_null_type(kind):
            found = self._complete(one, kind.of_type, place, value)
            if found is None:
                raise TypeError(f"Cannot return null for non-nullable field {one.parent}.{one.name}.")
            return found
        if value is None or value is Undefined:
            return None
        if is_list_type(kind):
            return self._list(one, kind.of_type, place, value)
        if is_leaf_type(kind):
            return _leaf(kind, value)
        if is_abstract_type(kind):
            return self._typed(one, self._runtime(one, kind, value), place, value)
        return self._typed(one, one.children[kind.name], place, value)

    def _list(self, one: Field, kind: Any, place: _Place, value: Any) -> list[Any]:
        if not is_iterable(value):
            raise GraphQLError(f"Expected Iterable, but did not find one for field '{one.parent}.{one.name}'.")
        found: list[Any] = []
        for number, item in enumerate(value):
            here = _Place(place, found, number, not is_non_null_type(kind))
            try:
                found.append(self._complete(one, kind, here, item))
            except Exception as error:
                self._failed(one, here, error)
                found.append(None)
        return found

    def _typed(self, one: Field, node: Node, place: _Place, value: Any) -> dict[str, Any]:
        says = node.type.is_type_of
        if says is not None and not says(value, self._info(one)):
            raise GraphQLError(f"Expected value of type '{node.type}' but got: {inspect(value)}.", one.nodes)
        return self._object(node, value, place)

    def _runtime(self, one: Field, kind: Any, value: Any) -> Node:
        name = (kind.resolve_type or default_type_resolver)(value, self._info(one), kind)
        found = one.children.get(name) if isinstance(name, str) else None
        if found is None:
            raise GraphQLError(self._no_type(one, kind, value, name), one.nodes)
        return found

    def _no_type(self, one: Field, kind: Any, value: Any, name: Any) -> str:
        """graphql-core's words for a value whose type is none of those it may have."""
        must = f"Abstract type '{kind}' must resolve to an Object type at runtime for field '{one.parent}.{one.name}'"
        if name is None:
            return (
                f"{must}. Either the '{kind}' type should provide a 'resolve_type' function or each possible type"
                " should provide an 'is_type_of' function."
            )
        if not isinstance(name, str):
            return f"{must} with value {inspect(value)}, received '{inspect(name)}', which is not a valid Object type name."
        found = self._compiled.schema.get_type(name)
        if found is None:
            return f"Abstract type '{kind}' was resolved to a type '{name}' that does not exist inside the schema."
        if not is_object_type(found):
            return f"Abstract type '{kind}' was resolved to a non-object type '{name}'."
        return f"Runtime Object type '{found}' is not a possible type for '{kind}'."


def _leaf(kind: Any, value: Any) -> Any:
    found = kind.coerce_output_value(value)
    if found is Undefined or found is None:
        raise TypeError(
            f"Expected `{inspect(kind)}.coerce_output_value({inspect(value)})` to return non-nullable value,"
            f" returned: {inspect(found)}"
        )
    return found
