"""Import the register of cases: everything is checked first, then all of it is declared in one transaction, or nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.caller import Subjects
from gateway.policy.claim import folded
from gateway.services.case_rows import ORDER, CaseRow, Fault, entry_of, rows_of
from gateway.supervision.case_facts import AssignmentEntry, Entry, EntryInvalid, PartyEntry, UnsealOrder


@dataclass(frozen=True, slots=True)
class Directory:
    """Whom and what entries may name. No organisation at all: nobody was imported yet, so none is asked about."""

    organisations: frozenset[str]
    officers: Mapping[str, str]  # id or login -> id
    cases: Collection[str]  # folded numbers


class Cases(Protocol):
    async def directory(self) -> Directory: ...

    async def declare(self, entries: Iterable[Entry]) -> int:
        """All or none; how many changed anything. Raises EntryInvalid."""
        ...


@dataclass(frozen=True, slots=True)
class Imported:
    """`changed` is None where nothing was tried: a dry run, or faults."""

    rows: int
    changed: int | None
    faults: Sequence[Fault]


class ImportCases:
    """ID numbers become subjects here and go no further."""

    def __init__(self, cases: Cases, subjects: Subjects) -> None:
        self._cases, self._subjects = cases, subjects

    async def __call__(self, files: Mapping[str, bytes], *, dry_run: bool = False) -> Imported:
        faults: list[Fault] = [] if files else [Fault("-", 0, "no CSV file")]
        rows = [row for name in sorted(files, key=_order) for row in rows_of(name, files[name], faults)]
        numbers = [row.id_no for row in rows if row.id_no is not None]
        # People are made only once everything is known to be right.
        subjects = dict(zip(numbers, await self._subjects.recognise(numbers), strict=True))
        entries = self._entries(rows, subjects, await self._cases.directory(), faults)
        if faults or dry_run:
            return Imported(len(rows), None, faults)
        await self._subjects.intern(numbers)
        try:
            return Imported(len(rows), await self._cases.declare(entries), ())
        except EntryInvalid as error:  # an order named by a seal that is not there
            return Imported(len(rows), None, [Fault("seals.csv", 0, error.why)])

    def _entries(
        self, rows: Sequence[CaseRow], subjects: Mapping[str, str], known: Directory, faults: list[Fault]
    ) -> list[Entry]:
        found: list[Entry] = []
        cases = set(known.cases) | {folded(row.values["case_no"]) for row in rows if row.kind == "cases"}

        def officer(name: str) -> str:
            if known.officers and name not in known.officers:
                raise EntryInvalid("no officer has this id or login")
            return known.officers.get(name, name)

        for row in rows:
            try:
                entry = entry_of(row, subjects.get(row.id_no or "", ""), officer)
                _check(entry, known, cases)
            except EntryInvalid as error:
                faults.append(Fault(row.file, row.line, error.why))
            else:
                found.append(entry)
        return found


def _check(entry: Entry, known: Directory, cases: Collection[str]) -> None:
    if isinstance(entry, PartyEntry | UnsealOrder) and known.organisations and entry.org_id not in known.organisations:
        raise EntryInvalid("no organisation has this id")
    if isinstance(entry, UnsealOrder):
        first, second = (known.officers.get(name, name) for name in (entry.approved_by, entry.second_approved_by))
        if first == second:
            raise EntryInvalid("an unseal order has two approvers, not one by two names")
    if isinstance(entry, PartyEntry | AssignmentEntry) and folded(entry.case_no) not in cases:
        raise EntryInvalid("no case has this number, here or in the register")


def _order(name: str) -> int:
    kind = name.removesuffix(".csv")
    return ORDER.index(kind) if kind in ORDER else len(ORDER)
