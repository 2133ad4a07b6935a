"""One view, as the database itself describes it, and the statements that ask it.

Every identifier comes from the reflected view, so one the manifest invents is refused before a statement exists
(SQLite would take a misspelt quoted column for a text). Every value is bound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, MetaData, Select, String, Table, and_, inspect, or_, select
from sqlalchemy.types import BigInteger, Integer, NullType, Numeric, TypeEngine

from adapters.identity import id_forms
from adapters.manifest import AnswerSpec
from adapters.source import Key, Page
from adapters.templates import MAX_KEY_CHARS, KeyPartMissing, key_part

DEFAULT_MAX_ROWS: Final = 200
Texts = tuple[str, ...]


class NoSuchColumn(Exception):
    """The view lacks a column the manifest names; the message says which."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """An answer spec's request, read once; itself and no other is equal to it."""

    view: str
    schema: str | None
    by: tuple[str, ...]
    columns: Mapping[str, str]  # key name -> column
    match_on: tuple[str, ...]
    order_by: str
    old_ids: bool  # also look for the 15-digit form
    max_rows: int  # a key

    @classmethod
    def of(cls, answer: AnswerSpec) -> Plan:
        request = answer.request
        schema, _, view = str(request["view"]).rpartition(".")
        columns = {str(key): str(column) for key, column in request["key_columns"].items()}
        return cls(
            view=view,
            schema=schema or None,
            by=answer.by,
            columns=columns,
            match_on=tuple(request.get("match_on", columns)),
            order_by=str(request.get("order_by", "") or answer.record_id),
            old_ids="15" in request.get("id_forms", ("18", "15")),
            max_rows=int(request.get("max_rows", DEFAULT_MAX_ROWS)),
        )

    def forms(self, key: Key) -> tuple[Texts, ...]:
        """For each part in `match_on`, the texts the department may have stored. Raises KeyPartMissing."""
        found: list[Texts] = []
        for name in self.match_on:
            text = sendable(key_part(self.by, key, self.by.index(name)), name)
            if name != "idNo":
                found.append((text,))
            else:
                found.append(tuple(form for form in id_forms(text) if self.old_ids or len(form) == len(text)))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class View:
    """The reflected view, ready to be asked."""

    plan: Plan
    table: Table
    read: Mapping[str, Callable[[str], Any]]  # column -> a key's text as that column's type; ValueError: not possible

    def select_keys(self, wanted: Sequence[tuple[Texts, ...]], fields: Sequence[str], *, limit: int) -> Select[Any]:
        """The rows of many keys, `limit` of them at most; the key columns come after the fields."""
        statement = self._select(fields).where(self._any_of(wanted)).limit(limit)
        if self.plan.order_by:
            statement = statement.order_by(self._column(self.plan.order_by))
        return statement

    def select_page(self, wanted: tuple[Texts, ...], fields: Sequence[str], page: Page) -> Select[Any]:
        """One page of one key's rows, by keyset. Raises KeyPartMissing where `page.after` is no value of the column."""
        order = self._column(self.plan.order_by)
        statement = self._select(fields).where(self._any_of((wanted,))).order_by(order).limit(page.first)
        if page.after is not None:
            try:
                after = self.read[order.name](sendable(page.after, "after"))
            except ValueError:
                raise KeyPartMissing("after") from None
            statement = statement.where(order > after)
        return statement

    def _select(self, fields: Sequence[str]) -> Select[Any]:
        keys = [self._column(self.plan.columns[name]) for name in self.plan.match_on]
        return select(*(self._column(name).label(f"f{at}") for at, name in enumerate(fields)), *keys)

    def _column(self, name: str) -> Column[Any]:
        column = self.table.columns.get(name)
        if column is None:
            raise NoSuchColumn(f"view {self.plan.view} has no column {name}")
        return column

    def _any_of(self, wanted: Sequence[tuple[Texts, ...]]) -> ColumnElement[bool]:
        names = [self.plan.columns[name] for name in self.plan.match_on]
        if len(names) == 1:
            return self._in(names[0], [text for (texts,) in wanted for text in texts])
        return or_(*(and_(*(self._in(n, texts) for n, texts in zip(names, key, strict=True))) for key in wanted))

    def _in(self, name: str, texts: Sequence[str]) -> ColumnElement[bool]:
        values = []
        for text in dict.fromkeys(texts):
            try:
                values.append(self.read[name](text))
            except ValueError:  # a name in a column of numbers: no row has it
                continue
        return self._column(name).in_(values)


def reflect(connection: Connection, plan: Plan) -> View:
    """Raises NoSuchColumn, or sqlalchemy's NoSuchTableError."""
    described = inspect(connection).get_columns(plan.view, schema=plan.schema)
    read: dict[str, Callable[[str], Any]] = {}
    columns: list[Column[Any]] = []
    typed = {plan.columns[name] for name in plan.match_on} | {plan.order_by}
    for one in described:
        name = str(one["name"])
        numeric = isinstance(one["type"], Integer | Numeric)
        read[name] = _number if numeric else str
        # Without a type, values come as the driver gives them; only what is compared needs one.
        compared: TypeEngine[Any] = BigInteger() if numeric else String()
        columns.append(Column(name, compared if name in typed else NullType()))
    view = View(plan, Table(plan.view, MetaData(), *columns, schema=plan.schema), read)
    for name in (*plan.columns.values(), *((plan.order_by,) if plan.order_by else ())):
        view._column(name)
    return view


def positions(plan: Plan, keys: Sequence[Key]) -> tuple[dict[Texts, list[int]], dict[int, str]]:
    """Stored key texts -> the positions in `keys` they answer; and position -> the part that key lacks."""
    index: dict[Texts, list[int]] = {}
    lacking: dict[int, str] = {}
    for at, key in enumerate(keys):
        try:
            for texts in product(*plan.forms(key)):
                index.setdefault(texts, []).append(at)
        except KeyPartMissing as missing:
            lacking[at] = missing.part
    return index, lacking


def sendable(text: str, part: str) -> str:
    """`text` if a driver can send it. Raises KeyPartMissing: one key must not spoil the question of a hundred."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise KeyPartMissing(part) from None
    if "\x00" in text or len(text) > MAX_KEY_CHARS:  # no record has such a key, and PostgreSQL refuses a NUL
        raise KeyPartMissing(part)
    return text


def stored_text(value: object) -> str:
    """A key column's value as keys are written; CHAR columns come padded."""
    return str(value).rstrip(" ")


def _number(text: str) -> int:
    if len(text) > 18 or not text.isascii() or not text.isdigit() or (text != "0" and text.startswith("0")):
        raise ValueError("not a number as this column holds it")
    return int(text)
