"""The Feed of dropped files: a delivery becomes the index's next set, or goes to quarantine, as a whole and for good.

Which delivery wins: one under the same file name replaces its namesake; among different names the later date does;
content that is there already, or was there and is older than what is there, changes nothing.
"""

from __future__ import annotations

import asyncio
import io
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from adapters.clock import Now
from adapters.drop_dates import stated_date
from adapters.drop_file import Stopped, Survey, is_complete, opened, survey, version_of
from adapters.drop_filling import Filling, Layout, Tally
from adapters.drop_index import Drop, DropIndex
from adapters.drop_options import DropOptions
from adapters.drop_parts import DropRefused, Stated
from adapters.drop_seal import Seal
from adapters.errors import Reason, SourceUnavailable
from adapters.feed import Accepted, Delivery, Duplicate, Quarantined, Receipt
from adapters.quarantine import Quarantine, safe_name
from adapters.quarantine import Quarantined as Entry

_HALF: Final = "half a file: the agreed end is missing"


class Half(Exception):
    """The file is not complete yet."""


class Outdated(Exception):
    """What is there is newer than `date`."""

    def __init__(self, date: datetime) -> None:
        super().__init__("older than what is there")
        self.date = date


class Repeated(Exception):
    """Another process took it meanwhile."""


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
        self._source, self._options, self._filling = source, options, Filling(options, layout, seal)
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
        tally = Tally()
        try:
            if looked.looks_utf8 and self._options.codec != "utf-8" and not _has_bom(file):
                raise DropRefused(f"is UTF-8, agreed was {self._options.encoding}")
            return self._store(delivery, file, tally)
        except DropRefused as refusal:
            self._list(delivery, tally)
            return self._refuse(delivery, refusal.reason)
        except Outdated as outdated:
            self._note(delivery, outdated.date)
            return Duplicate()
        except Repeated:
            return Duplicate()

    def _again(self, delivery: Delivery, known: Drop) -> Receipt | None:
        """The receipt for content that was here before; None when it is to be taken anew."""
        if known.refused:
            return Quarantined(known.refused)
        # The same content states the same date
        date = known.dated_at if self._options.date_from == "content" else self._date(delivery, Stated())
        if known.live:
            if self._options.date_from == "name" and date > known.dated_at:
                # The department itself says that the same content holds on a later day.
                with self._index.writing() as writer:
                    writer.redate(known.id, date)
            return Duplicate()
        newest = self._index.newest()
        return None if newest is None or date > newest.dated_at else Duplicate()

    def _store(self, delivery: Delivery, file: BinaryIO, tally: Tally) -> Receipt:
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
            self._filling.fill(writer, drop, file, tally, self._go_on)
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
            self._list(delivery, tally)
        self._index.forget_others()
        return Accepted(tally.records, tally.bad)

    def _refuse(self, delivery: Delivery, reason: str) -> Quarantined:
        known = self._index.by_digest(delivery.digest)
        if known is None or known.refused != reason:
            self._quarantine.add([self._entry(delivery, 0, reason)])
            self._note(delivery, self._date(delivery, Stated()), reason)
        return Quarantined(reason)

    def _note(self, delivery: Delivery, date: datetime, refused: str = "") -> None:
        """Remember a delivery that is not in use, so that it is not read again."""
        with self._index.writing() as writer:
            drop = writer.begin(
                self._name_mac(delivery), safe_name(delivery.name), delivery.digest, date,
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
            raise Outdated(date)

    def _date(self, delivery: Delivery, stated: Stated) -> datetime:
        """When the drop was made, never later than we got it."""
        text = {"name": delivery.name, "content": stated.date}.get(self._options.date_from, "")
        date = stated_date(text) or delivery.stated_at or delivery.received_at
        return min(date, delivery.received_at)

    def _name_mac(self, delivery: Delivery) -> bytes:
        return self._seal.mac("name", delivery.name)

    def _go_on(self) -> None:
        if self._stopping.is_set():
            raise Stopped

    def _list(self, delivery: Delivery, tally: Tally) -> None:
        self._quarantine.add(self._entry(delivery, line, reason) for line, reason in tally.listed)

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
