"""From a text to a plan: parsed, measured, validated, once per (text, operation) of a schema version.

This is the seam a compiled plan takes the place of later: whoever runs queries knows `Plan` and nothing behind it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    OperationDefinitionNode,
)
from graphql.execution import VariableValues, get_directive_values, get_variable_values
from graphql.language import DirectiveNode, Visitor, visit

from gateway.federation.selection import Selection, select
from schema.build import BuiltSchema
from schema.directives import PURPOSE
from schema.limits import Limits, measure, parse_bounded, validate_bounded

_SHAPES = 16


class RequestErrors(Exception):
    """The request cannot be run at all; `code` and graphql-core's own errors say why."""

    def __init__(self, code: str, errors: list[GraphQLError]) -> None:
        super().__init__(code)
        self.code = code
        self.errors = errors


@dataclass(slots=True)
class Plan:
    """One operation of one document, ready to run many times."""

    document: DocumentNode
    operation: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]
    conditional: bool  # @skip, @include or `where` by variable: the selection depends on the variables
    selection: Selection | None = None
    measured: set[Any] = field(default_factory=set)

    @property
    def kind(self) -> str:
        return self.operation.operation.value


class Plans:
    """The plans of one schema version; bounded, least recently used first out."""

    def __init__(self, built: BuiltSchema, limits: Limits, *, introspection: bool, most: int = 1000) -> None:
        self._built = built
        self._limits = limits
        self._introspection = introspection
        self._most = most
        self._plans: OrderedDict[tuple[str, str | None], Plan] = OrderedDict()
        self._purpose = next(item for item in built.graphql.directives if item.name == PURPOSE)

    def plan(self, text: str, operation_name: str | None, variables: Mapping[str, Any]) -> Plan:
        """Raises RequestErrors, or schema.limits.LimitExceeded before anything costly."""
        key = (text, operation_name)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._make(text, operation_name, variables)
            self._plans[key] = plan
            if len(self._plans) > self._most:
                self._plans.popitem(last=False)
        else:
            self._plans.move_to_end(key)
            self._measure(plan, operation_name, variables)
        return plan

    def coerce(self, plan: Plan, variables: Mapping[str, Any]) -> VariableValues:
        """Variables as the schema's types. Raises RequestErrors(BAD_USER_INPUT)."""
        found = get_variable_values(
            self._built.graphql,
            plan.operation.variable_definitions or (),
            dict(variables),
            max_errors=10,
            hide_suggestions=True,
        )
        if isinstance(found, list):
            raise RequestErrors("BAD_USER_INPUT", found)
        return found

    def purpose(self, plan: Plan, variables: VariableValues) -> Mapping[str, Any] | None:
        """What `@purpose` says, coerced, alike for literals and variables; None where there is none."""
        try:
            return get_directive_values(self._purpose, plan.operation, variables, hide_suggestions=True)
        except GraphQLError as error:
            raise RequestErrors("BAD_USER_INPUT", [error]) from None

    def select(self, plan: Plan, variables: VariableValues, raw: Mapping[str, Any]) -> Selection:
        if plan.selection is not None:
            return plan.selection
        found = select(self._built.graphql, self._built.nouns, plan.operation, plan.fragments, variables, raw)
        if not plan.conditional:
            plan.selection = found
        return found

    def _make(self, text: str, operation_name: str | None, variables: Mapping[str, Any]) -> Plan:
        try:
            document = parse_bounded(text, self._limits)
        except GraphQLError as error:
            raise RequestErrors("GRAPHQL_PARSE_FAILED", [error]) from None
        operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
        chosen = [node for node in operations if operation_name is None or _named(node, operation_name)]
        if len(chosen) != 1:
            raise RequestErrors(
                "OPERATION_NAME" if operations else "GRAPHQL_VALIDATION_FAILED", [GraphQLError("no single operation")]
            )
        plan = Plan(
            document,
            chosen[0],
            {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)},
            _conditional(document),
        )
        self._measure(plan, operation_name, variables)
        if not self._introspection and _introspects(document):
            raise RequestErrors("INTROSPECTION_OFF", [GraphQLError("introspection is off")])
        errors = validate_bounded(self._built.graphql, document, self._limits)
        if errors:
            raise RequestErrors("GRAPHQL_VALIDATION_FAILED", errors)
        return plan

    def _measure(self, plan: Plan, operation_name: str | None, variables: Mapping[str, Any]) -> None:
        """The cost depends on variables only by the length of lists and by numbers; each such shape is measured once."""
        shape = tuple(
            (name, len(value) if isinstance(value, list) else value)
            for name, value in variables.items()
            if isinstance(value, list | int)
        )
        if shape in plan.measured:
            return
        measure(plan.document, operation_name, variables, self._limits)
        if len(plan.measured) < _SHAPES and not any(isinstance(value, dict) for value in variables.values()):
            plan.measured.add(shape)


def _named(node: OperationDefinitionNode, name: str) -> bool:
    return node.name is not None and node.name.value == name


class _Conditions(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.found = False

    def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
        self.found |= node.name.value in ("skip", "include")

    def enter_argument(self, node: Any, *_: Any) -> None:
        self.found |= node.name.value == "where" and node.value.kind == "variable"


def _conditional(document: DocumentNode) -> bool:
    visitor = _Conditions()
    visit(document, visitor)
    return visitor.found


class _Meta(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.found = False

    def enter_field(self, node: Any, *_: Any) -> None:
        self.found |= node.name.value in ("__schema", "__type")


def _introspects(document: DocumentNode) -> bool:
    visitor = _Meta()
    visit(document, visitor)
    return visitor.found
