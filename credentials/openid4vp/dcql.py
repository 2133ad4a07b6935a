"""DCQL (OpenID4VP 1.0, section 6): reading a query strictly, and whether what was shown really satisfies it (section 14.8)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from credentials.errors import RequestInvalid

Path = tuple[str | int | None, ...]
"""A claims path pointer (section 7): a name, an index, or None for every element of an array."""

MOST_CREDENTIALS, MOST_CLAIMS, MOST_SHOWN = 8, 40, 8
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CREDENTIAL = frozenset(
    {"id", "format", "meta", "multiple", "claims", "claim_sets", "trusted_authorities",
     "require_cryptographic_holder_binding"}
)  # fmt: skip
_TYPES = {"dc+sd-jwt": "vct_values", "vc+jwt": "type_values"}
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class ClaimQuery:
    """`values` empty: any value will do."""

    path: Path
    id: str | None = None
    values: tuple[str | int | bool, ...] = ()


@dataclass(frozen=True, slots=True)
class CredentialQuery:
    """One credential asked for. `types`: one of these; for vc+jwt each is a set of types that must all be there."""

    id: str
    format: str
    types: tuple[tuple[str, ...], ...]
    claims: tuple[ClaimQuery, ...] = ()
    claim_sets: tuple[tuple[str, ...], ...] = ()
    multiple: bool = False
    bound: bool = True
    authorities: tuple[str, ...] = ()  # `aki` values, base64url; empty: whoever our anchors lead to


@dataclass(frozen=True, slots=True)
class CredentialSet:
    options: tuple[tuple[str, ...], ...]
    required: bool = True


@dataclass(frozen=True, slots=True)
class Query:
    credentials: tuple[CredentialQuery, ...]
    sets: tuple[CredentialSet, ...] = ()

    def find(self, id: str) -> CredentialQuery | None:
        return next((one for one in self.credentials if one.id == id), None)


@dataclass(frozen=True, slots=True)
class Shown:
    """One presentation that was believed already: its format, every type it counts as, its claims with disclosures in
    place, whether the holder proved to hold it, and the `aki` of the chain it came by."""

    format: str
    types: frozenset[str]
    claims: Mapping[str, Any] = field(repr=False)
    bound: bool
    authorities: frozenset[str] = frozenset()


def read_query(value: Any) -> Query:
    """Raises RequestInvalid "dcql_query" for anything that is no query, and for members nobody defined: a misspelt
    `claims` must not ask for less than was meant."""
    query = _table(value, {"credentials", "credential_sets"})
    listed = _list(query.get("credentials"), MOST_CREDENTIALS)
    credentials = tuple(_credential(one) for one in listed)
    ids = [one.id for one in credentials]
    _need(len(set(ids)) == len(ids))
    sets = tuple(_set(one, set(ids)) for one in _optional(query, "credential_sets", MOST_CREDENTIALS))
    return Query(credentials, sets)


def satisfies(query: Query, shown: Mapping[str, Sequence[Shown]]) -> dict[str, list[dict[str, Any]]]:
    """What was asked for, by query id and presentation: JSON text of the path -> value, and nothing that was not asked for.

    Raises RequestInvalid: "unknown_id", "empty", "multiple", "format", "type", "holder_binding", "authority", "claims",
    "missing" (a credential that had to come did not).
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for id, presentations in shown.items():
        asked = query.find(id)
        if asked is None:
            raise RequestInvalid("unknown_id")
        if not presentations:
            raise RequestInvalid("empty")
        if len(presentations) > (MOST_SHOWN if asked.multiple else 1):
            raise RequestInvalid("multiple")
        found[id] = [_claims_of(asked, one) for one in presentations]
    if query.sets:
        complete = all(
            not one.required or any(set(option) <= found.keys() for option in one.options) for one in query.sets
        )
    else:
        complete = len(found) == len(query.credentials)
    if not complete:
        raise RequestInvalid("missing")
    return found


def at(claims: Any, path: Path) -> list[Any]:
    """Every value `path` leads to, none where it leads nowhere (section 7.1)."""
    here = [claims]
    for part in path:
        ahead: list[Any] = []
        for one in here:
            if part is None:
                ahead += one if isinstance(one, list) else ()
            elif isinstance(part, str):
                ahead += [one[part]] if isinstance(one, dict) and part in one else ()
            elif isinstance(one, list) and part < len(one):
                ahead.append(one[part])
        here = ahead
    return here


def _claims_of(asked: CredentialQuery, shown: Shown) -> dict[str, Any]:
    if shown.format != asked.format:
        raise RequestInvalid("format")
    if not any(shown.types.issuperset(one) for one in asked.types):
        raise RequestInvalid("type")
    if asked.bound and not shown.bound:
        raise RequestInvalid("holder_binding")
    if asked.authorities and shown.authorities.isdisjoint(asked.authorities):
        raise RequestInvalid("authority")
    values = [(one, _met(one, shown.claims)) for one in asked.claims]
    if not asked.claim_sets:
        if any(value is _ABSENT for _, value in values):
            raise RequestInvalid("claims")
        return {_name(one.path): value for one, value in values}
    by_id = {one.id: (one, value) for one, value in values}
    for option in asked.claim_sets:
        chosen = [by_id[id] for id in option]
        if all(value is not _ABSENT for _, value in chosen):
            return {_name(one.path): value for one, value in chosen}
    raise RequestInvalid("claims")


def _met(asked: ClaimQuery, claims: Mapping[str, Any]) -> Any:
    found = at(claims, asked.path)
    if asked.values:  # kinds count: true is not 1
        found = [one for one in found if any(type(one) is type(value) and one == value for value in asked.values)]
    if not found:
        return _ABSENT
    return found if None in asked.path else found[0]


def _name(path: Path) -> str:
    """A plain name where it is one; else dots, `*` for every element."""
    return ".".join("*" if part is None else str(part) for part in path)


def _credential(value: Any) -> CredentialQuery:
    asked = _table(value, _CREDENTIAL)
    format = asked.get("format")
    _need(isinstance(format, str) and format in _TYPES)
    multiple, bound = asked.get("multiple", False), asked.get("require_cryptographic_holder_binding", True)
    _need(isinstance(multiple, bool) and isinstance(bound, bool))
    claims = tuple(_claim(one) for one in _optional(asked, "claims", MOST_CLAIMS))
    ids = [one.id for one in claims if one.id is not None]
    paths = [one.path for one in claims]
    _need(len(set(ids)) == len(ids) and len(set(paths)) == len(paths))
    sets = tuple(_ids(one, set(ids)) for one in _optional(asked, "claim_sets", MOST_CLAIMS))
    _need(not sets or (bool(claims) and len(ids) == len(claims)))
    return CredentialQuery(
        _id(asked.get("id")),
        str(format),
        _types(str(format), asked.get("meta")),
        claims,
        sets,
        bool(multiple),
        bool(bound),
        tuple(_authorities(_optional(asked, "trusted_authorities", 16))),
    )


def _types(format: str, meta: Any) -> tuple[tuple[str, ...], ...]:
    values = _list(_table(meta, {_TYPES[format]}).get(_TYPES[format]), 16)
    if format == "dc+sd-jwt":
        _need(all(isinstance(one, str) and 0 < len(one) <= 512 for one in values))
        return tuple((one,) for one in values)
    found = tuple(tuple(_list(one, 16)) for one in values)
    _need(all(isinstance(name, str) and name for one in found for name in one))
    return found


def _claim(value: Any) -> ClaimQuery:
    asked = _table(value, {"id", "path", "values"})
    path = tuple(_list(asked.get("path"), 16))
    _need(isinstance(path[0], str))
    _need(all(part is None or isinstance(part, str) or (type(part) is int and part >= 0) for part in path))
    values = tuple(_optional(asked, "values", 64))
    _need(all(isinstance(one, str | int | bool) for one in values))
    return ClaimQuery(path, _id(asked["id"]) if "id" in asked else None, values)


def _set(value: Any, ids: set[str]) -> CredentialSet:
    asked = _table(value, {"options", "required", "purpose"})
    options = tuple(_ids(one, ids) for one in _list(asked.get("options"), 16))
    required = asked.get("required", True)
    _need(isinstance(required, bool))
    return CredentialSet(options, bool(required))


def _ids(value: Any, known: set[str]) -> tuple[str, ...]:
    found = tuple(_list(value, MOST_CLAIMS))
    _need(all(isinstance(one, str) and one in known for one in found) and len(set(found)) == len(found))
    return found


def _authorities(listed: Sequence[Any]) -> Iterable[str]:
    for one in listed:
        given = _table(one, {"type", "values"})
        _need(given.get("type") == "aki")
        values = _list(given.get("values"), 16)
        _need(all(isinstance(each, str) and 0 < len(each) <= 128 for each in values))
        yield from values


def _id(value: Any) -> str:
    _need(isinstance(value, str) and _ID.fullmatch(value) is not None)
    return str(value)


def _table(value: Any, members: Iterable[str]) -> Mapping[str, Any]:
    if not isinstance(value, dict) or value.keys() - set(members):
        raise RequestInvalid("dcql_query")
    return value


def _list(value: Any, most: int) -> list[Any]:
    if not isinstance(value, list) or not 0 < len(value) <= most:
        raise RequestInvalid("dcql_query")
    return value


def _optional(table: Mapping[str, Any], name: str, most: int) -> list[Any]:
    return _list(table[name], most) if name in table else []


def _need(good: bool) -> None:
    if not good:
        raise RequestInvalid("dcql_query")
