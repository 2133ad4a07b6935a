"""Arguments of a field, as graphql-core coerces them: what does not depend on variables once, the rest at each run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import FieldNode, GraphQLField, is_non_null_type, is_required_argument
from graphql.execution import VariableValues, get_argument_values
from graphql.language import Node, VariableNode, Visitor, visit
from graphql.pyutils import Undefined
from graphql.utilities.coerce_input_value import coerce_default_value, coerce_input_literal

_REQUIRED: Any = object()


class Arguments:
    """The arguments of one field of one operation."""

    __slots__ = ("_definition", "_fixed", "_node", "_taken", "_whole")

    def __init__(self, definition: GraphQLField, node: FieldNode) -> None:
        self._definition, self._node = definition, node
        self._fixed: dict[str, Any] = {}
        self._taken: list[tuple[str, str, Any, bool]] = []  # argument, variable, default, non-null
        self._whole = not self._settle()  # graphql-core does it, each time

    def __call__(self, variables: VariableValues) -> Mapping[str, Any]:
        """Raises GraphQLError as graphql-core does."""
        if self._whole:
            return get_argument_values(self._definition, self._node, variables, None, True)
        if not self._taken:
            return self._fixed
        found = dict(self._fixed)
        given = variables.coerced
        for name, variable, default, non_null in self._taken:
            value = given.get(variable, Undefined)
            if value is Undefined:
                value = default
            if value is _REQUIRED or (value is None and non_null):  # it words the error
                return get_argument_values(self._definition, self._node, variables, None, True)
            if value is not Undefined:
                found[name] = value
        return found

    def _settle(self) -> bool:
        """Whether arguments can be taken apart."""
        written = {one.name.value: one.value for one in self._node.arguments or ()}
        try:
            for name, argument in self._definition.args.items():
                out = argument.out_name or name
                value = written.get(name)
                if isinstance(value, VariableNode):
                    default = _REQUIRED if is_required_argument(argument) else coerce_default_value(argument)
                    self._taken.append((out, value.name.value, default, is_non_null_type(argument.type)))
                    continue
                if value is None:
                    if is_required_argument(argument):
                        return False
                    found = coerce_default_value(argument)
                elif _has_variables(value):
                    return False
                else:
                    found = coerce_input_literal(value, argument.type)
                    if found is Undefined:
                        return False
                if found is not Undefined:
                    self._fixed[out] = found
        except Exception:
            return False
        return True


class _Variables(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        self.found.add(node.name.value)


def variables_in(node: Node) -> set[str]:
    """The names of the variables that stand anywhere in `node`."""
    visitor = _Variables()
    visit(node, visitor)
    return visitor.found


def _has_variables(node: Node) -> bool:
    return bool(variables_in(node))
