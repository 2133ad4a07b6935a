"""A query compiled once: which response keys, in which order, from which field of which data, down to the links.

Compiled from a validated operation with @skip, @include and filters settled (one form per value of their variables).
Fragments are written out and equal response keys merged, as "CollectFields" and "MergeSelectionSets" of the GraphQL
specification (6.3.2, 6.4.3) do it. What is not a plain query over our own types compiles to None, and graphql-core
runs it; that is decided before anything is fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)
from graphql.execution import get_argument_values

from gateway.federation.selection import included
from schema.nouns import NounSpec
from schema.wiring import Roots

Serialize = Callable[[Any], Any]


class Irregular(Exception):
    """A value graphql-core must judge: wrong type, null where none may be. It runs the operation again, on what is
    already fetched, and words the error."""


class Unplannable(Exception):
    """The operation holds something a compiled plan does not express."""


@dataclass(slots=True)
class Node:
    """The selection on one object type."""

    template: dict[str, Any] = field(default_factory=dict)  # every response key in order
    leaves: list[tuple[str, str, Serialize, bool]] = field(default_factory=list)  # key, field, serialize, non-null
    lists: list[tuple[str, str, Serialize]] = field(default_factory=list)  # lists of leaves
    objects: list[tuple[str, str, Node, bool]] = field(default_factory=list)  # key, field, node, non-null
    object_lists: list[tuple[str, str, Node, bool]] = field(default_factory=list)  # items non-null
    records: list[tuple[str, Node, Mapping[str, Any] | None]] = field(default_factory=list)  # key, node, where
    links: list[tuple[str, str, tuple[str, ...], Node]] = field(default_factory=list)  # key, noun, by, node
    persons: list[tuple[str, Node]] = field(default_factory=list)  # key, node: the person of a case


@dataclass(frozen=True, slots=True)
class Root:
    """One field of the query root."""

    key: str
    definition: GraphQLField
    field_node: FieldNode
    resolve: Callable[..., Any]
    node: Node
    is_list: bool

    def ask(self, info: Any, variables: Any) -> Any:
        """What the field's own resolver gives, or an awaitable of it."""
        return self.resolve(None, info, **get_argument_values(self.definition, self.field_node, variables))


@dataclass(frozen=True, slots=True)
class Compiled:
    template: Mapping[str, Any]
    roots: tuple[Root, ...]


class Compiler:
    """Compiles the operations of one schema."""

    def __init__(self, schema: GraphQLSchema, roots: Roots) -> None:
        self._schema = schema
        self._links = {(type_name, link.name): (noun, link.by) for type_name, link, noun in roots.links}
        self._parts: Mapping[str, NounSpec] = {noun.part_name: noun for noun in roots.nouns.values()}
        self._leaf: dict[str, Serialize] = {}

    def compile(
        self, operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode], variables: Any
    ) -> Compiled | None:
        """None where graphql-core must run it.

        `where` arguments and directives are settled with `variables`; arguments of root fields are taken at each run.
        """
        query = self._schema.query_type
        if operation.operation.value != "query" or query is None:
            return None
        try:
            collected = self._collect(operation.selection_set, query, fragments, variables)
            roots = []
            for key, nodes in collected.items():
                name = nodes[0].name.value
                definition = query.fields.get(name)
                if definition is None:  # __typename, __schema, __type
                    return None
                node = self._node(_object(definition), nodes, fragments, variables)
                if definition.resolve is None:
                    return None
                roots.append(Root(key, definition, nodes[0], definition.resolve, node, _is_list(definition)))
        except Unplannable:
            return None
        return Compiled(dict.fromkeys(collected), tuple(roots))

    def _node(
        self,
        parent: GraphQLObjectType,
        nodes: list[FieldNode],
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: Any,
    ) -> Node:
        merged: dict[str, list[FieldNode]] = {}
        for one in nodes:
            if one.selection_set is not None:
                for key, found in self._collect(one.selection_set, parent, fragments, variables).items():
                    merged.setdefault(key, []).extend(found)
        node = Node(dict.fromkeys(merged))
        for key, found in merged.items():
            name = found[0].name.value
            if name == "__typename":
                node.template[key] = parent.name
                continue
            definition = parent.fields.get(name)
            if definition is None:
                raise Unplannable(name)
            self._place(node, parent, key, name, definition, found, fragments, variables)
        return node

    def _place(
        self,
        node: Node,
        parent: GraphQLObjectType,
        key: str,
        name: str,
        definition: GraphQLField,
        found: list[FieldNode],
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: Any,
    ) -> None:
        """Sort one field into the kind of work it is."""
        kind: Any = definition.type
        non_null = isinstance(kind, GraphQLNonNull)
        if non_null:
            kind = kind.of_type
        link = self._links.get((parent.name, name))
        if link is not None:
            node.links.append((key, *link, self._node(_object(definition), found, fragments, variables)))
        elif parent.name == "CorrectionCase" and name == "person":
            node.persons.append((key, self._node(_object(definition), found, fragments, variables)))
        elif parent.name in self._parts and name == "records":
            where = get_argument_values(definition, found[0], variables).get("where")
            node.records.append((key, self._node(_object(definition), found, fragments, variables), where))
        elif isinstance(kind, GraphQLList):
            item = kind.of_type
            item_non_null = isinstance(item, GraphQLNonNull)
            if item_non_null:
                item = item.of_type
            if isinstance(item, GraphQLObjectType):
                node.object_lists.append((key, name, self._node(item, found, fragments, variables), item_non_null))
            elif item_non_null and not isinstance(item, GraphQLList):
                node.lists.append((key, name, self._serializer(item)))
            else:
                raise Unplannable(name)
        elif isinstance(kind, GraphQLObjectType):
            node.objects.append((key, name, self._node(kind, found, fragments, variables), non_null))
        else:
            node.leaves.append((key, name, self._serializer(kind), non_null))

    def _collect(
        self,
        selection_set: SelectionSetNode,
        parent: GraphQLObjectType,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: Any,
    ) -> dict[str, list[FieldNode]]:
        """Response key -> field nodes, in the order the specification gives. All our types are object types."""
        found: dict[str, list[FieldNode]] = {}
        seen: set[str] = set()

        def walk(selections: SelectionSetNode) -> None:
            for one in selections.selections:
                if not included(variables, one):
                    continue
                if isinstance(one, FieldNode):
                    found.setdefault((one.alias or one.name).value, []).append(one)
                elif isinstance(one, InlineFragmentNode):
                    if one.type_condition is None or one.type_condition.name.value == parent.name:
                        walk(one.selection_set)
                elif isinstance(one, FragmentSpreadNode) and one.name.value not in seen:
                    seen.add(one.name.value)
                    fragment = fragments.get(one.name.value)
                    if fragment is not None and fragment.type_condition.name.value == parent.name:
                        walk(fragment.selection_set)

        walk(selection_set)
        return found

    def _serializer(self, kind: Any) -> Serialize:
        made = self._leaf.get(kind.name)
        if made is None:
            made = self._leaf[kind.name] = _serializer(kind)
        return made


def _is_list(definition: GraphQLField) -> bool:
    kind = definition.type
    return isinstance(kind.of_type if isinstance(kind, GraphQLNonNull) else kind, GraphQLList)


def _object(definition: GraphQLField) -> GraphQLObjectType:
    named: Any = definition.type
    while hasattr(named, "of_type"):
        named = named.of_type
    if not isinstance(named, GraphQLObjectType):
        raise Unplannable(str(named))
    return named


def _exactly(kind: type) -> Serialize:
    def serialize(value: Any) -> Any:
        if type(value) is kind:
            return value
        raise Irregular

    return serialize


def _int(value: Any) -> Any:
    if type(value) is int and -2_147_483_648 <= value <= 2_147_483_647:
        return value
    raise Irregular


def _float(value: Any) -> Any:
    if type(value) is float and value - value == 0:  # neither infinite nor NaN
        return value
    raise Irregular


def _iso(kind: type[date]) -> Serialize:
    def serialize(value: Any) -> Any:
        if type(value) is kind:
            text: str = value.isoformat()
            return text
        raise Irregular

    return serialize


def _serializer(kind: Any) -> Serialize:
    if isinstance(kind, GraphQLEnumType):
        names = frozenset(kind.values)

        def serialize(value: Any) -> Any:
            if type(value) is str and value in names:
                return value
            raise Irregular

        return serialize
    known: dict[str, Serialize] = {
        "String": _exactly(str),
        "ID": _exactly(str),
        "Boolean": _exactly(bool),
        "Int": _int,
        "Float": _float,
        "Date": _iso(date),
        "DateTime": _iso(datetime),
    }
    found = known.get(kind.name)
    if found is None:
        raise Unplannable(kind.name)
    return found
