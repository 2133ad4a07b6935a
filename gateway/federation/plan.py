"""From a text to a plan: parsed, measured, validated, once per (text, operation) of a schema version.

A plan also holds its compiled forms (`federation.compiled`); `federation.execute` runs them.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    OperationDefinitionNode,
)
from graphql.execution import VariableValues, get_directive_values, get_variable_values
from graphql.language import ArgumentNode, DirectiveNode, Node, VariableNode, Visitor, visit

from gateway.federation.compiled import Compiled, Compiler
from gateway.federation.selection import Selection, select
from schema.build import BuiltSchema, link_targets
from schema.directives import PURPOSE
from schema.limits import Limits, measure, parse_bounded, validate_bounded
from schema.mutation import CREDENTIAL
from schema.wiring import Roots

_SHAPES = 16
_LEFT_OUT: Any = object()


class _Unread:
    """Stands where `@purpose` has not been read yet; None would say that there is none."""


_UNREAD = _Unread()
_CHARACTERS = 300_000  # of all plans' texts together; a plan takes some 150 bytes for each


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
    purpose_varies: bool  # whether `@purpose` takes variables
    varying: frozenset[str]  # variables that @skip, @include, `where` and what is offered depend on
    declared: tuple[str, ...]  # the operation's own variables; what else a request brings means nothing
    selection: Selection | None = None
    measured: dict[Any, int] = field(default_factory=dict)  # shape of variables -> cost
    forms: dict[bytes, Compiled | None] = field(default_factory=dict)
    said: Mapping[str, Any] | _Unread | None = _UNREAD  # what `@purpose` says, once read

    @property
    def kind(self) -> str:
        return self.operation.operation.value


class Plans:
    """The plans of one schema version; bounded in number and in text, least recently used first out."""

    def __init__(self, built: BuiltSchema, limits: Limits, *, introspection: bool, most: int = 1000) -> None:
        self._built = built
        self._limits = limits
        self._introspection = introspection
        self._most = most
        self._plans: OrderedDict[tuple[str, str | None], Plan] = OrderedDict()
        self._characters = 0
        self._compiler = Compiler(built.graphql, Roots(built.nouns, tuple(link_targets(list(built.nouns.values())))))
        self._purpose = next(item for item in built.graphql.directives if item.name == PURPOSE)

    def plan(self, text: str, operation_name: str | None, variables: Mapping[str, Any]) -> Plan:
        """Raises RequestErrors, or schema.limits.LimitExceeded before anything costly."""
        key = (text, operation_name)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._make(text, operation_name, variables)
            self._keep(key, plan)
        else:
            self._plans.move_to_end(key)
            self._measure(plan, operation_name, variables)
        return plan

    def _keep(self, key: tuple[str, str | None], plan: Plan) -> None:
        self._plans[key] = plan
        self._characters += len(key[0])
        while len(self._plans) > self._most or (self._characters > _CHARACTERS and len(self._plans) > 1):
            (dropped, _), _ = self._plans.popitem(last=False)
            self._characters -= len(dropped)

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
        if not isinstance(plan.said, _Unread):
            return plan.said
        said = self._purpose_of(plan, variables)
        if not plan.purpose_varies:
            plan.said = said
        return said

    def _purpose_of(self, plan: Plan, variables: VariableValues) -> Mapping[str, Any] | None:
        try:
            return get_directive_values(self._purpose, plan.operation, variables, hide_suggestions=True)
        except GraphQLError as error:
            raise RequestErrors("BAD_USER_INPUT", [error]) from None

    def select(self, plan: Plan, variables: VariableValues) -> Selection:
        """What is asked for with these variables. Raises RequestErrors(BAD_USER_INPUT) for a null that decides."""
        if plan.selection is not None:
            return plan.selection
        try:
            found = select(self._built.graphql, self._built.nouns, plan.operation, plan.fragments, variables)
        except GraphQLError as error:  # null for @skip(if:), which a default value lets pass validation
            raise RequestErrors("BAD_USER_INPUT", [error]) from None
        if not plan.varying:
            plan.selection = found
        return found

    def compiled(self, plan: Plan, variables: VariableValues, raw: Mapping[str, Any]) -> Compiled | None:
        """The compiled form for these variables, None where graphql-core must run the operation."""
        key = b""
        if plan.varying:  # a variable left out has its default, and null is null; long filters are not kept whole
            settled = orjson.dumps([(name, raw[name]) for name in sorted(plan.varying) if name in raw])
            key = settled if len(settled) <= 64 else hashlib.sha256(settled).digest()
        if key in plan.forms:
            return plan.forms[key]
        found = self._compiler.compile(plan.operation, plan.fragments, variables)
        if len(plan.forms) < _SHAPES:
            plan.forms[key] = found
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
            any(_variables_in(node) for node in chosen[0].directives or ()),
            _varying(document),
            tuple(one.variable.name.value for one in chosen[0].variable_definitions or ()),
        )
        self._measure(plan, operation_name, variables)
        if not self._introspection and _introspects(document):
            raise RequestErrors("INTROSPECTION_OFF", [GraphQLError("introspection is off")])
        errors = validate_bounded(self._built.graphql, document, self._limits)
        if errors:
            raise RequestErrors("GRAPHQL_VALIDATION_FAILED", errors)
        return plan

    def cost(self, plan: Plan, operation_name: str | None, variables: Mapping[str, Any]) -> int:
        """What the operation may cost at most, in the cost units of `schema.limits`; measured already when it was planned."""
        return self._measure(plan, operation_name, variables)

    def _measure(self, plan: Plan, operation_name: str | None, variables: Mapping[str, Any]) -> int:
        """The cost depends on variables only by the length of lists and by numbers; each such shape is measured once."""
        values = [variables.get(name, _LEFT_OUT) for name in plan.declared]
        # With its kind: three, a list of three, null and a variable left out are measured differently.
        shape = tuple(
            (type(value), len(value) if isinstance(value, list) else value if isinstance(value, int | float) else None)
            for value in values
        )
        cost = plan.measured.get(shape)
        if cost is not None:
            return cost
        found = measure(plan.document, operation_name, variables, self._limits)
        if len(plan.measured) < _SHAPES and not any(isinstance(value, dict) for value in values):
            plan.measured[shape] = found.cost
        return found.cost


def _named(node: OperationDefinitionNode, name: str) -> bool:
    return node.name is not None and node.name.value == name


class _Variables(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        self.found.add(node.name.value)


def _variables_in(node: Node) -> set[str]:
    visitor = _Variables()
    visit(node, visitor)
    return visitor.found


class _Varying(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.inner = _Variables()

    def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
        if node.name.value in ("skip", "include"):
            visit(node, self.inner)

    def enter_argument(self, node: ArgumentNode, *_: Any) -> None:
        if node.name.value in ("where", CREDENTIAL):  # what is offered is what is decided on
            visit(node, self.inner)


def _varying(document: DocumentNode) -> frozenset[str]:
    visitor = _Varying()
    visit(document, visitor)
    return frozenset(visitor.inner.found)


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
