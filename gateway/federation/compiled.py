"""A query compiled once: what each object type of its answer shows, and how each field is got.

Compiled from a validated operation with @skip and @include settled (one form per value of their variables). Fields are
collected and merged by graphql-core's own functions, so the specification's order (6.3.2, 6.4.3) is theirs. Equal selections
on one type become one node, however often fragments lead there. `compiled_code` writes the code that runs a form,
`compiled_errors` judges answers in which something is wrong. What a form cannot express compiles to None, and graphql-core
runs the operation whole; that is decided before anything is fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
)
from graphql.execution import VariableValues
from graphql.execution.collect_fields import (
    CollectedFields,
    FieldDetails,
    FragmentDetails,
    collect_fields,
    collect_subfields,
)
from graphql.type.directives import GraphQLDisableErrorPropagationDirective

from gateway.federation.arguments import Arguments
from gateway.federation.reading import MappingReading, Reading
from schema.fetching import Batched, Computed, Fetching

Group: TypeAlias = Mapping[str, list[FieldDetails]]
_MOST_NODES = 4_000
_MAPPING = MappingReading()


class Unplannable(Exception):
    """The operation holds something a compiled plan does not express."""


@dataclass(slots=True, eq=False)
class Field:
    """One response key of one object type."""

    key: str
    name: str
    parent: GraphQLObjectType
    type: Any
    nodes: list[FieldNode]
    how: Batched | Computed | None  # None: read from the parent
    arguments: Arguments | None
    children: Mapping[str, Node]  # object type -> what is shown of it; none for leaves
    reading: Reading  # of the parent
    place: int = 0  # of the arguments of a computed field, among the run's
    kept: bool = False  # a computed value below which something is fetched: worked out once, so that it is fetched once
    read: Callable[[Any], Any] | None = None  # made when first needed, see `compiled_code.reader`


@dataclass(slots=True, eq=False)
class Node:
    """The selection on one object type. `fields` are in the order of the answer; `__typename` has no type here."""

    type: GraphQLObjectType
    reading: Reading
    fields: tuple[Field, ...] = ()
    batched: tuple[Field, ...] = ()
    place: int = -1  # among the nodes that have batched fields


@dataclass(slots=True, eq=False)
class Compiled:
    """One form of an operation. `nodes` are children before parents."""

    schema: GraphQLSchema
    operation: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]
    root: Node
    nodes: tuple[Node, ...]
    waiting: tuple[Node, ...]  # those with batched fields, by place
    computed: tuple[Field, ...]  # by place
    code: Any = None  # compiled_code.Code, set by whoever compiles


@dataclass(slots=True)
class _Making:
    operation: OperationDefinitionNode
    fragments: dict[str, FragmentDetails]
    variables: VariableValues
    known: dict[Any, Node] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    computed: list[Field] = field(default_factory=list)


def _fetching(nodes: Sequence[Node]) -> set[Node]:
    """Those in or below which something is fetched. `nodes` are children before parents."""
    found: set[Node] = set()
    for node in nodes:
        if node.batched or any(not found.isdisjoint(one.children.values()) for one in node.fields):
            found.add(node)
    return found


class Compiler:
    """Compiles the queries of one schema."""

    def __init__(self, schema: GraphQLSchema, fetching: Fetching, readings: Mapping[str, Reading]) -> None:
        self._schema = schema
        self._fetching = fetching
        self._readings = readings

    def compile(
        self,
        operation: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: VariableValues,
    ) -> Compiled | None:
        """None where graphql-core must run it. Of `variables` only those matter that steer @skip and @include."""
        query = self._schema.query_type
        if operation.operation is not OperationType.QUERY or query is None:
            return None
        if any(one.name.value == GraphQLDisableErrorPropagationDirective.name for one in operation.directives or ()):
            return None
        making = _Making(operation, {name: FragmentDetails(node) for name, node in fragments.items()}, variables)
        try:
            found = collect_fields(self._schema, making.fragments, variables, query, operation, True)
            root = self._node(making, query, _plain(found))
        except (Unplannable, GraphQLError, RecursionError):  # an error of @skip(if:) is graphql-core's to place
            return None
        waiting = tuple(node for node in making.nodes if node.batched)
        for place, node in enumerate(waiting):
            node.place = place
        fetches = _fetching(making.nodes)
        for place, one in enumerate(making.computed):
            one.place, one.kept = place, not fetches.isdisjoint(one.children.values())
        return Compiled(self._schema, operation, fragments, root, tuple(making.nodes), waiting, tuple(making.computed))

    def _node(self, making: _Making, kind: GraphQLObjectType, group: Group) -> Node:
        """The node for these fields of `kind`; the same one for the same fields."""
        known = (kind.name, *((key, *(id(one.node) for one in found)) for key, found in group.items()))
        node = making.known.get(known)
        if node is None:
            if len(making.known) >= _MOST_NODES:
                raise Unplannable("nodes")
            node = making.known[known] = Node(kind, self._readings.get(kind.name, _MAPPING))
            node.fields = tuple(self._field(making, node, key, found) for key, found in group.items())
            node.batched = tuple(one for one in node.fields if isinstance(one.how, Batched))
            making.nodes.append(node)
        return node

    def _field(self, making: _Making, node: Node, key: str, found: list[FieldDetails]) -> Field:
        nodes = [one.node for one in found]
        name, parent = nodes[0].name.value, node.type
        if name == "__typename":
            return Field(key, name, parent, None, nodes, None, None, {}, node.reading)
        definition = parent.fields.get(name)
        if definition is None:  # __schema, __type
            raise Unplannable(name)
        how = self._fetching.get((parent.name, name))
        if isinstance(how, Computed) and not nodes[0].arguments:
            how = None
        if how is None and parent is self._schema.query_type:
            raise Unplannable(name)  # there is nothing to read from
        arguments = None if how is None else Arguments(definition, nodes[0])
        children = self._children(making, get_named_type(definition.type), found)
        one = Field(key, name, parent, definition.type, nodes, how, arguments, children, node.reading)
        if isinstance(how, Computed):
            making.computed.append(one)
        return one

    def _children(self, making: _Making, named: GraphQLNamedType, found: list[FieldDetails]) -> Mapping[str, Node]:
        if is_leaf_type(named):
            return {}
        composite: Any = named
        kinds: Sequence[GraphQLObjectType] = (
            self._schema.get_possible_types(composite) if is_abstract_type(named) else (composite,)
        )
        made = {}
        for kind in kinds:
            collected = collect_subfields(
                self._schema, making.fragments, making.variables, making.operation, kind, found, True
            )
            made[kind.name] = self._node(making, kind, _plain(collected))
        return made


def _plain(found: CollectedFields) -> Group:
    if found.new_defer_usages:
        raise Unplannable("@defer")
    return found.grouped_field_set
