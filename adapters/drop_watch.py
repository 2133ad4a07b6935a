"""Watching a directory by polling: two threads a source, however many files there are.

One looks (so that a directory that goes away is noticed while a large file is read), one takes what is ready.
A file is ready when its size and time have not changed for `settle_s`: by our own clock, or because its time is that
old already, as of a file written elsewhere and moved in.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from adapters.drop_dates import stated_date
from adapters.drop_file import Stopped
from adapters.drop_index import Drop, DropIndex
from adapters.drop_intake import DropIntake, Half
from adapters.drop_options import DropOptions
from adapters.errors import AdapterError, Reason, SourceUnavailable
from adapters.feed import Quarantined
from adapters.quarantine import safe_name

MAX_FILES: Final = 20_000
_SILENT_S: Final = 5.0  # a directory that does not answer for so long (a hanging mount) is out of reach
_RETRY_S: Final = (1.0, 60.0)  # after a fault of disk or file: first and longest pause
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Blocked:
    """Something newer than the set in use lies there and is not in it; so that set is not the whole truth."""

    file: str
    reason: Reason
    detail: str


@dataclass(slots=True)
class _Seen:
    """One file as last looked at. `state`: new -> ready -> settled | waiting | refused | failing."""

    version: tuple[int, int, int]  # size, mtime_ns, inode
    since: float  # monotonic
    state: str = "new"
    detail: str = ""
    retry_at: float = 0.0
    pause: float = _RETRY_S[0]
    given_up: bool = False  # waited for long enough: half a file may now be refused

    @property
    def mtime_ns(self) -> int:
        return self.version[1]


class DropWatch:
    """Feeds `intake` with the files of `directory`. Thread-safe; `start` once, `stop` once."""

    def __init__(
        self, source: str, directory: Path, options: DropOptions, intake: DropIntake, index: DropIndex
    ) -> None:
        self._source, self._directory, self._options = source, directory, options
        self._intake, self._index = intake, index
        self._seen: dict[str, _Seen] = {}
        self._newest: Drop | None = None
        self._fault = "not looked at yet"
        self._looked_at = time.monotonic()
        self._changed = threading.Condition()
        self._stopping = False
        self.swept = threading.Event()
        """Set when every file that lay there at the first look has been decided on, or the directory is unreachable."""
        self._threads = [
            threading.Thread(target=self._look_on, name=f"drop-look-{source}", daemon=True),
            threading.Thread(target=self._take_on, name=f"drop-take-{source}", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Whether both threads have ended within the time."""
        self._intake.stop()
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        ends_at = time.monotonic() + timeout_s
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, ends_at - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def fault(self) -> str:
        """Why the directory is out of reach; "" when it is not."""
        with self._changed:
            if time.monotonic() - self._looked_at > max(_SILENT_S, 10 * self._options.poll_s):
                return "the directory does not answer"
            return self._fault

    def blocked(self) -> Blocked | None:
        """The newest thing that is not in the set although it is newer than it."""
        with self._changed:
            since = self._newest.mtime_ns if self._newest else -1
            bad = [
                (seen.mtime_ns, name, seen)
                for name, seen in self._seen.items()
                if seen.state in ("waiting", "refused", "failing") and seen.mtime_ns > since
            ]
        if not bad:
            return None
        _, name, seen = max(bad, key=lambda one: one[0])
        garbage = seen.state == "refused" and not seen.detail.startswith("half")
        return Blocked(safe_name(name), Reason.GARBAGE if garbage else Reason.INCOMPLETE, seen.detail)

    def not_taken(self) -> tuple[tuple[str, str], ...]:
        """Files that lie there and are not used, each with its reason; names as they can be shown."""
        with self._changed:
            return tuple((safe_name(name), seen.detail) for name, seen in sorted(self._seen.items()) if seen.detail)

    def _look_on(self) -> None:
        while True:
            try:
                found = dict(self._listing())
                fault = ""
            except OSError as error:
                found, fault = {}, f"the directory cannot be read: {type(error).__name__}"
            with self._changed:
                self._fault, self._looked_at = fault, time.monotonic()
                if not fault:
                    self._compare(found)
                if fault or all(seen.state not in ("new", "ready") for seen in self._seen.values()):
                    self.swept.set()
                self._changed.notify_all()
                if self._changed.wait_for(lambda: self._stopping, self._options.poll_s):
                    return

    def _listing(self) -> Iterator[tuple[str, tuple[int, int, int]]]:
        count = 0
        with os.scandir(self._directory) as entries:
            for entry in entries:
                if entry.name.startswith(".") or not fnmatchcase(entry.name, self._options.pattern):
                    continue
                try:
                    seen = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue  # gone between the listing and the look
                if stat.S_ISDIR(seen.st_mode):
                    continue
                count += 1
                if count > MAX_FILES:
                    raise OSError(f"more than {MAX_FILES} files")
                yield entry.name, (seen.st_size, seen.st_mtime_ns, seen.st_ino)

    def _compare(self, found: dict[str, tuple[int, int, int]]) -> None:
        now, wall = time.monotonic(), time.time()
        for name in self._seen.keys() - found.keys():
            del self._seen[name]
        for name, version in found.items():
            seen = self._seen.get(name)
            if seen is None or seen.version != version:
                seen = self._seen[name] = _Seen(version, now)
            age = max(now - seen.since, wall - version[1] / 1e9)
            if seen.state == "new" and age >= self._options.settle_s:
                seen.state = "ready"
            elif seen.state == "waiting" and age >= self._options.half_after_s and not seen.given_up:
                seen.state, seen.given_up = "ready", True
            elif seen.state == "failing" and now >= seen.retry_at:
                seen.state = "ready"

    def _take_on(self) -> None:
        try:
            newest = self._index.newest()
        except AdapterError:
            newest = None  # told by every lookup
        with self._changed:
            self._newest = newest
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or self._next() is not None)
                if self._stopping:
                    return
                name = self._next()
                if name is None:
                    continue
                seen = self._seen[name]
            try:
                state, detail = self._take(name, seen)
                newest = self._index.newest()
            except Stopped:
                return
            except SourceUnavailable as error:
                state, detail = "failing", error.detail
            except Exception as error:
                # A bug must cost one file, not the watch; its text may quote the file, so only its type is told.
                _log.error("source %s: taking a file failed: %s", self._source, type(error).__name__)
                state, detail = "failing", f"taking it failed: {type(error).__name__}"
            with self._changed:
                self._newest = newest
                seen.state, seen.detail = state, detail
                if state == "failing":
                    seen.retry_at = time.monotonic() + seen.pause
                    seen.pause = min(2 * seen.pause, _RETRY_S[1])

    def _take(self, name: str, seen: _Seen) -> tuple[str, str]:
        if self._is_outdated(name, seen):
            return "settled", ""
        half = f"(waited {self._options.half_after_s:g} s)" if seen.given_up else ""
        try:
            receipt = self._intake.deliver_file(self._directory / name, half=half)
        except Half:
            return "waiting", "half a file: the agreed end is missing"
        return ("refused", receipt.reason) if isinstance(receipt, Quarantined) else ("settled", "")

    def _is_outdated(self, name: str, seen: _Seen) -> bool:
        """Whether it can be told without reading that a newer drop is in use: a year of daily drops stays unread."""
        if self._options.mode != "full" or self._options.date_from == "content" or self._newest is None:
            return False
        same = self._intake.is_named(self._newest, name)
        return not same and self._order(name, seen) < (self._newest.dated_at, self._newest.mtime_ns)

    def _next(self) -> str | None:
        """The file to take next: of full sets the newest, so that older ones need not be read; else the oldest."""
        ready = [(self._order(name, seen), name) for name, seen in self._seen.items() if seen.state == "ready"]
        if not ready:
            return None
        return (max if self._options.mode == "full" else min)(ready)[1]

    def _order(self, name: str, seen: _Seen) -> tuple[datetime, int]:
        written = datetime.fromtimestamp(seen.mtime_ns / 1e9, UTC)
        dated = stated_date(name) if self._options.date_from == "name" else None
        return dated or written, seen.mtime_ns
