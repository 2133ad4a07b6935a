"""`where` arguments: which input type filters which field, and whether a record passes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from typing import Any

from strawberry.types.field import StrawberryField

from schema.builtin import code_tables
from schema.describe import both
from schema.errors import BadInput
from schema.make import make_field, make_type
from schema.nouns import NounSpec

_SCALARS: dict[str, type] = {
    "String": str,
    "Int": int,
    "Float": float,
    "Boolean": bool,
    "Date": date,
    "DateTime": datetime,
}
_ORDERED = frozenset({"Int", "Float", "Date", "DateTime"})


def _condition(name: str, annotation: Any, zh: str, en: str) -> StrawberryField:
    return make_field(name, annotation | None, both(zh, en), optional_input=True)


@cache
def condition_type(type_name: str) -> Any:
    """The input type that says what a value of `type_name` must be, say `DateCondition {eq, min, max}`."""
    kind: Any = _SCALARS.get(type_name) or code_tables()[type_name]
    fields = [_condition("eq", kind, "等于", "Equal to")]
    if type_name in _ORDERED:
        fields += [_condition("min", kind, "不小于", "At least"), _condition("max", kind, "不大于", "At most")]
    elif type_name != "Boolean":
        fields.append(_condition("in", list[kind], "其中之一", "One of"))
    return make_type(f"{type_name}Condition", fields, both("字段条件", f"A condition on a {type_name}"), is_input=True)


def filter_type(noun: NounSpec) -> Any:
    """The input type of `records(where:)`, or None where no field of the noun may be filtered."""
    fields = [
        _condition(item.name, condition_type(item.type), item.title.zh, item.title.en)
        for item in noun.fields
        if item.filterable
    ]
    if not fields:
        return None
    name = noun.type_name.removesuffix("Record") + "Filter"
    return make_type(name, fields, both("筛选条件,须同时满足", "All conditions must hold"), is_input=True)


def passes(record: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    """Whether `record` meets every condition; a field whose value is not known meets none.

    Raises BadInput for a field the record does not show at all: "no record meets it" would be a false fact.
    """
    conditions = {name: condition for name, condition in where.items() if condition is not None}
    for name in conditions:
        if name not in record:
            raise BadInput("FILTER_WITHHELD", field=name)
    return all(_meets(record[name], condition) for name, condition in conditions.items())


def _meets(found: Any, condition: Mapping[str, Any]) -> bool:
    if found is None:
        return False
    wanted = {
        name: getattr(item, "value", item) for name, item in condition.items() if item is not None and name != "in"
    }
    if "eq" in wanted and found != wanted["eq"]:
        return False
    if condition.get("in") is not None and found not in {getattr(item, "value", item) for item in condition["in"]}:
        return False
    return not (("min" in wanted and found < wanted["min"]) or ("max" in wanted and found > wanted["max"]))
