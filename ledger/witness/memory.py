"""What a witness remembers, in memory: for tests, and for nothing that must be believed tomorrow."""

from __future__ import annotations

import threading

from ledger.note import Note
from ledger.witness.deciding import Cosigned


class MemoryStates:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: dict[str, Cosigned] = {}
        self.splits: list[tuple[Cosigned, Note]] = []

    def last(self, origin: str) -> Cosigned | None:
        return self._states.get(origin)

    def replace(self, last: Cosigned | None, new: Cosigned) -> bool:
        with self._lock:
            if self._states.get(new.checkpoint.origin) is not last:
                return False
            self._states[new.checkpoint.origin] = new
            return True

    def keep_split(self, ours: Cosigned, theirs: Note) -> None:
        self.splits.append((ours, theirs))

    def forget(self) -> None:
        """As a witness whose disk was replaced."""
        self._states.clear()
