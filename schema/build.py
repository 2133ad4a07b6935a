"""Build the GraphQL schema from nouns: a part type for each, links between them, the roots to ask by.

strawberry makes the types, prints and validates. Fields have no hand-written resolvers: a leaf reads its name from a
plain mapping, and a link names (noun, key, links) and asks the operation's `QueryContext` (see `schema.wiring`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import strawberry
from graphql import GraphQLSchema
from strawberry.schema.config import StrawberryConfig
from strawberry.types.base import get_object_definition
from strawberry.types.field import StrawberryField

from schema.builtin import builtin_nouns, code_tables
from schema.describe import both
from schema.directives import purpose
from schema.errors import NounConflict
from schema.fetching import Fetching
from schema.filters import filter_type
from schema.make import Names, make_argument, make_field, make_type
from schema.mutation import CREDENTIAL, mutation_type
from schema.nouns import PERSON, LinkSpec, NounSpec, names_a_place
from schema.roots import Subscription, query_type
from schema.types.connection import PageInfo
from schema.types.part import FactState, Part, UnavailableReason
from schema.types.record import Record
from schema.wiring import Roots, fetching, wire

_SCALARS: dict[str, Any] = {
    "String": str,
    "Int": int,
    "Float": float,
    "Boolean": bool,
    "Date": date,
    "DateTime": datetime,
}


@dataclass(frozen=True, slots=True)
class BuiltSchema:
    """An immutable schema: what is asked against it, its text, and its nouns by name."""

    graphql: GraphQLSchema
    sdl: str
    nouns: dict[str, NounSpec]
    fetching: Fetching  # what compiled queries fetch and how


_SCALAR_TEXTS = {
    "Date": both("日期,北京时间的民用日期,如 2026-11-23", "A civil date in China, as 2026-11-23"),
    "DateTime": both("时刻,带时区偏移,通常为 UTC", "An instant with its offset, mostly UTC: 2026-11-23T09:00:00+00:00"),
}


def build_schema(declared: Sequence[NounSpec] = ()) -> BuiltSchema:
    """The schema of the built-in nouns and `declared` ones.

    Raises NounConflict where a declared noun takes a name that is already there.
    """
    nouns = [*builtin_nouns(), *declared]
    _refuse_conflicts(nouns)
    names: Names = {"Sequence": list}
    for noun in nouns:
        names[noun.type_name] = _record_type(noun, nouns, names)
        names[noun.part_name] = _part_type(noun, names)
    names["Person"] = _person_type(nouns, names)
    names["CorrectionCaseEdge"], names["CorrectionCaseConnection"] = _connection_types(names)
    query = query_type(declared, names)
    schema = strawberry.Schema(
        query=query,
        mutation=mutation_type(),
        subscription=Subscription,
        directives=[purpose],
        config=StrawberryConfig(auto_camel_case=True),
        types=[names[noun.type_name] for noun in nouns],
    )
    by_name = {noun.name: noun for noun in nouns}
    for name, described in _SCALAR_TEXTS.items():
        if name in schema._schema.type_map:
            schema._schema.type_map[name].description = described
    roots = Roots(by_name, tuple(link_targets(nouns)))
    wire(schema._schema, roots)
    return BuiltSchema(schema._schema, schema.as_str().rstrip() + "\n", by_name, fetching(schema._schema, roots))


def link_targets(nouns: Sequence[NounSpec]) -> list[tuple[str, LinkSpec, str]]:
    """(type that has the field, link, noun it answers) for every link."""
    types = {noun.name: noun.type_name for noun in nouns} | {PERSON: "Person"}
    return [(types[link.on], link, noun.name) for noun in nouns for link in noun.links]


def _refuse_conflicts(nouns: Sequence[NounSpec]) -> None:
    taken = set(code_tables()) | {
        "Person", "Query", "Subscription", "Mutation", "Part", "Record", "PageInfo", "Doubt",
        "CredentialOffer", "CredentialOfferMoment", "OfferedCredential",
    }  # fmt: skip
    roots = {"person", "people", "case", "cases", "catalogue", "purposes", "credentialOffer", "credentialOffers"}
    hanging: set[tuple[str, str]] = set()
    known = {noun.name for noun in nouns} | {PERSON}
    for noun in nouns:
        if noun.name == CREDENTIAL:
            raise NounConflict(f"{CREDENTIAL} is what policy decides on where a credential is offered")
        placed = next((name for name in (noun.name, *sorted(noun.field_names)) if names_a_place(name)), None)
        if placed is not None:
            raise NounConflict(
                f"{noun.name}: {placed} names a place on the map; location is no record and never asked for here"
            )
        for name in (noun.type_name, noun.part_name):
            if name in taken:
                raise NounConflict(f"type {name} is declared twice")
            taken.add(name)
        if noun.root_keys and noun.name in roots:
            raise NounConflict(f"root field {noun.name} is declared twice")
        roots.add(noun.name)
        own = {(noun.name, item.name) for item in noun.fields}
        for link in noun.links:
            if link.on not in known:
                raise NounConflict(f"{noun.name} hangs on {link.on}, which does not exist")
            if (link.on, link.name) in hanging | own:
                raise NounConflict(f"field {link.name} of {link.on} is declared twice")
            hanging.add((link.on, link.name))


def _record_type(noun: NounSpec, nouns: Sequence[NounSpec], names: Names) -> Any:
    links = [
        make_field(link.name, other.part_name, both(link.title.zh, link.title.en), names=names)
        for other in nouns
        for link in other.links
        if link.on == noun.name
    ]
    if noun.name == "correctionCase":
        links.append(make_field("person", "Person | None", both("案件当事人", "The person of the case"), names=names))
    base = noun.record_class or Record
    inherited = list(get_object_definition(base, strict=True).fields)
    own = (
        []
        if noun.record_class
        else [_declared_field(item.name, item.type, item.is_list, item.title) for item in noun.fields]
    )
    return make_type(noun.type_name, [*inherited, *own, *links], both(noun.title.zh, noun.title.en))


def _declared_field(name: str, type_name: str, is_list: bool, title: Any) -> StrawberryField:
    kind: Any = _SCALARS.get(type_name) or code_tables()[type_name]
    return make_field(name, (list[kind] if is_list else kind) | None, both(title.zh, title.en))


def _part_type(noun: NounSpec, names: Names) -> Any:
    where = filter_type(noun)
    arguments = [] if where is None else [make_argument("where", where | None, "筛选条件", "Filter", None)]
    record: Any = names[noun.type_name]
    records = make_field(
        "records", list[record], both("全部记录,一条记录一个来源", "All records; one source each"), arguments=arguments
    )
    best = make_field(
        "best",
        record | None,
        both(
            "应先显示的记录,各值见 conflicts;无记录则为空",
            "The record to show first; what others say differently is in `conflicts`. Null without records",
        ),
    )
    return make_type(
        noun.part_name,
        [*get_object_definition(Part, strict=True).fields, records, best],
        both(f"{noun.title.zh}:状态、来源与记录", f"{noun.title.en}: state, sources and records"),
    )


def _person_type(nouns: Sequence[NounSpec], names: Names) -> Any:
    pid = make_field(
        "pid",
        strawberry.ID,
        both("本机构专用的假名标识,各机构不同", "Pseudonym of the person, different for every organisation that asks"),
    )
    links = [
        make_field(link.name, names[noun.part_name], both(link.title.zh, link.title.en))
        for noun in nouns
        for link in noun.links
        if link.on == PERSON
    ]
    return make_type(
        "Person",
        [pid, *links],
        both(
            "社区矫正对象等自然人;各部分在查询时汇集,不存合并副本",
            "A person; parts are joined as asked, no merged copy is stored",
        ),
    )


def _connection_types(names: Names) -> tuple[Any, Any]:
    case: Any = names["CorrectionCase"]
    edge: Any = make_type(
        "CorrectionCaseEdge",
        [
            make_field("cursor", str, both("游标", "Cursor")),
            make_field("node", case, both("案件", "The case")),
        ],
        both("连接中的一项", "An edge"),
    )
    connection = make_type(
        "CorrectionCaseConnection",
        [
            make_field("edges", list[edge], both("本页各项", "The edges of this page")),
            make_field("nodes", list[case], both("本页案件", "The cases of this page")),
            make_field("pageInfo", PageInfo, both("分页信息", "Paging")),
            make_field("state", FactState, both("本页状态", "State of this page")),
            make_field("reason", UnavailableReason | None, both("未能取得的原因", "Why something is not known")),
            make_field("retryAt", datetime | None, both("可重试时间", "When to try again")),
        ],
        both("案件列表 (Relay 连接)", "Cases, as a Relay connection"),
    )
    return edge, connection
