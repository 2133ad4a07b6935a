"""Which fields of which nouns an operation asks for: what policy decides on and all that sources are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)
from graphql.execution.values import get_argument_values, get_directive_values
from graphql.type.directives import GraphQLIncludeDirective, GraphQLSkipDirective

from gateway.federation.fields import policy_fields
from schema.mutation import CREDENTIAL, type_of
from schema.nouns import PROVENANCE, NounSpec
from schema.wiring import is_open

_OFFERS = frozenset({"CredentialOffer", "OfferedCredential"})
_CONNECTION = {"CorrectionCaseConnection": "correctionCase", "CorrectionCaseEdge": "correctionCase"}


@dataclass(frozen=True, slots=True)
class Selection:
    """What is asked: noun -> fields; `protected` says whether any root field needs a purpose."""

    asked: Mapping[str, frozenset[str]]
    facts: Mapping[str, frozenset[str]]  # the same as policy decides on it
    implied: Mapping[str, frozenset[str]]  # of `asked`, what nobody named: `best` needs it to choose
    protected: bool
    personal: bool  # a person is asked for, by ID or case number, so the request may not travel in a URL


@dataclass(slots=True)
class _Walk:
    schema: GraphQLSchema
    nouns: Mapping[str, NounSpec]
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Any
    asked: dict[str, set[str]] = field(default_factory=dict)
    implied: dict[str, set[str]] = field(default_factory=dict)
    seen: set[tuple[str, str]] = field(default_factory=set)
    protected: bool = False
    personal: bool = False


def select(
    schema: GraphQLSchema,
    nouns: Mapping[str, NounSpec],
    operation: OperationDefinitionNode,
    fragments: Mapping[str, FragmentDefinitionNode],
    variables: Any,
) -> Selection:
    """The selection of a validated operation, @skip and @include applied. `variables` are coerced, as graphql-core
    holds them, default values among them. Each (fragment, type) is walked once, so fragment diamonds are cheap.
    """
    walk = _Walk(schema, nouns, fragments, variables)
    root = schema.get_root_type(operation.operation)
    if root is not None:
        for node in _fields(walk, operation.selection_set, root, set()):
            definition = root.fields.get(node.name.value)
            if definition is not None and not is_open(definition):
                walk.protected = True
                walk.personal |= bool({"idNo", "of", "caseNo"} & definition.args.keys())
                if get_named_type(definition.type).name in _OFFERS:
                    walk.asked.setdefault(CREDENTIAL, set()).update(_offered(walk, node, definition))
        _collect(walk, operation.selection_set, root)
    implied = {noun: frozenset(names - walk.asked[noun]) for noun, names in walk.implied.items()}
    asked = {noun: frozenset(names) | implied.get(noun, frozenset()) for noun, names in walk.asked.items()}
    return Selection(asked, policy_fields(asked), implied, walk.protected, walk.personal)


def _offered(walk: _Walk, node: FieldNode, definition: GraphQLField) -> set[str]:
    """The types of credential that are to be offered, each an item of its own."""
    if CREDENTIAL not in definition.args:
        return set()
    return {type_of(one) for one in get_argument_values(definition, node, walk.variables)[CREDENTIAL]}


def _fields(
    walk: _Walk, selection_set: SelectionSetNode, parent: GraphQLObjectType, seen: set[str]
) -> Iterator[FieldNode]:
    """The field nodes of one level, fragments opened, directives applied."""
    for node in selection_set.selections:
        if not included(walk.variables, node):
            continue
        if isinstance(node, FieldNode):
            yield node
        elif isinstance(node, InlineFragmentNode):
            yield from _fields(walk, node.selection_set, parent, seen)
        elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
            seen.add(node.name.value)
            fragment = walk.fragments.get(node.name.value)
            if fragment is not None:
                yield from _fields(walk, fragment.selection_set, parent, seen)


def included(variables: Any, node: Any) -> bool:
    """Whether @skip and @include leave the node in."""
    if not node.directives:
        return True
    skip = get_directive_values(GraphQLSkipDirective, node, variables)
    if skip and skip.get("if") is True:
        return False
    include = get_directive_values(GraphQLIncludeDirective, node, variables)
    return not (include and include.get("if") is False)


def _collect(walk: _Walk, selection_set: SelectionSetNode, parent: GraphQLObjectType) -> None:
    noun = next((item for item in walk.nouns.values() if item.part_name == parent.name), None)
    record = next((item for item in walk.nouns.values() if item.type_name == parent.name), None)
    if noun is not None:
        walk.asked.setdefault(noun.name, set())
    if parent.name in _CONNECTION:
        walk.asked.setdefault(_CONNECTION[parent.name], set())
    for node in _fields(walk, selection_set, parent, set()):
        name = node.name.value
        definition = parent.fields.get(name)
        if definition is None:
            continue
        if record is not None and name in record.field_names and name not in PROVENANCE:
            walk.asked.setdefault(record.name, set()).add(name)
        if noun is not None and name == "conflicts":
            walk.asked[noun.name].update(noun.compared, filter(None, [noun.paired_by]))
        if noun is not None and name in ("best", "conflicts"):
            # Which record leads is seen by these; without them a home long left could stand for the present one.
            walk.implied.setdefault(noun.name, set()).update(filter(None, (noun.ended_by, noun.newest_by)))
        if noun is not None and name == "records":
            walk.asked[noun.name].update(_filtered(walk, node))
        named = get_named_type(definition.type)
        if isinstance(named, GraphQLObjectType) and node.selection_set is not None:
            _collect(walk, node.selection_set, named)


def _filtered(walk: _Walk, node: FieldNode) -> set[str]:
    """The fields a `where` argument filters by: who may not see a field may not search by it either."""
    for argument in node.arguments or ():
        if argument.name.value != "where":
            continue
        if isinstance(argument.value, ObjectValueNode):
            return {item.name.value for item in argument.value.fields}
        if isinstance(argument.value, VariableNode):
            given = walk.variables.coerced.get(argument.value.name.value)
            return set(given) if isinstance(given, Mapping) else set()
    return set()
