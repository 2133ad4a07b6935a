"""The small closed language a type's file says its conditions in: what a record must be like. Nothing is executed.

One condition is a table: `{ field = "status", eq = "ACTIVE" }`, or `{ any = [..] }`, `{ all = [..] }` of others. Operators:
`eq`, `in`, `not_in`, `at_least`, `at_most` (numbers), `starts` (a code's beginning), `missing` (true: the record has no such
value), `empty` (lists), `not_past`, `past` (dates, against today in China), `within_days`, `within_months` (not older than so many).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Protocol

from credentials.toml_form import Form


class Condition(Protocol):
    def holds(self, record: Mapping[str, Any], today: date) -> bool: ...

    @property
    def fields(self) -> frozenset[str]: ...


@dataclass(frozen=True, slots=True)
class Compared:
    """One field by one operator. A value that is not there, or not of the kind compared, holds nothing but `missing`."""

    field: str
    operator: str
    operand: Any

    def holds(self, record: Mapping[str, Any], today: date) -> bool:
        value = record.get(self.field)
        if self.operator == "missing":
            return (value is None) is self.operand
        return value is not None and _OPERATORS[self.operator](value, self.operand, today)

    @property
    def fields(self) -> frozenset[str]:
        return frozenset({self.field})


@dataclass(frozen=True, slots=True)
class Joined:
    """`any` or `all` of several."""

    every: bool
    of: tuple[Condition, ...]

    def holds(self, record: Mapping[str, Any], today: date) -> bool:
        found = (one.holds(record, today) for one in self.of)
        return all(found) if self.every else any(found)

    @property
    def fields(self) -> frozenset[str]:
        return frozenset().union(*(one.fields for one in self.of))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def day_of(value: Any) -> date | None:
    """A civil date as sources' answers write it: 2026-11-23, or a month as its first day."""
    if not isinstance(value, str):
        return None
    try:
        return date.fromisoformat(value if len(value) != 7 else f"{value}-01")
    except ValueError:
        return None


def _same(value: Any, operand: Any, _: date) -> bool:
    return type(value) is type(operand) and bool(value == operand)


def _months(value: Any, operand: int, today: date) -> bool:
    day = day_of(value)
    return day is not None and (today.year - day.year) * 12 + today.month - day.month <= operand


def _dated(test: Callable[[date, Any, date], bool]) -> Callable[[Any, Any, date], bool]:
    def holds(value: Any, operand: Any, today: date) -> bool:
        day = day_of(value)
        return day is not None and test(day, operand, today)

    return holds


def _counted(test: Callable[[float, float], bool]) -> Callable[[Any, Any, date], bool]:
    def holds(value: Any, operand: Any, _: date) -> bool:
        number = _number(value)
        return number is not None and test(number, operand)

    return holds


_OPERATORS: Mapping[str, Callable[[Any, Any, date], bool]] = {
    "eq": _same,
    "in": lambda value, operand, _: value in operand,
    "not_in": lambda value, operand, _: value not in operand,
    "at_least": _counted(lambda value, operand: value >= operand),
    "at_most": _counted(lambda value, operand: value <= operand),
    "starts": lambda value, operand, _: isinstance(value, str) and value.startswith(operand),
    "empty": lambda value, operand, _: isinstance(value, list | tuple) and (not value) is operand,
    "not_past": _dated(lambda day, wanted, today: (day >= today) is wanted),
    "past": _dated(lambda day, wanted, today: (day < today) is wanted),
    "within_days": _dated(lambda day, most, today: today - day <= timedelta(days=most)),
    "within_months": _months,
}
_WANTED: Mapping[str, tuple[type, ...]] = {
    "eq": (str, bool, int), "in": (list,), "not_in": (list,), "at_least": (int, float), "at_most": (int, float),
    "starts": (str,), "missing": (bool,), "empty": (bool,), "not_past": (bool,), "past": (bool,), "within_days": (int,), "within_months": (int,),
}  # fmt: skip
_DEEPEST = 4


def read_conditions(form: Form, key: str, fields: frozenset[str], depth: int = 1) -> tuple[Condition, ...]:
    """Every condition of the list under `key`, over `fields` alone; what is wrong becomes a fault."""
    return tuple(one for inner in form.tables(key) if (one := _condition(inner, fields, depth)) is not None)


def _condition(form: Form, fields: frozenset[str], depth: int) -> Condition | None:
    for key in ("any", "all"):
        if form.has(key):
            of = read_conditions(form, key, fields, depth + 1) if depth < _DEEPEST else ()
            form.done()
            if not of:
                form.fault(None, f"{key} must hold conditions, at most {_DEEPEST} deep")
            return Joined(key == "all", of) if of else None
    name = form.text("field")
    if name and name not in fields:
        form.fault("field", f'"{name[:60]}" is no field that facts names for this noun')
    operators = [key for key in form.data if key in _WANTED]
    found = None
    if len(operators) != 1:
        form.fault(None, f"a condition has one operator: {', '.join(sorted(_WANTED))}")
    else:
        found = _operand(form, operators[0])
    for key in operators:
        form.raw(key)
    form.done()
    return None if found is None else Compared(name, operators[0], found)


def _operand(form: Form, operator: str) -> Any:
    value = form.raw(operator)
    if type(value) not in _WANTED[operator] or (isinstance(value, list) and not _plain(value)):
        form.fault(operator, f"{operator} cannot be compared with this")
        return None
    return tuple(value) if isinstance(value, list) else value


def _plain(values: Sequence[Any]) -> bool:
    return bool(values) and all(isinstance(value, str | int) for value in values)


def fields_of(conditions: Sequence[Condition]) -> Iterator[str]:
    for one in conditions:
        yield from one.fields
