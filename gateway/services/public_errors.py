"""Errors as a caller may see them: a stable code, where it happened, and nothing the caller or a source wrote.

graphql-core's own texts repeat literals and variables, and those may be ID numbers. `hint` keeps the names that the
schema knows and drops the rest. The text in `message` comes from the catalogue by code, at the door.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from graphql import GraphQLError, GraphQLSchema

from gateway.errors import GatewayError, RequestRefused
from gateway.federation.plan import RequestErrors
from schema.errors import BadInput
from schema.expansion import LimitExceeded

_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_VALUE = re.compile(r"(got invalid value|invalid value|value:|found|literal)\s.*", re.DOTALL)
_DIGITS = re.compile(r"\d{4,}[0-9Xx]*")
_PLAIN = re.compile(r"[^\x20-\x7e]+")
Formatted = Mapping[str, Any]


def of_request(error: RequestErrors, schema: GraphQLSchema) -> tuple[Formatted, ...]:
    """Errors found before execution."""
    known = _known(schema)
    return tuple(_formatted(error.code, item, hint=_hint(item.message, known)) for item in error.errors)


def of_limit(error: LimitExceeded) -> tuple[Formatted, ...]:
    return ({"message": error.code, "extensions": {"code": error.code, "limit": error.limit}},)


def of_refusal(code: str, rule_ids: Sequence[str] = (), policy_version: str = "") -> tuple[Formatted, ...]:
    """A refusal names its rule."""
    extensions: dict[str, Any] = {"code": code}
    if rule_ids:
        extensions["rules"] = list(rule_ids)
        extensions["policyVersion"] = policy_version
    return ({"message": code, "extensions": extensions},)


def of_limits(error: RequestRefused) -> tuple[Formatted, ...]:
    """A client's rate or budget is spent: when to come back, in whole seconds."""
    extensions: dict[str, Any] = {"code": error.code}
    if "retry_after" in error.facts:
        extensions["retryAfter"] = error.facts["retry_after"]
    return ({"message": error.code, "extensions": extensions},)


def of_execution(errors: Sequence[GraphQLError], schema: GraphQLSchema) -> tuple[Formatted, ...]:
    """Errors met while executing: our own codes, or INTERNAL for what should not have happened."""
    found = []
    for error in errors:
        cause = error.original_error
        if isinstance(cause, BadInput):
            found.append(_formatted(cause.code, error, facts=cause.facts))
        elif isinstance(cause, GatewayError):
            found.append(_formatted(cause.code, error))
        elif cause is None:
            found.append(_formatted("VALUE", error, hint=_hint(error.message, _known(schema))))
        else:
            found.append(_formatted("INTERNAL", error))
    return tuple(found)


def _formatted(
    code: str, error: GraphQLError, *, hint: str | None = None, facts: Mapping[str, str | int] | None = None
) -> Formatted:
    extensions: dict[str, Any] = {"code": code}
    if hint:
        extensions["hint"] = hint
    if facts:
        extensions |= facts
    formatted: dict[str, Any] = {"message": code, "extensions": extensions}
    if error.locations:
        formatted["locations"] = [{"line": place.line, "column": place.column} for place in error.locations]
    if error.path:
        formatted["path"] = list(error.path)
    return formatted


_CACHE: dict[int, tuple[GraphQLSchema, frozenset[str]]] = {}


def _known(schema: GraphQLSchema) -> frozenset[str]:
    """Every name the schema itself uses: those may be repeated."""
    held = _CACHE.get(id(schema))
    if held is not None and held[0] is schema:
        return held[1]
    names = set(schema.type_map) | {directive.name for directive in schema.directives}
    for gtype in schema.type_map.values():
        for name, field in getattr(gtype, "fields", {}).items():
            names.add(name)
            names.update(getattr(field, "args", {}))
        names.update(getattr(gtype, "values", {}))
    if len(_CACHE) > 8:
        _CACHE.clear()
    _CACHE[id(schema)] = (schema, frozenset(names))
    return frozenset(names)


def _hint(message: str, known: frozenset[str]) -> str:
    def keep(match: re.Match[str]) -> str:
        word = match.group(1) if match.group(1) is not None else match.group(2)
        bare = word.strip("[]!@")
        parts = re.split(r"[.:]", bare)
        return match.group(0) if all(part.strip("[]! ") in known for part in parts) else "'…'"

    cut = _VALUE.sub(lambda match: match.group(1) + " …", message)
    return _PLAIN.sub("…", _DIGITS.sub("…", _QUOTED.sub(keep, cut)))[:300]
