"""From a text to what runs: parsed, measured, validated and compiled once per (text, operation) of a schema version.

`Plans.prepare` is all a request costs here: one look-up, its variables coerced, its cost by their sizes. What variables
decide (@skip and @include, the fields a filter names) is kept per value of those variables.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any, TypeVar

import structlog
from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    OperationDefinitionNode,
)
from graphql.execution import VariableValues, get_directive_values
from graphql.language import ArgumentNode, DirectiveNode, VariableNode, Visitor, visit

from gateway.errors import RequestRefused
from gateway.federation.arguments import variables_in
from gateway.federation.cold import ColdWork
from gateway.federation.compiled import Compiled, Compiler
from gateway.federation.compiled_code import code_of
from gateway.federation.readings import readings_of
from gateway.federation.selection import Selection, select
from gateway.federation.variables import Coercer
from schema.build import BuiltSchema
from schema.directives import PURPOSE
from schema.limits import LimitExceeded, Limits, measure, parse_bounded, validate_bounded
from schema.mutation import CREDENTIAL

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")
_SHAPES = 16
_SIZES = 256
_LEFT_OUT: Any = object()
_SHARE = 0.25  # of the room, that one client's documents may fill where others want it, too
_CHARACTERS = 300_000  # of all plans' texts together; a plan takes some 150 bytes for each


class _Unread:
    """Stands where `@purpose` has not been read yet; None would say that there is none."""


_UNREAD = _Unread()


class RequestErrors(Exception):
    """The request cannot be run at all; `code` and graphql-core's own errors say why."""

    def __init__(self, code: str, errors: list[GraphQLError]) -> None:
        super().__init__(code)
        self.code = code
        self.errors = errors


@dataclass(slots=True, eq=False)
class Plan:
    """One operation of one document, ready to run many times."""

    document: DocumentNode
    operation: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]
    kind: str  # query | mutation | subscription
    coerce: Coercer
    purpose_varies: bool  # whether `@purpose` takes variables
    steering: tuple[str, ...]  # variables that @skip and @include depend on
    choosing: tuple[str, ...]  # variables that say by what is filtered and what is offered
    listed: tuple[str, ...]  # variables whose length, and `counted` whose value too, decides the cost
    counted: tuple[str, ...]
    measured: dict[Any, int] = field(default_factory=dict)  # sizes of variables -> cost
    forms: dict[Any, Compiled | None] = field(default_factory=dict)  # values of `steering` -> form
    selections: dict[Any, Selection] = field(default_factory=dict)
    said: Mapping[str, Any] | _Unread | None = _UNREAD  # what `@purpose` says, once read


@dataclass(frozen=True, slots=True)
class Asked:
    """One request's operation. `form` is None where graphql-core runs it; `said` is what `@purpose` says, None without
    one; `cost` is the worst case, in the units of `schema.limits`."""

    plan: Plan
    variables: VariableValues
    selection: Selection
    said: Mapping[str, Any] | None
    cost: int
    form: Compiled | None
    counts: dict[str, int]


class Plans:
    """The plans of one schema version; bounded in number and in text, least recently used first out. Trusted documents
    stay. `counts` tells operators how plans were come by:

    WARM, COLD; FALLBACK queries that graphql-core runs whole; JUDGED answers that took the slow road for something wrong in
    them; REFUSED requests over the rate of new documents.
    """

    def __init__(
        self,
        built: BuiltSchema,
        limits: Limits,
        *,
        introspection: bool,
        most: int = 1000,
        cold: ColdWork | None = None,
    ) -> None:
        self._built = built
        self._limits = limits
        self._introspection = introspection
        self._most = most
        self._plans: OrderedDict[tuple[str, str | None], Plan] = OrderedDict()
        self._trusted: dict[tuple[str, str | None], Plan] = {}
        self._characters = 0
        self._sent_by: dict[tuple[str, str | None], str] = {}
        self._shares: dict[str, tuple[int, int]] = {}  # client -> plans and characters of those that are here by it
        self._compiler = Compiler(built.graphql, built.fetching, readings_of(built.nouns))
        self._purpose = next(item for item in built.graphql.directives if item.name == PURPOSE)
        self._cold = cold or ColdWork(None)
        self.counts = {"WARM": 0, "COLD": 0, "FALLBACK": 0, "JUDGED": 0, "REFUSED": 0}

    def prepare(self, text: str, operation_name: str | None, variables: Mapping[str, Any], client: str = "") -> Asked:
        """Raises RequestErrors, schema.limits.LimitExceeded, or RequestRefused where `client` sent too many new documents."""
        plan = self.plan(text, operation_name, variables, client)
        cost = self.cost(plan, operation_name, variables)
        coerced = self.coerce(plan, variables)
        selection = self.select(plan, coerced)
        said = self.purpose(plan, coerced)
        return Asked(plan, coerced, selection, said, cost, self.form(plan, coerced, client), self.counts)

    def plan(self, text: str, operation_name: str | None, variables: Mapping[str, Any], client: str = "") -> Plan:
        """The operation's plan; a new one is made only where it is within the limits with these variables."""
        key = (text, operation_name)
        plan = self._trusted.get(key)
        if plan is None:
            plan = self._plans.get(key)
            if plan is None:
                plan = self._spent(client, lambda: self._make(text, operation_name, variables))
                self._keep(key, plan, client)
                self.counts["COLD"] += 1
                return plan
            self._plans.move_to_end(key)
        self.counts["WARM"] += 1
        return plan

    def warm(self, texts: Iterable[str]) -> None:
        """Plan and compile trusted documents before anybody asks; one that cannot run here is named in the log."""
        for text in texts:
            try:
                document = parse_bounded(text, self._limits)
                operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
                names = [None if one.name is None else one.name.value for one in operations]
                for name in names:
                    plan = self._trusted[text, name] = self._make(text, name, {})
                    if len(names) == 1:
                        self._trusted[text, None] = plan
                    self._compile_all(plan)
            except (RequestErrors, LimitExceeded, GraphQLError) as error:
                _log.warning(
                    "trusted_document_unusable", reason=str(getattr(error, "code", "")) or type(error).__name__
                )

    def _compile_all(self, plan: Plan) -> None:
        """Every form that @skip and @include can make of a trusted document, where they are not too many."""
        if 2 ** len(plan.steering) > _SHAPES:
            return
        for values in product((True, False), repeat=len(plan.steering)):
            variables = VariableValues({}, dict(zip(plan.steering, values, strict=True)))
            plan.forms[values] = self._compile(plan, variables)

    def _spent(self, client: str, work: Callable[[], _T]) -> _T:
        """Work that is done once for a document, on the account of whoever sent it. Raises RequestRefused."""
        try:
            with self._cold.spending(client):
                return work()
        except RequestRefused:
            self.counts["REFUSED"] += 1
            raise

    def _keep(self, key: tuple[str, str | None], plan: Plan, client: str) -> None:
        self._plans[key], self._sent_by[key] = plan, client
        self._count(client, 1, len(key[0]))
        while len(self._plans) > self._most or (self._characters > _CHARACTERS and len(self._plans) > 1):
            dropped = self._dispensable(key)
            del self._plans[dropped]
            self._count(self._sent_by.pop(dropped), -1, -len(dropped[0]))

    def _count(self, client: str, plans: int, characters: int) -> None:
        self._characters += characters
        had = self._shares.get(client, (0, 0))
        now = self._shares[client] = had[0] + plans, had[1] + characters
        if not now[0]:
            del self._shares[client]

    def _dispensable(self, new: tuple[str, str | None]) -> tuple[str, str | None]:
        """Whose plan was used least lately; but where one client's fill more than its share, one of those: five padded texts
        must not cost everybody else theirs, who would plan them anew on their own accounts."""
        by = max(
            self._shares, key=lambda one: max(self._shares[one][0] / self._most, self._shares[one][1] / _CHARACTERS)
        )
        plans, characters = self._shares[by]
        if max(plans / self._most, characters / _CHARACTERS) > _SHARE:
            of_it = next((key for key in self._plans if self._sent_by[key] == by and key != new), None)
            if of_it is not None:
                return of_it
        return next(iter(self._plans))

    def coerce(self, plan: Plan, variables: Mapping[str, Any]) -> VariableValues:
        """Variables as the schema's types. Raises RequestErrors(BAD_USER_INPUT)."""
        found = plan.coerce(variables)
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
        given = variables.coerced
        key = tuple([given.get(name, _LEFT_OUT) for name in plan.steering])
        if plan.choosing:
            key += tuple([_chosen(given.get(name)) for name in plan.choosing])
        found = plan.selections.get(key)
        if found is not None:
            return found
        try:
            found = select(self._built.graphql, self._built.nouns, plan.operation, plan.fragments, variables)
        except GraphQLError as error:  # null for @skip(if:), which a default value lets pass validation
            raise RequestErrors("BAD_USER_INPUT", [error]) from None
        _hold(plan.selections, key, found)
        return found

    def form(self, plan: Plan, variables: VariableValues, client: str = "") -> Compiled | None:
        """The compiled form for these variables, None where graphql-core must run the operation."""
        given = variables.coerced
        key = tuple([given.get(name, _LEFT_OUT) for name in plan.steering])
        found = plan.forms.get(key, _UNREAD)
        if isinstance(found, _Unread):
            found = self._spent(client, lambda: self._compile(plan, variables))
            _hold(plan.forms, key, found)
        return found

    def _compile(self, plan: Plan, variables: VariableValues) -> Compiled | None:
        found = self._compiler.compile(plan.operation, plan.fragments, variables)
        if found is not None:
            found.code = code_of(found)
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
        operation = chosen[0]
        reading = _Reads()
        visit(document, reading)
        declared = [one.variable.name.value for one in operation.variable_definitions or ()]

        def among(names: set[str]) -> tuple[str, ...]:
            """What a request brings beside the operation's own variables means nothing."""
            return tuple(name for name in declared if name in names)

        plan = Plan(
            document,
            operation,
            {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)},
            operation.operation.value,
            Coercer(self._built.graphql, operation),
            any(variables_in(node) for node in operation.directives or ()),
            among(reading.steering),
            among(reading.choosing),
            among(reading.listed - reading.counted),
            among(reading.counted),
        )
        self.cost(plan, operation_name, variables)
        if not self._introspection and reading.introspects:
            raise RequestErrors("INTROSPECTION_OFF", [GraphQLError("introspection is off")])
        errors = validate_bounded(self._built.graphql, document, self._limits)
        if errors:
            raise RequestErrors("GRAPHQL_VALIDATION_FAILED", errors)
        return plan

    def cost(self, plan: Plan, operation_name: str | None, variables: Mapping[str, Any]) -> int:
        """What the operation may cost at most. It depends on variables only by the length of lists and by numbers; each such
        size is measured once. Raises LimitExceeded."""
        sizes: Any = ()
        for name in plan.listed:
            value = variables.get(name, _LEFT_OUT)
            # Three, a list of three, null and a variable left out are measured differently.
            sizes += (len(value) if value.__class__ is list else -1 if value is not _LEFT_OUT else -2,)
        for name in plan.counted:
            value = variables.get(name, _LEFT_OUT)
            plain = len(value) if isinstance(value, list) else value if isinstance(value, int | float) else None
            sizes += ((type(value), plain),)
        cost = plan.measured.get(sizes)
        if cost is None:
            cost = measure(plan.document, operation_name, variables, self._limits).cost
            _hold(plan.measured, sizes, cost, _SIZES)
        return cost


def _hold(kept: dict[Any, _T], key: Any, value: _T, most: int = _SHAPES) -> None:
    """Keep the newest `most`."""
    if len(kept) >= most:
        del kept[next(iter(kept))]
    kept[key] = value


def _chosen(value: Any) -> Any:
    """What a variable of a filter or of an offer decides: which fields are named, which credentials."""
    if isinstance(value, Mapping):
        return frozenset(value)
    return tuple(map(str, value)) if isinstance(value, list) else value


def _named(node: OperationDefinitionNode, name: str) -> bool:
    return node.name is not None and node.name.value == name


class _Reads(Visitor):
    """What of a document depends on which variables, and whether it asks for the schema itself."""

    def __init__(self) -> None:
        super().__init__()
        self.steering: set[str] = set()
        self.choosing: set[str] = set()
        self.listed: set[str] = set()
        self.counted: set[str] = set()
        self.introspects = False

    def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
        if node.name.value in ("skip", "include"):
            self.steering |= variables_in(node)

    def enter_argument(self, node: ArgumentNode, *_: Any) -> None:
        if node.name.value in ("where", CREDENTIAL):  # what is offered is what is decided on
            self.choosing |= variables_in(node)
        if isinstance(node.value, VariableNode):
            (self.counted if node.name.value in ("first", "last") else self.listed).add(node.value.name.value)

    def enter_field(self, node: Any, *_: Any) -> None:
        self.introspects |= node.name.value in ("__schema", "__type")
