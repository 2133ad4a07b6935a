"""The records of one drop into the open transaction: kept under their keys, or set aside with their line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from adapters.drop_keys import macs_of_record
from adapters.drop_options import DropOptions, KeyColumns
from adapters.drop_parts import Bad, DropRefused, Record, Stated
from adapters.drop_reader import read_drop
from adapters.drop_seal import Seal
from adapters.drop_writer import Writer

MAX_BAD: Final = 100_000  # a file with more bad records is not the agreed format
_LISTED: Final = 1_000  # bad records of one delivery that are listed one by one


@dataclass(frozen=True, slots=True)
class Layout:
    """What is kept of a record, and how it is found again."""

    columns: tuple[str, ...]
    ways: tuple[KeyColumns, ...]
    record_ids: tuple[str, ...]


@dataclass(slots=True)
class Tally:
    """What one drop held."""

    records: int = 0  # read, repetitions included
    bad: int = 0
    doubtful: bool = False  # a line was lost whose key could not be read
    stated: Stated = field(default_factory=Stated)
    listed: list[tuple[int, str]] = field(default_factory=list)  # (line, reason); line 0 is the file


class Filling:
    """Reads drops into an index by one manifest's options and layout."""

    def __init__(self, options: DropOptions, layout: Layout, seal: Seal) -> None:
        self._options, self._layout, self._seal = options, layout, seal

    def fill(self, writer: Writer, drop: int, file: BinaryIO, tally: Tally, go_on: Callable[[], None]) -> None:
        """All of `file`. `go_on` is asked before each record and raises to end the work; `tally` tells how far it came.

        Raises DropRefused when the drop cannot stand for anything.
        """
        for part in read_drop(file, self._options, self._layout.columns):
            go_on()
            if isinstance(part, Stated):
                tally.stated = part
            elif isinstance(part, Bad):
                self._set_aside(writer, drop, part, tally)
            elif not self._keep(writer, drop, part):
                self._set_aside(writer, drop, Bad(part.line, "a record without a key", {}), tally)
            else:
                tally.records += 1
        if not tally.records and tally.bad:
            raise DropRefused("no record in it can be read")
        if not tally.records and not self._options.end_marker:
            raise DropRefused("no record, and no agreed end to tell it from a cut-off file")
        declared, read = tally.stated.count, tally.records + tally.bad
        if declared is not None and declared != read:
            tally.doubtful = True
            tally.listed.append((0, f"declares {declared} records, holds {read}"))

    def _keep(self, writer: Writer, drop: int, record: Record) -> bool:
        """Whether the record has a key to keep it under. The very same record twice is kept once."""
        macs = macs_of_record(self._seal, self._layout.ways, record.values)
        if not macs:
            return False
        body = json.dumps(record.values, ensure_ascii=False, separators=(",", ":"))
        numbers = [str(record.values.get(column) or "").strip() for column in self._layout.record_ids]
        if numbers and all(numbers):
            ident = self._seal.mac("record", *numbers)
        else:
            ident = self._seal.mac("keys", *sorted(mac.hex() for mac in macs))
        writer.add(drop, ident, self._seal.mac("same", body), self._seal.seal(body.encode()), macs)
        return True

    def _set_aside(self, writer: Writer, drop: int, bad: Bad, tally: Tally) -> None:
        tally.bad += 1
        if tally.bad > MAX_BAD:
            raise DropRefused(f"more than {MAX_BAD} records cannot be read")
        if tally.bad <= _LISTED:
            tally.listed.append((bad.line, bad.reason))
        elif tally.bad == _LISTED + 1:
            tally.listed.append((bad.line, "and further records that cannot be read, not listed"))
        macs = macs_of_record(self._seal, self._layout.ways, bad.values)
        writer.doubt(drop, macs)
        tally.doubtful = tally.doubtful or not macs
