"""The Feed of dropped files: a delivery becomes the index's next set, or goes to quarantine, as a whole and for good.

Which delivery wins: one under the same file name replaces its namesake; among different names the later date does;
content that is there already, or was there and is older than what is there, changes nothing.
"""

from __future__ import annotations

import asyncio
import io
import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from adapters.clock import Now
from adapters.drop_dates import stated_date
from adapters.drop_file import Stopped, Survey, is_complete, opened, survey, version_of
from adapters.drop_index import Drop, DropIndex
from adapters.drop_keys import macs_of_record
from adapters.drop_options import DropOptions, KeyColumns
from adapters.drop_parts import Bad, DropRefused, Record, Stated
from adapters.drop_reader import read_drop
from adapters.drop_seal import Seal
from adapters.drop_writer import Writer
from adapters.errors import Reason, SourceUnavailable
from adapters.feed import Accepted, Delivery, Duplicate, Quarantined, Receipt
from adapters.quarantine import Quarantine, safe_name
from adapters.quarantine import Quarantined as Entry

MAX_BAD: Final = 100_000  # a file with more bad records is not the agreed format
_LISTED: Final = 1_000  # bad records of one delivery that are listed one by one
_HALF: Final = "half a file: the agreed end is missing"


@dataclass(frozen=True, slots=True)
class Layout:
    """What is kept of a record, and how it is found again."""

    columns: tuple[str, ...]
    ways: tuple[KeyColumns, ...]
    record_ids: tuple[str, ...]


class Half(Exception):
    """The file is not complete yet."""


class Outdated(Exception):
    """What is there is newer."""


class Repeated(Exception):
    """Another process took it meanwhile."""


@dataclass(slots=True)
class _Tally:
    records: int = 0  # read, repetitions included
    bad: int = 0
    doubtful: bool = False
    stated: Stated = field(default_factory=Stated)
    entries: list[Entry] = field(default_factory=list)


class DropIntake:
    """Implements Feed. One delivery at a time; the others wait. Memory is bounded whatever the file holds."""

    def __init__(
        self,
        source: str,
        options: DropOptions,
        layout: Layout,
        index: DropIndex,
        seal: Seal,
        quarantine: Quarantine,
        now: Now,
    ) -> None:
        self._source, self._options, self._layout = source, options, layout
        self._index, self._seal, self._quarantine, self._now = index, seal, quarantine, now
        self._one_at_a_time = threading.Lock()
        self._stopping = threading.Event()

    async def deliver(self, delivery: Delivery) -> Receipt:
        """See Feed."""
        return await asyncio.to_thread(self._deliver, delivery)

    def deliver_file(self, path: Path, *, half: str = "") -> Receipt:
        """Take a file as it lies there, in the calling thread.

        `half`: why a file without its end is not waited for any longer. Raises Half when there is none, Stopped,
        and SourceUnavailable where the file or the index cannot be used now.
        """
        with self._reading(), self._one_at_a_time:
            try:
                with opened(path) as file:
                    size, mtime_ns = version_of(file)
                    looked = survey(file, self._stopping.is_set)
                    delivery = Delivery(
                        self._source, f"{safe_name(path.name)}@{mtime_ns}", self._now(), path.name, looked.digest, path=path,
                        stated_at=datetime.fromtimestamp(mtime_ns / 1e9, UTC),
                    )  # fmt: skip
                    if size > self._options.max_file_bytes:
                        return self._refuse(delivery, f"larger than {self._options.max_file_bytes} bytes")
                    if not is_complete(file, self._options):
                        if not half:
                            raise Half
                        return self._refuse(delivery, f"{_HALF} {half}")
                    return self._take(delivery, file, looked)
            except DropRefused as refusal:
                entry = Entry(safe_name(path.name), 0, refusal.reason, self._now())
                self._quarantine.add([entry])
                return Quarantined(refusal.reason)

    def is_named(self, drop: Drop, name: str) -> bool:
        """Whether a drop of the index came as the file `name`."""
        return drop.name == self._seal.mac("name", name)

    def stop(self) -> None:
        """Have a delivery under way end soon; it raises Stopped."""
        self._stopping.set()

    def _deliver(self, delivery: Delivery) -> Receipt:
        with self._reading(), self._one_at_a_time:
            try:
                with io.BytesIO(delivery.body or b"") if delivery.path is None else opened(delivery.path) as file:
                    looked = survey(file, self._stopping.is_set)
                    if looked.digest != delivery.digest:
                        raise SourceUnavailable(self._source, Reason.DOWN, "the content is not the one announced")
                    if not is_complete(file, self._options):
                        return self._refuse(delivery, _HALF)
                    return self._take(delivery, file, looked)
            except DropRefused as refusal:
                return self._refuse(delivery, refusal.reason)

    def _take(self, delivery: Delivery, file: BinaryIO, looked: Survey) -> Receipt:
        known = self._index.by_digest(delivery.digest)
        if known is not None and (receipt := self._again(delivery, known)) is not None:
            return receipt
        tally = _Tally()
        try:
            if looked.looks_utf8 and self._options.codec != "utf-8" and not _has_bom(file):
                raise DropRefused(f"is UTF-8, agreed was {self._options.encoding}")
            return self._store(delivery, file, tally)
        except DropRefused as refusal:
            self._quarantine.add(tally.entries)
            return self._refuse(delivery, refusal.reason)
        except Outdated:
            self._note(delivery)
            return Duplicate()
        except Repeated:
            return Duplicate()

    def _again(self, delivery: Delivery, known: Drop) -> Receipt | None:
        """The receipt for content that was here before; None when it is to be taken anew."""
        if known.refused:
            return Quarantined(known.refused)
        date = self._date(delivery, Stated())
        if known.live:
            if self._options.date_from == "name" and date > known.dated_at:
                # The department itself says that the same content holds on a later day.
                with self._index.writing() as writer:
                    writer.redate(known.id, date)
            return Duplicate()
        newest = self._index.newest()
        return None if newest is None or date > newest.dated_at else Duplicate()

    def _store(self, delivery: Delivery, file: BinaryIO, tally: _Tally) -> Receipt:
        if self._options.date_from != "content":
            self._refuse_outdated(delivery, self._date(delivery, Stated()))
        before = version_of(file) if delivery.path else None
        with self._index.writing() as writer:
            # Having waited for our turn: another process with the same directory may have been first
            known = self._index.by_digest(delivery.digest)
            if known is not None and known.live:
                raise Repeated
            date = self._date(delivery, Stated())
            drop = writer.begin(
                self._name_mac(delivery),
                safe_name(delivery.name),
                delivery.digest,
                date,
                _mtime_ns(delivery),
                delivery.received_at,
            )
            self._fill(writer, drop, delivery, file, tally)
            if before and version_of(file) != before:
                raise SourceUnavailable(self._source, Reason.DOWN, "a file changed while it was read")
            if self._options.date_from == "content":
                date = self._date(delivery, tally.stated)
                self._refuse_outdated(delivery, date)
                writer.redate(drop, date)
            writer.use(drop, records=tally.records, bad=tally.bad, doubtful=tally.doubtful)
            if self._options.mode == "full":
                writer.retire_others(drop)
            else:
                writer.retire_namesakes(drop)
                writer.settle_append(drop)
            # Listed before the set is in use: a crash between the two lists it again, and that is not shown twice.
            self._quarantine.add(tally.entries)
        self._index.forget_others()
        return Accepted(tally.records, tally.bad)

    def _fill(self, writer: Writer, drop: int, delivery: Delivery, file: BinaryIO, tally: _Tally) -> None:
        for part in read_drop(file, self._options, self._layout.columns):
            if self._stopping.is_set():
                raise Stopped
            if isinstance(part, Stated):
                tally.stated = part
            elif isinstance(part, Bad):
                self._set_aside(writer, drop, delivery, part, tally)
            elif not self._keep(writer, drop, part):
                self._set_aside(writer, drop, delivery, Bad(part.line, "a record without a key", {}), tally)
            else:
                tally.records += 1
        if not tally.records and tally.bad:
            raise DropRefused("no record in it can be read")
        if not tally.records and not self._options.end_marker:
            raise DropRefused("no record, and no agreed end to tell it from a cut-off file")
        declared, read = tally.stated.count, tally.records + tally.bad
        if declared is not None and declared != read:
            tally.doubtful = True
            tally.entries.append(self._entry(delivery, 0, f"declares {declared} records, holds {read}"))

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

    def _set_aside(self, writer: Writer, drop: int, delivery: Delivery, bad: Bad, tally: _Tally) -> None:
        tally.bad += 1
        if tally.bad > MAX_BAD:
            raise DropRefused(f"more than {MAX_BAD} records cannot be read")
        if tally.bad <= _LISTED:
            tally.entries.append(self._entry(delivery, bad.line, bad.reason))
        elif tally.bad == _LISTED + 1:
            tally.entries.append(self._entry(delivery, bad.line, "and further records that cannot be read, not listed"))
        macs = macs_of_record(self._seal, self._layout.ways, bad.values)
        writer.doubt(drop, macs)
        tally.doubtful = tally.doubtful or not macs

    def _refuse(self, delivery: Delivery, reason: str) -> Quarantined:
        known = self._index.by_digest(delivery.digest)
        if known is None or known.refused != reason:
            self._quarantine.add([self._entry(delivery, 0, reason)])
            self._note(delivery, reason)
        return Quarantined(reason)

    def _note(self, delivery: Delivery, refused: str = "") -> None:
        """Remember a delivery that is not in use, so that it is not read again."""
        with self._index.writing() as writer:
            drop = writer.begin(
                self._name_mac(delivery), safe_name(delivery.name), delivery.digest, self._date(delivery, Stated()),
                _mtime_ns(delivery), delivery.received_at,
            )  # fmt: skip
            writer.refuse(drop, refused)

    def _refuse_outdated(self, delivery: Delivery, date: datetime) -> None:
        if self._options.mode == "append":
            return
        newest = self._index.newest()
        if newest is None or self.is_named(newest, delivery.name):
            return
        if (date, _mtime_ns(delivery)) < (newest.dated_at, newest.mtime_ns):
            raise Outdated

    def _date(self, delivery: Delivery, stated: Stated) -> datetime:
        """When the drop was made, never later than we got it."""
        text = {"name": delivery.name, "content": stated.date}.get(self._options.date_from, "")
        date = stated_date(text) or delivery.stated_at or delivery.received_at
        return min(date, delivery.received_at)

    def _name_mac(self, delivery: Delivery) -> bytes:
        return self._seal.mac("name", delivery.name)

    def _entry(self, delivery: Delivery, line: int, reason: str) -> Entry:
        return Entry(safe_name(delivery.name), line, reason, delivery.received_at)

    def _reading(self) -> _Reading:
        return _Reading(self._source)


class _Reading:
    """Turns what goes wrong with a file into our word for it."""

    def __init__(self, source: str) -> None:
        self._source = source

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            # The error's own text would name the path
            raise SourceUnavailable(
                self._source, Reason.DOWN, f"a file cannot be used: {type(error).__name__}"
            ) from error


def _mtime_ns(delivery: Delivery) -> int:
    return int((delivery.stated_at or delivery.received_at).timestamp() * 1e9)


def _has_bom(file: BinaryIO) -> bool:
    file.seek(0)
    return file.read(3) == b"\xef\xbb\xbf"
