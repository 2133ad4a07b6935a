"""Variables of an operation as the schema's types: what `get_variable_values` of graphql-core gives, by code made once.

Made are coercers for scalars, enums, lists and input objects with their defaults. Whatever a coercer does not take as it
stands, and every error, goes to graphql-core, so the texts of errors are its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLID,
    GraphQLInputObjectType,
    GraphQLSchema,
    GraphQLString,
    OperationDefinitionNode,
    is_input_object_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_required_input_field,
)
from graphql.execution import VariableValues, get_variable_values
from graphql.execution.get_variable_signature import get_variable_signature
from graphql.execution.values import VariableValueSource
from graphql.pyutils import Undefined
from graphql.utilities.coerce_input_value import coerce_default_value

Coerce: TypeAlias = Callable[[Any], Any]


class _Unusual(Exception):
    """Not for a coercer: graphql-core must judge it."""


class Coercer:
    """Coerces the variables of one operation."""

    __slots__ = ("_known", "_operation", "_schema")

    def __init__(self, schema: GraphQLSchema, operation: OperationDefinitionNode) -> None:
        self._schema, self._operation = schema, operation
        self._known = self._read()

    def __call__(self, given: Mapping[str, Any]) -> VariableValues | list[GraphQLError]:
        """The values, or graphql-core's errors."""
        if self._known is not None:
            try:
                return self._coerced(given)
            except (_Unusual, RecursionError):
                pass
        return get_variable_values(
            self._schema,
            self._operation.variable_definitions or (),
            dict(given),
            max_errors=10,
            hide_suggestions=True,
        )

    def _coerced(self, given: Mapping[str, Any]) -> VariableValues:
        sources: dict[str, VariableValueSource] = {}
        coerced: dict[str, Any] = {}
        for name, signature, bare, coerce, default in self._known or ():
            value = given.get(name, Undefined)
            if value is not Undefined:
                sources[name] = VariableValueSource(signature, value)
                coerced[name] = coerce(value)
                continue
            sources[name] = bare
            if default is _REQUIRED:
                raise _Unusual
            if default is not Undefined:
                coerced[name] = default
        return VariableValues(sources, coerced)

    def _read(self) -> list[tuple[str, Any, VariableValueSource, Coerce, Any]] | None:
        """name, signature, source where nothing is given, coercer, default; None where graphql-core must do it all."""
        found = []
        for node in self._operation.variable_definitions or ():
            signature = get_variable_signature(self._schema, node)
            if isinstance(signature, GraphQLError):
                return None
            try:
                coerce = _coerce(signature.type, ())
                default: Any = Undefined
                if node.default_value is not None:
                    default = coerce_default_value(signature)
                elif is_non_null_type(signature.type):
                    default = _REQUIRED
            except Exception:  # an invalid default, a shape without a coercer
                return None
            found.append((signature.name, signature, VariableValueSource(signature), coerce, default))
        return found


_REQUIRED: Any = object()


def _coerce(kind: Any, within: tuple[Any, ...], *, nullable: bool = True) -> Coerce:
    """A coercer for values of `kind`. Raises _Unusual where there is none."""
    if is_non_null_type(kind):
        return _coerce(kind.of_type, within, nullable=False)
    if is_list_type(kind):
        return _list(_coerce(kind.of_type, within), nullable=nullable)
    if is_input_object_type(kind):
        if kind in within or kind.is_one_of or "out_type" in vars(kind) or type(kind) is not GraphQLInputObjectType:
            raise _Unusual
        return _object(kind, (*within, kind), nullable=nullable)
    if isinstance(kind, GraphQLEnumType):
        return _enum(kind, nullable=nullable)
    if is_leaf_type(kind):
        if kind.coerce_input_value in (GraphQLString.coerce_input_value, GraphQLID.coerce_input_value):
            return _nullable_text if nullable else _text
        return _leaf(kind.coerce_input_value, nullable=nullable)
    raise _Unusual


def _text(value: Any) -> Any:
    if value.__class__ is str:
        return value
    raise _Unusual


def _nullable_text(value: Any) -> Any:
    if value is None or value.__class__ is str:
        return value
    raise _Unusual


def _list(item: Coerce, *, nullable: bool) -> Coerce:
    def coerce(value: Any) -> Any:
        if value.__class__ is list:
            return list(map(item, value))
        if value is None and nullable:
            return None
        raise _Unusual

    return coerce


def _enum(kind: GraphQLEnumType, *, nullable: bool) -> Coerce:
    table = {name: kind.coerce_input_value(name) for name in kind.values}

    def coerce(value: Any) -> Any:
        if value.__class__ is str and value in table:
            return table[value]
        if value is None and nullable:
            return None
        raise _Unusual

    return coerce


def _leaf(method: Coerce, *, nullable: bool) -> Coerce:
    def coerce(value: Any) -> Any:
        if value is None:
            if nullable:
                return None
            raise _Unusual
        try:
            found = method(value)
        except Exception:
            raise _Unusual from None
        if found is Undefined:
            raise _Unusual
        return found

    return coerce


def _object(kind: GraphQLInputObjectType, within: tuple[Any, ...], *, nullable: bool) -> Coerce:
    fields = [(name, one, _coerce(one.type, within)) for name, one in kind.fields.items()]
    if all(coerce is _text and not one.out_name for _, one, coerce in fields):
        return _texts(tuple(kind.fields), nullable=nullable)
    known = [
        (name, one.out_name or name, coerce, _REQUIRED if is_required_input_field(one) else coerce_default_value(one))
        for name, one, coerce in fields
    ]

    def coerce(value: Any) -> Any:
        if value.__class__ is not dict:
            if value is None and nullable:
                return None
            raise _Unusual
        found: dict[str, Any] = {}
        left = len(value)
        for name, out, inner, default in known:
            own = value.get(name, Undefined)
            if own is not Undefined:
                found[out] = inner(own)
                left -= 1
            elif default is _REQUIRED:
                raise _Unusual
            elif default is not Undefined:
                found[out] = default
        if left:  # a field that is none of ours
            raise _Unusual
        return found

    return coerce


def _texts(names: tuple[str, ...], *, nullable: bool) -> Coerce:
    """An object of texts that must all be there, like a person's key."""
    count = len(names)

    def coerce(value: Any) -> Any:
        if value.__class__ is not dict:
            if value is None and nullable:
                return None
            raise _Unusual
        if len(value) != count:
            raise _Unusual
        found = {}
        for name in names:
            own = value.get(name)
            if own.__class__ is not str:
                raise _Unusual
            found[name] = own
        return found

    return coerce
