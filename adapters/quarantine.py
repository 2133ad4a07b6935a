"""What was not used, and where it stands: a listing for an operator, in a JSON-lines file, without personal data."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

_TELLING = re.compile(r"[^A-Za-z0-9._-]+|\d{15,}[Xx]?")


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One line (or, with line 0, one file) that was not used. `file` is the name with anything personal as "~"."""

    file: str
    line: int
    reason: str
    at: datetime


def safe_name(name: str) -> str:
    """A file name that can be shown: departments do name files after people."""
    return _TELLING.sub("~", name)[:120]


class Quarantine:
    """At most `max_entries` entries; the oldest go first. Thread-safe; survives restart.

    Telling the same thing again (a file read anew after a crash) does not list it twice.
    """

    def __init__(self, path: Path, max_entries: int) -> None:
        self._path, self._max = path, max_entries
        self._lock = threading.Lock()
        self._known = dict.fromkeys(self._read())

    def add(self, entries: Iterable[Quarantined]) -> None:
        """Durable when it returns. Raises OSError when the disk is full."""
        with self._lock:
            known = {(entry.file, entry.line, entry.reason): None for entry in self._known}
            fresh = [entry for entry in entries if (entry.file, entry.line, entry.reason) not in known]
            if not fresh:
                return
            self._known.update(dict.fromkeys(fresh))
            if len(self._known) > self._max:
                # Down to three quarters, so that a full listing is not rewritten for each further line.
                self._known = dict.fromkeys(list(self._known)[-max(1, self._max * 3 // 4) :])
                self._rewrite()
            else:
                self._append(fresh)

    def entries(self) -> tuple[Quarantined, ...]:
        with self._lock:
            return tuple(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def _append(self, entries: Iterable[Quarantined]) -> None:
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "ab") as file:
            file.write("".join(map(_line, entries)).encode())
            file.flush()
            os.fsync(handle)

    def _rewrite(self) -> None:
        fresh = self._path.with_name(self._path.name + ".new")
        fresh.unlink(missing_ok=True)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write("".join(map(_line, self._known)).encode())
            file.flush()
            os.fsync(handle)
        fresh.replace(self._path)

    def _read(self) -> list[Quarantined]:
        try:
            lines = self._path.read_text("utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        found = []
        for line in lines[-self._max :]:
            try:
                entry = json.loads(line)
                found.append(
                    Quarantined(
                        str(entry["file"]),
                        int(entry["line"]),
                        str(entry["reason"]),
                        datetime.fromisoformat(entry["at"]),
                    )
                )
            except (ValueError, KeyError, TypeError):
                continue  # a line cut off by a crash
        return found


def _line(entry: Quarantined) -> str:
    return json.dumps(asdict(entry) | {"at": entry.at.isoformat()}, ensure_ascii=False) + "\n"
