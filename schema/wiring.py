"""How a field gets its value: a leaf reads a plain mapping by its own name, a link asks the context.

The resolvers are set on the finished graphql-core schema, so that strawberry's per-field machinery is not on the
path of a query. `fetching` says the same to compiled queries, which ask for a level at once.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from types import SimpleNamespace
from typing import Any, TypeAlias

from graphql import GraphQLField, GraphQLObjectType, GraphQLResolveInfo, GraphQLSchema

from schema.context import Data, OfferAsked
from schema.errors import BadInput
from schema.fetching import Ask, Batched, Computed, Fetching
from schema.filters import passes
from schema.mutation import OFFER_CREDENTIAL
from schema.nouns import PERSON_KEY, LinkSpec, NounSpec

Info: TypeAlias = GraphQLResolveInfo[Any]
LINKS = "_links"
_LINKS_OF, _KEY_OF = itemgetter(LINKS), itemgetter(*PERSON_KEY)
_CASES = "correctionCase"


@dataclass(frozen=True, slots=True)
class Roots:
    """What the wiring needs to know of the nouns."""

    nouns: Mapping[str, NounSpec]
    links: Sequence[tuple[str, LinkSpec, str]]


def wire(schema: GraphQLSchema, roots: Roots) -> None:
    """Give every field of `schema` its resolver."""
    for gtype in schema.type_map.values():
        if isinstance(gtype, GraphQLObjectType) and not gtype.name.startswith("__"):
            for name, field in gtype.fields.items():
                field.resolve = _leaf(name)
    for type_name, link, noun in roots.links:
        _of(schema, type_name).fields[link.name].resolve = _link(noun, link.by)
    for noun_spec in roots.nouns.values():
        _of(schema, noun_spec.part_name).fields["records"].resolve = _records
    _of(schema, "CorrectionCase").fields["person"].resolve = _person_of
    query = _of(schema, "Query").fields
    query["person"].resolve = _person
    query["people"].resolve = _people
    query["case"].resolve = _case
    query["cases"].resolve = _cases
    query["catalogue"].resolve = lambda _root, info: info.context.catalogue()
    query["purposes"].resolve = lambda _root, info: info.context.purposes()
    query["credentialOffer"].resolve = _credential_offer
    query["credentialOffers"].resolve = _credential_offers
    _of(schema, "Mutation").fields[OFFER_CREDENTIAL].resolve = _offer_credential
    for noun_spec in roots.nouns.values():
        if noun_spec.root_keys and noun_spec.name in query:
            query[noun_spec.name].resolve = _declared_root(noun_spec)
    subscription = _of(schema, "Subscription").fields["sourceHealth"]
    subscription.subscribe = _source_health
    subscription.resolve = lambda event, _info: event


def fetching(schema: GraphQLSchema, roots: Roots) -> Fetching:
    """How compiled queries get what does not simply stand in its parent. `schema` is wired."""
    found: dict[tuple[str, str], Batched | Computed] = {}
    for type_name, link, noun in roots.links:
        found[type_name, link.name] = Batched(_parts, (noun, link.by))
    for noun_spec in roots.nouns.values():
        found[noun_spec.part_name, "records"] = Computed(_filtered)
    found["CorrectionCase", "person"] = Batched(_persons_of, None)
    for name, field in _of(schema, "Query").fields.items():
        found["Query", name] = Batched(_asked, field.resolve)
    return found


async def _parts(context: Any, asks: Sequence[Ask]) -> Sequence[Sequence[Any]]:
    links: dict[int, list[Any]] = {}  # the fields of one object type have one list of parents
    for ask in asks:
        if id(ask.parents) not in links:
            links[id(ask.parents)] = _links(ask)
    found: Sequence[Sequence[Any]] = await context.level([(*ask.what, links[id(ask.parents)]) for ask in asks])
    return found


async def _persons_of(context: Any, asks: Sequence[Ask]) -> Sequence[Sequence[Any]]:
    """The persons of cases, asked for together; a case that names nobody has none."""
    keys = [
        [(id_no, links.get("name") or "") if (id_no := links.get("idNo")) else None for links in _links(ask)]
        for ask in asks
    ]
    found = iter(await context.people([key for own in keys for key in own if key is not None]))
    return [[None if key is None else next(found) for key in own] for own in keys]


def _links(ask: Ask) -> list[Any]:
    return list(map(_LINKS_OF, ask.parents))


async def _asked(context: Any, asks: Sequence[Ask]) -> Sequence[Sequence[Any]]:
    """Fields of the query root, each by its own resolver, all at once."""
    info = SimpleNamespace(context=context)
    if len(asks) == 1:
        return [[await _root(info, asks[0])]]
    return [[value] for value in await asyncio.gather(*(_root(info, ask) for ask in asks))]


async def _root(info: Any, ask: Ask) -> Any:
    try:
        found = ask.what(None, info, **ask.arguments)
        return await found if inspect.isawaitable(found) else found
    except Exception as error:
        return error


def _filtered(part: Data, arguments: Mapping[str, Any]) -> Any:
    return _records(part, None, **arguments)


def _of(schema: GraphQLSchema, name: str) -> GraphQLObjectType:
    found = schema.get_type(name)
    if not isinstance(found, GraphQLObjectType):
        raise TypeError(name)
    return found


def _leaf(name: str) -> Callable[[Data, Info], Any]:
    def read(source: Data, _info: Info, **_arguments: Any) -> Any:
        return source.get(name)

    return read


def _link(noun: str, by: tuple[str, ...]) -> Callable[[Data, Info], Awaitable[Data]]:
    def follow(source: Data, info: Info) -> Awaitable[Data]:
        context: Any = info.context
        found: Awaitable[Data] = context.part(noun, by, source[LINKS])
        return found

    return follow


def _records(part: Data, _info: Info | None, where: Mapping[str, Any] | None = None) -> Sequence[Data]:
    records: Sequence[Data] = part["records"]
    return records if not where else [record for record in records if passes(record, where)]


async def _person(_root: object, info: Info, idNo: str, name: str) -> Data | Exception:
    found: Data | Exception = (await info.context.people([(idNo, name)], named=True))[0]
    return found


async def _people(_root: object, info: Info, of: Sequence[Any]) -> Sequence[Data | Exception]:
    found: Sequence[Data | Exception] = await info.context.people(list(map(_KEY_OF, of)), named=True)
    return found


async def _person_of(case: Data, info: Info) -> Data | Exception | None:
    id_no = case[LINKS].get("idNo")
    if not id_no:
        return None
    found: Data | Exception = (await info.context.people([(id_no, case[LINKS].get("name") or "")]))[0]
    return found


def _case(_root: object, info: Info, caseNo: str) -> Awaitable[Data]:
    found: Awaitable[Data] = info.context.part(_CASES, ("caseNo",), {"caseNo": caseNo})
    return found


def _cases(
    _root: object,
    info: Info,
    executionAdmin: str,
    first: int = 20,
    after: str | None = None,
) -> Awaitable[Data]:
    if not 1 <= first <= 100:
        raise BadInput("PAGE_SIZE", most=100)
    by = ("executionAdmin",)
    found: Awaitable[Data] = info.context.page(_CASES, by, {"executionAdmin": executionAdmin}, first, after)
    return found


def _credential_offer(_root: object, info: Info, id: str) -> Awaitable[Data | None]:
    found: Awaitable[Data | None] = info.context.offer(id)
    return found


def _credential_offers(_root: object, info: Info, idNo: str, name: str) -> Awaitable[Sequence[Data]]:
    found: Awaitable[Sequence[Data]] = info.context.offers(idNo, name)
    return found


def _offer_credential(
    _root: object, info: Info, idNo: str, name: str, credential: Sequence[str], txCode: bool, flow: Any, send: bool
) -> Awaitable[Data]:
    asked = OfferAsked(idNo, name, tuple(credential), txCode, str(getattr(flow, "value", flow)), send)
    made: Awaitable[Data] = info.context.offer_credential(asked)
    return made


def _declared_root(noun: NounSpec) -> Callable[..., Awaitable[Data]]:
    def ask(_root: object, info: Info, **keys: str | None) -> Awaitable[Data]:
        given = {name for name, value in keys.items() if value is not None}
        for by in noun.root_keys:
            if set(by) == given:
                found: Awaitable[Data] = info.context.part(noun.name, by, keys)
                return found
        raise BadInput("KEYS", noun=noun.name)

    return ask


async def _source_health(_root: object, info: Info) -> AsyncIterator[Data]:
    events: AsyncIterator[Data] = info.context.source_health()
    return events


def is_open(field: GraphQLField) -> bool:
    """Whether a root field needs no purpose: the catalogue describes systems, never a person."""
    named: Any = field.type
    while hasattr(named, "of_type"):
        named = named.of_type
    return named.name in {"CatalogueEntry", "PurposeEntry", "SourceHealth"}


__all__ = ["LINKS", "Roots", "fetching", "is_open", "wire"]
