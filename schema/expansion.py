"""What a selection set amounts to once its fragments are written out, without writing them out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql.language import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
)

from schema.errors import SchemaError

_META_ROOTS = frozenset({"__schema", "__type"})
# The lists of the introspection types that lead from a type to types again: nested, they multiply without end.
_META_LISTS = frozenset({"fields", "interfaces", "possibleTypes", "inputFields", "args"})
# What those lists amount to in this schema, roughly, and what the roots multiply.
_META_SIZES = {"types": 90, "fields": 8, "args": 2, "inputFields": 3, "enumValues": 8, "directives": 8}
_UNBOUNDED = 10**9


class LimitExceeded(SchemaError):
    """The question is too large. `code` is stable and goes to `extensions.code`; `limit` is what would have been allowed."""

    def __init__(self, code: str, limit: int = 0) -> None:
        super().__init__(code)
        self.code = code
        self.limit = limit


@dataclass(frozen=True, slots=True)
class Limits:
    """The most a question may be. Fields, aliases, directives and cost count after fragments are written out."""

    characters: int = 65_536
    tokens: int = 5_000
    operations: int = 10
    depth: int = 15
    introspection_depth: int = 16  # the standard tools' introspection query is 15 deep
    introspection_lists: int = 2  # the standard tools' query nests two: a type's fields' args
    introspection_cost: int = (
        110_000  # a little above the standard tools' query; aliases would read the schema out often
    )
    aliases: int = 60
    root_fields: int = 20
    fields: int = 2_000
    repeats: int = 1_000  # pairs of selections of one response key: what validation compares pairwise
    directives: int = 50
    cost: int = 50_000
    validation_errors: int = 20
    assumed_sizes: Mapping[str, int] = field(default_factory=dict)  # field -> list length where no argument tells

    @property
    def nesting(self) -> int:
        """Selection sets inside one another, fragments included: far below the interpreter's recursion limit."""
        return 4 * max(self.depth, self.introspection_depth)


class Sum:
    """The measure of one selection set, fragments written out."""

    __slots__ = (
        "aliases",
        "cost",
        "depth",
        "directives",
        "fields",
        "meta_cost",
        "meta_depth",
        "meta_lists",
        "meta_size",
        "nesting",
        "steps",
        "width",
    )

    def __init__(self) -> None:
        self.depth = self.meta_depth = self.meta_lists = self.nesting = 0
        self.meta_size = self.meta_cost = 0  # as if inside __schema; what is inside it
        self.width = self.fields = self.steps = self.aliases = self.directives = self.cost = 0

    def deepen(self, other: Sum) -> None:
        self.depth = max(self.depth, other.depth)
        self.meta_depth = max(self.meta_depth, other.meta_depth)
        self.meta_lists = max(self.meta_lists, other.meta_lists)
        self.nesting = max(self.nesting, other.nesting + 1)

    def count(self, other: Sum) -> None:
        self.fields += other.fields
        self.steps += other.steps
        self.aliases += other.aliases
        self.directives += other.directives
        self.meta_size += other.meta_size
        self.meta_cost += other.meta_cost


class Sizes:
    """How many things a field stands for, by its arguments."""

    def __init__(self, node: OperationDefinitionNode | None, variables: Mapping[str, Any], limits: Limits) -> None:
        self._assumed = limits.assumed_sizes
        self._variables = variables
        self._defaults = {
            one.variable.name.value: one.default_value
            for one in (node.variable_definitions or () if node is not None else ())
            if one.default_value is not None
        }

    def of(self, node: FieldNode) -> int:
        size = 1
        told = False
        for argument in node.arguments or ():
            value: Any = argument.value
            if isinstance(value, VariableNode):
                name = value.name.value
                value = self._variables[name] if name in self._variables else self._defaults.get(name)
            if isinstance(value, ListValueNode):
                size *= max(1, len(value.values))
            elif isinstance(value, (list, tuple)):
                size *= max(1, len(value))
            elif argument.name.value in ("first", "last"):
                told = True
                size *= max(1, _integer(value))
            # An object or a scalar stands for itself; a filter's list narrows and does not multiply.
        if not told:
            size *= self._assumed.get(node.name.value, 1)
        return size


def _integer(value: Any) -> int:
    if isinstance(value, IntValueNode):  # its text may have 60,000 digits, and int() refuses more than 4,300
        return int(value.value) if len(value.value) < 10 else _UNBOUNDED
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or (isinstance(value, float) and math.isnan(value))
    ):
        return 1
    return int(min(value, _UNBOUNDED))


class Ruler:
    """Measures selection sets, each fragment once."""

    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode], sizes: Sizes, limits: Limits) -> None:
        self._fragments, self._sizes, self._limits = fragments, sizes, limits
        self.known: dict[str, Sum | None] = {}  # None while its own selections are being measured

    def selections(self, selection_set: SelectionSetNode, level: int) -> Sum:
        if level > self._limits.nesting:
            raise LimitExceeded("LIMIT_DEPTH", self._limits.depth)
        total = Sum()
        for node in selection_set.selections:
            total.steps += 1
            total.directives += len(node.directives or ())
            if isinstance(node, FieldNode):
                self._field(node, total, level)
                continue
            if isinstance(node, FragmentSpreadNode):
                part = self.fragment(node.name.value, level + 1)
            elif isinstance(node, InlineFragmentNode):
                part = self.selections(node.selection_set, level + 1)
            else:  # pragma: no cover - graphql-core knows three kinds
                continue
            total.width += part.width
            total.cost += part.cost
            total.count(part)
            total.deepen(part)
        return total

    def fragment(self, name: str, level: int) -> Sum:
        if name in self.known:
            known = self.known[name]
            if known is None:
                raise LimitExceeded("FRAGMENT_CYCLE")
            return known
        node = self._fragments.get(name)
        if node is None:
            return Sum()  # validation will say that there is none
        self.known[name] = None
        total = self.selections(node.selection_set, level)
        total.directives += len(node.directives or ())
        self.known[name] = total
        return total

    def _field(self, node: FieldNode, total: Sum, level: int) -> None:
        total.width += 1
        total.fields += 1
        total.cost += 1
        total.meta_size += 1
        total.aliases += node.alias is not None
        total.depth = max(total.depth, 1)
        if node.selection_set is None:
            return
        child = self.selections(node.selection_set, level + 1)
        name = node.name.value
        own_size, child.meta_size = child.meta_size, child.meta_size * _META_SIZES.get(name, 1)
        total.count(child)
        total.cost += self._sizes.of(node) * child.cost
        total.nesting = max(total.nesting, child.nesting + 1)
        if name in _META_ROOTS:
            if child.meta_lists > self._limits.introspection_lists:
                raise LimitExceeded("LIMIT_INTROSPECTION", self._limits.introspection_lists)
            total.meta_depth = max(total.meta_depth, child.depth + 1)
            total.meta_cost += own_size
            return
        total.depth = max(total.depth, child.depth + 1)
        total.meta_depth = max(total.meta_depth, child.meta_depth)
        total.meta_lists = max(total.meta_lists, child.meta_lists + (name in _META_LISTS))


def check_repeats(
    selection_set: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode], limits: Limits
) -> None:
    """Count pairs of selections that answer to one response path; the expansion is bounded already, so it is walked."""
    paths: dict[tuple[int, str], int] = {}
    times: list[int] = [0]
    pairs = 0
    waiting: list[tuple[SelectionSetNode, int]] = [(selection_set, 0)]
    while waiting:
        current, parent = waiting.pop()
        for node in current.selections:
            if isinstance(node, FieldNode):
                key = (parent, (node.alias or node.name).value)
                here = paths.setdefault(key, len(times))
                if here == len(times):
                    times.append(0)
                pairs += times[here]
                times[here] += 1
                if pairs > limits.repeats:
                    raise LimitExceeded("LIMIT_REPEATS", limits.repeats)
                if node.selection_set is not None:
                    waiting.append((node.selection_set, here))
            elif isinstance(node, FragmentSpreadNode):
                fragment = fragments.get(node.name.value)
                if fragment is not None:
                    waiting.append((fragment.selection_set, parent))
            elif isinstance(node, InlineFragmentNode):
                waiting.append((node.selection_set, parent))
