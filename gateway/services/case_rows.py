"""Rows of the case register's CSV files, read into entries; every fault with its file and line, none repeating a value.

A file's name says what it holds; its first line names the columns. UTF-8, with or without a mark at its beginning.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from adapters.identity import normalise_id
from gateway.clock import CIVIL
from gateway.policy.facts import Relationship, Seal
from gateway.supervision.case_facts import (
    AssignmentEntry,
    CaseEntry,
    Entry,
    EntryInvalid,
    MonitoringEntry,
    Part,
    PartyEntry,
    RelationshipEntry,
    SealEntry,
    UnsealOrder,
)

_LONGEST = 16 << 20
_MOST = 200_000
_YES = {"1": True, "true": True, "是": True, "0": False, "false": False, "否": False, "": False}
E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Fault:
    """`line` counts from 1, the header's; 0 is the file as a whole."""

    file: str
    line: int
    why: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.why}" if self.line else f"{self.file}: {self.why}"


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One line: what it would declare once its person is a subject and its officer is known."""

    file: str
    line: int
    kind: str
    id_no: str | None = field(repr=False)  # normalised; None where no person stands in it
    values: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Kind:
    columns: tuple[str, ...]
    optional: frozenset[str] = frozenset()


KINDS: Mapping[str, _Kind] = {
    "cases": _Kind(
        (
            "case_no",
            "id_no",
            "state",
            "seal",
            "minor_at_offence",
            "execution_admin",
            "offence_in_progress",
            "visible_from",
        ),
        frozenset({"seal", "minor_at_offence", "execution_admin", "offence_in_progress", "visible_from"}),
    ),
    "parties": _Kind(("case_no", "org_id", "part", "since", "until"), frozenset({"until"})),
    "assignments": _Kind(("case_no", "officer", "since", "until"), frozenset({"until"})),
    "seals": _Kind(("id_no", "seal", "unseal_order_no"), frozenset({"unseal_order_no"})),
    "relationships": _Kind(("officer", "id_no", "kind", "declared_by")),
    "unseal_orders": _Kind(
        ("order_no", "id_no", "case_no", "org_id", "approved_by", "second_approved_by", "since", "expires_at"),
        frozenset({"case_no"}),
    ),
    "monitoring_orders": _Kind(
        ("order_no", "id_no", "legal_ground", "approved_by", "since", "until", "lifted_at"), frozenset({"lifted_at"})
    ),
}
"""In the order they are declared: a seal is lifted by an order, so orders come before seals below."""

ORDER = ("cases", "parties", "assignments", "relationships", "unseal_orders", "seals", "monitoring_orders")


def rows_of(name: str, data: bytes, faults: list[Fault]) -> Iterator[CaseRow]:
    """The rows of one file; what is wrong with it goes to `faults`."""
    kind = KINDS.get(name.removesuffix(".csv"))
    if kind is None:
        faults.append(Fault(name, 0, f"not one of {', '.join(f'{known}.csv' for known in KINDS)}"))
        return
    if len(data) > _LONGEST:
        faults.append(Fault(name, 0, f"larger than {_LONGEST >> 20} MiB"))
        return
    try:
        reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        header = [cell.strip() for cell in next(reader, [])]
        missing = [column for column in kind.columns if column not in header and column not in kind.optional]
        faults += [Fault(name, 1, f"the column {column} is missing") for column in missing]
        if len(set(header)) != len(header) or set(header) - set(kind.columns):
            faults.append(Fault(name, 1, f"the columns are {', '.join(kind.columns)}, each once"))
        if missing or set(header) - set(kind.columns):
            return
        for count, cells in enumerate(reader):
            line = reader.line_num
            if count >= _MOST:
                faults.append(Fault(name, line, f"more than {_MOST} lines"))
                return
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                faults.append(Fault(name, line, f"{len(cells)} cells, the header has {len(header)}"))
                continue
            yield from _row(name, line, dict(zip(header, (cell.strip() for cell in cells), strict=True)), kind, faults)
    except UnicodeDecodeError:
        faults.append(Fault(name, 0, "not UTF-8"))
    except csv.Error:
        faults.append(Fault(name, 0, "not CSV"))


def _row(name: str, line: int, values: dict[str, str], kind: _Kind, faults: list[Fault]) -> Iterator[CaseRow]:
    empty = [column for column in kind.columns if not values.get(column) and column not in kind.optional]
    faults += [Fault(name, line, f"{column} is empty") for column in empty]
    id_no = None
    if "id_no" in kind.columns and values["id_no"]:
        number = normalise_id(values.pop("id_no"))
        if number is None or not number.checksum_ok:
            faults.append(Fault(name, line, "id_no is no ID number, or its check digit is wrong"))
            return
        id_no = number.value18
    if not empty:
        yield CaseRow(name, line, name.removesuffix(".csv"), id_no, values)


def entry_of(row: CaseRow, subject_id: str, officer: Callable[[str], str]) -> Entry:
    """What the row declares. `officer` gives the id of a login or an id. Raises EntryInvalid."""
    get = row.values.get
    match row.kind:
        case "cases":
            return CaseEntry(
                row.values["case_no"], subject_id, row.values["state"], _code(Seal, get("seal") or "NONE", "seal"),
                _flag(get("minor_at_offence", "")), get("execution_admin", ""), _flag(get("offence_in_progress", "")),
                _time(get("visible_from", "")),
            )  # fmt: skip
        case "parties":
            part = _code(Part, row.values["part"], "part")
            return PartyEntry(row.values["case_no"], row.values["org_id"], part, *_span(row))
        case "assignments":
            return AssignmentEntry(row.values["case_no"], officer(row.values["officer"]), *_span(row))
        case "relationships":
            kind = _code(Relationship, row.values["kind"], "kind")
            return RelationshipEntry(officer(row.values["officer"]), subject_id, kind, row.values["declared_by"])
        case "seals":
            return SealEntry(subject_id, _code(Seal, row.values["seal"], "seal"), get("unseal_order_no") or None)
        case "unseal_orders":
            since, expires_at = _time(row.values["since"]), _time(row.values["expires_at"], ends=True)
            assert since is not None and expires_at is not None  # noqa: S101, PT018  (neither is empty)
            return UnsealOrder(
                row.values["order_no"], subject_id, row.values["org_id"], row.values["approved_by"],
                row.values["second_approved_by"], since, expires_at, get("case_no") or None,
            )  # fmt: skip
        case _:
            since, until = _time(row.values["since"]), _time(row.values["until"], ends=True)
            assert since is not None and until is not None  # noqa: S101, PT018  (neither is empty)
            ground = row.values["legal_ground"]
            return MonitoringEntry(
                row.values["order_no"], subject_id, int(ground) if ground in ("1", "2", "3", "4", "5") else 0,
                row.values["approved_by"], since, until, _time(get("lifted_at", "")),
            )  # fmt: skip


def _span(row: CaseRow) -> tuple[datetime, datetime | None]:
    since = _time(row.values["since"])
    assert since is not None  # noqa: S101  (it is not empty)
    return since, _time(row.values.get("until", ""), ends=True)


def _time(text: str, *, ends: bool = False) -> datetime | None:
    """A day of our civil calendar, from its first moment or, where something ends, to its last; or an instant with zone."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise EntryInvalid("a time is a day (2026-11-25) or an instant with its zone (ISO 8601)") from None
    if found.tzinfo is None:
        if len(text) != 10:
            raise EntryInvalid("an instant needs its zone")
        return found.replace(tzinfo=CIVIL) + timedelta(days=1 if ends else 0)
    return found


def _flag(text: str) -> bool:
    if text.lower() not in _YES:
        raise EntryInvalid("yes or no is true or false")
    return _YES[text.lower()]


def _code(kind: type[E], text: str, what: str) -> E:
    if text not in kind.__members__:
        raise EntryInvalid(f"{what} is one of {', '.join(kind.__members__)}")
    return kind(text)
