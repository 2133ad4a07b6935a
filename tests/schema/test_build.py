"""The schema is built from nouns, and a declared noun is a noun like any other."""

from __future__ import annotations

import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLObjectType

from schema.__main__ import GOLDEN
from schema.build import build_schema
from schema.errors import NounConflict
from schema.nouns import FieldSpec, LinkSpec, NounSpec, Title

PARCEL = NounSpec(
    "landParcel",
    "LandParcel",
    Title("宗地", "Land parcel"),
    (
        FieldSpec("parcelNo", "String", Title("宗地号", "Parcel number")),
        FieldSpec("areaM2", "Float", Title("面积", "Area"), filterable=True),
        FieldSpec("registeredOn", "Date", Title("登记日期", "Registered on"), filterable=True),
        FieldSpec("uses", "String", Title("用途", "Uses"), is_list=True),
    ),
    (LinkSpec("person", "landParcels", ("idNo", "name"), Title("名下宗地", "Parcels")),),
    root_keys=(("parcelNo",),),
)


def test_the_golden_file_is_what_the_code_builds() -> None:
    assert GOLDEN.read_text(encoding="utf-8") == build_schema().sdl


def test_everything_is_described_in_both_languages() -> None:
    lacking = []
    for gtype in build_schema([PARCEL]).graphql.type_map.values():
        if gtype.name.startswith("__") or gtype.name in {"String", "Int", "Float", "Boolean", "ID", "Date", "DateTime"}:
            continue
        described = [(gtype.name, gtype.description)]
        if isinstance(gtype, GraphQLObjectType | GraphQLInputObjectType):
            described += [(f"{gtype.name}.{name}", field.description) for name, field in gtype.fields.items()]
        if isinstance(gtype, GraphQLEnumType):
            described += [(f"{gtype.name}.{name}", value.description) for name, value in gtype.values.items()]
        lacking += [name for name, text in described if " · " not in (text or "")]
    assert lacking == []


def test_every_code_table_can_say_that_a_code_is_in_no_table() -> None:
    from schema.builtin import code_tables

    for table in code_tables().values():
        assert "UNMAPPED" in table.__members__


def test_a_declared_noun_appears_with_links_filters_and_root() -> None:
    sdl = build_schema([PARCEL]).sdl
    assert "landParcels: LandParcelPart!" in sdl
    assert "landParcel(" in sdl
    assert "records(" in sdl
    assert "where: LandParcelFilter = null" in sdl
    assert "areaM2: FloatCondition" in sdl
    assert "landParcel" not in build_schema().sdl


@pytest.mark.parametrize(
    "clash",
    [
        NounSpec("x", "Person", Title("", ""), ()),
        NounSpec("x", "ResidenceRecord", Title("", ""), ()),
        NounSpec("x", "X", Title("", ""), (), (LinkSpec("person", "residence", ("idNo",), Title("", "")),)),
        NounSpec("x", "X", Title("", ""), (), (LinkSpec("nothing", "x", ("idNo",), Title("", "")),)),
        NounSpec("people", "X", Title("", ""), (), root_keys=(("a",),)),
    ],
)
def test_a_name_that_is_taken_is_refused(clash: NounSpec) -> None:
    with pytest.raises(NounConflict):
        build_schema([clash])


def test_only_envelope_state_and_opaque_ids_are_non_null() -> None:
    """What policy may mask must be nullable."""
    built = build_schema([PARCEL])
    for noun in built.nouns.values():
        record = built.graphql.get_type(noun.type_name)
        assert isinstance(record, GraphQLObjectType)
        for name in noun.field_names:
            assert not str(record.fields[name].type).endswith("!"), f"{noun.name}.{name}"
