"""Are they entries, and do their times make sense? A million of them in seconds.

`parse_entry` decides what an entry is. Almost all entries of a log are of one plain shape, and a regular expression that
accepts nothing `parse_entry` would refuse is many times faster; whatever it does not accept goes to `parse_entry`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ledger.entry import KINDS, parse_entry
from ledger.errors import Malformed

ABSURD = timedelta(days=1)
"""Alerts are entered under the time at which they fell due, so entries are not quite in order; a day is no such delay."""
_PLAIN = re.compile(
    rb'\{"actor":"([A-Za-z0-9][A-Za-z0-9._:/-]{0,127})","commitment":"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=","kind":"('
    + "|".join(sorted(KINDS - {"log"})).encode()
    + rb')","time":"(([0-9]{4}-[0-9]{2}-[0-9]{2})T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z)","v":1\}'
)
_DAY = 10  # characters of a time that are its date
Line = tuple[int, bytes, bytes, bytes]
"""Index, time, kind, actor."""


@dataclass(slots=True)
class EntryChecks:
    """Fed with all entries in order; `now` in UTC. `first`: entry 0, where it was among them. `bad`: the first entry that is none. `listed` is told of each one."""

    now: datetime
    latest: bytes = b""
    kinds: Counter[bytes] = field(default_factory=Counter)
    bad: int | None = None
    bad_count: int = 0
    backwards: int | None = None
    backwards_count: int = 0
    ahead: int | None = None
    first: bytes | None = None
    listed: Callable[[Line], None] | None = None
    _dates: set[bytes] = field(default_factory=set)

    def take(self, first: int, entries: Sequence[bytes]) -> None:
        """`first`: the index of the first of them."""
        match, dates, latest = _PLAIN.fullmatch, self._dates, self.latest
        earliest, too_late = _floor(latest), _written(self.now + ABSURD)
        seen: list[bytes] = []
        if first == 0 and entries:
            self.first = entries[0]
        for index, entry in enumerate(entries, first):
            found = match(entry)
            if found is not None and found[4] in dates:
                kind, at = found[2], found[3]
            else:
                line = self._slowly(index, entry, found)
                if line is None:
                    continue
                kind, at = line
            seen.append(kind)
            if at > latest:
                earliest = earliest if at[:_DAY] == latest[:_DAY] else _floor(at)
                latest = at
                if at > too_late and self.ahead is None:
                    self.ahead = index
            elif at < earliest:
                self.backwards = index if self.backwards is None else self.backwards
                self.backwards_count += 1
            if self.listed is not None:
                self.listed((index, at, kind, found[1] if found is not None else parse_entry(entry).actor.encode()))
        self.latest = latest
        self.kinds.update(seen)

    def _slowly(self, index: int, entry: bytes, plain: re.Match[bytes] | None) -> tuple[bytes, bytes] | None:
        try:
            parsed = parse_entry(entry)
        except Malformed:
            self.bad = index if self.bad is None else self.bad
            self.bad_count += 1
            return None
        if plain is not None and len(self._dates) < 100_000:
            self._dates.add(plain[4])  # a day that exists
        return parsed.kind.encode(), _written(parsed.time)


def _floor(latest: bytes) -> bytes:
    """Before this it would be absurd."""
    if not latest:
        return b""
    at = datetime.fromisoformat(latest.decode())
    return _written(at - min(ABSURD, at - datetime.min.replace(tzinfo=UTC)))


def _written(at: datetime) -> bytes:
    """As entries write it: a year has four digits, which `strftime` forgets before the year 1000."""
    return f"{at.replace(tzinfo=None).isoformat(timespec='seconds')}Z".encode()
