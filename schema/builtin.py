"""The built-in nouns: which strawberry class carries each, and where it hangs."""

from __future__ import annotations

from enum import EnumMeta
from functools import cache
from typing import Any

from strawberry.schema.name_converter import NameConverter
from strawberry.types.base import StrawberryList, StrawberryOptional, get_object_definition
from strawberry.types.enum import StrawberryEnumDefinition

from schema import codes
from schema.nouns import PERSON, PERSON_KEY, PROVENANCE, FieldSpec, LinkSpec, NounSpec, Title
from schema.types.aftercare import AftercareRecord
from schema.types.business import BusinessRecord
from schema.types.correction_case import CorrectionCase
from schema.types.identity import IdentityRecord
from schema.types.insurance import SocialInsuranceRecord
from schema.types.legal_document import LegalDocument
from schema.types.monitoring_order import MonitoringOrder
from schema.types.residence import ResidenceRecord

_NAMES = NameConverter()
_SCALARS = {"str": "String", "int": "Int", "float": "Float", "bool": "Boolean", "date": "Date", "datetime": "DateTime"}


def _of_person(name: str, zh: str, en: str) -> LinkSpec:
    return LinkSpec(PERSON, name, PERSON_KEY, Title(zh, en))


def _noun(name: str, cls: type, *links: LinkSpec, filterable: tuple[str, ...] = (), **rules: Any) -> NounSpec:
    definition = get_object_definition(cls, strict=True)
    fields = []
    for item in definition.fields:
        graphql_name = _NAMES.get_graphql_name(item)
        if graphql_name in PROVENANCE:
            continue
        kind: Any = item.type.of_type if isinstance(item.type, StrawberryOptional) else item.type
        is_list = isinstance(kind, StrawberryList)
        if isinstance(kind, StrawberryList):
            kind = kind.of_type
        type_name = kind.name if isinstance(kind, StrawberryEnumDefinition) else _SCALARS[kind.__name__]
        zh, _, en = (item.description or "").partition(" · ")
        fields.append(FieldSpec(graphql_name, type_name, Title(zh, en), is_list, graphql_name in filterable))
    zh, _, en = (definition.description or "").partition(" · ")
    return NounSpec(name, definition.name, Title(zh, en), tuple(fields), links, record_class=cls, **rules)


@cache
def builtin_nouns() -> tuple[NounSpec, ...]:
    """The nouns every yimen knows, in the order the schema shows them."""
    return (
        _noun(
            "identity",
            IdentityRecord,
            _of_person("identity", "身份", "Identity"),
            compared=("name", "sex", "birthDate"),
        ),
        _noun(
            "residence",
            ResidenceRecord,
            _of_person("residence", "居住", "Residence"),
            filterable=("status", "startOn"),
            compared=("admin",),
            compared_prefix=(("admin", 6),),
            ended_by="leftOn",
            newest_by="startOn",
        ),
        _noun(
            "insurance",
            SocialInsuranceRecord,
            _of_person("insurance", "社会保险", "Social insurance"),
            filterable=("kind", "status"),
            compared=("status",),
            paired_by="kind",
        ),
        _noun(
            "business",
            BusinessRecord,
            _of_person("business", "经营主体", "Business roles"),
            filterable=("role", "status"),
            compared=("status",),
            paired_by="uscc",
        ),
        _noun(
            "correctionCase",
            CorrectionCase,
            _of_person("cases", "矫正案件", "Correction cases"),
            filterable=("type", "state"),
            compared=("type", "startOn", "endOn", "executionAdmin", "state"),
            compared_prefix=(("executionAdmin", 6),),
            paired_by="caseNo",
            newest_by="effectiveOn",
        ),
        _noun(
            "legalDocument",
            LegalDocument,
            _of_person("documents", "法律文书", "Legal documents"),
            LinkSpec("correctionCase", "documents", ("caseNo",), Title("本案法律文书", "Documents of this case")),
            filterable=("docType",),
            paired_by="docNo",
            newest_by="issuedOn",
        ),
        _noun(
            "monitoringOrder",
            MonitoringOrder,
            _of_person("monitoringOrders", "电子定位决定", "Monitoring orders"),
            ended_by="liftedAt",
            newest_by="from",
        ),
        _noun(
            "aftercare",
            AftercareRecord,
            _of_person("aftercare", "安置帮教", "Aftercare"),
            compared=("startOn", "untilOn"),
            newest_by="startOn",
        ),
    )


@cache
def code_tables() -> dict[str, EnumMeta]:
    """Every code table by its GraphQL name."""
    return {name: item for name, item in vars(codes).items() if isinstance(item, EnumMeta) and name != "Enum"}


def enum_names(type_name: str) -> frozenset[str] | None:
    """The values of a code table, or None where `type_name` is none."""
    table = code_tables().get(type_name)
    return None if table is None else frozenset(table.__members__)
