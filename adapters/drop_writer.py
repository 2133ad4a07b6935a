"""Writing to the drop index, within the one transaction a drop is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

_REMEMBERED: Final = 10_000  # deliveries no longer in use whose content would still be recognised


class Writer:
    """The open transaction of `DropIndex.writing`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._do = connection.execute
        self._connection = connection

    def begin(
        self, name: bytes, shown: str, digest: bytes, dated_at: datetime, mtime_ns: int, received_at: datetime
    ) -> int:
        """A new delivery, not yet in use."""
        done = self._do(
            "INSERT INTO drops (name, shown, digest, dated_at, mtime_ns, received_at, live) VALUES (?, ?, ?, ?, ?, ?, 0)",
            (name, shown, digest, dated_at.timestamp(), mtime_ns, received_at.timestamp()),
        )
        drop = int(done.lastrowid or 0)
        self._do("DELETE FROM drops WHERE NOT live AND id < ?", (drop - _REMEMBERED,))
        return drop

    def add(self, drop: int, ident: bytes, same: bytes, body: bytes, macs: Iterable[bytes]) -> bool:
        """One record under its keys; False where the drop has the very same record already."""
        done = self._do(
            "INSERT OR IGNORE INTO records (drop_id, ident, same, body) VALUES (?, ?, ?, ?)", (drop, ident, same, body)
        )
        if not done.rowcount:
            return False
        record = done.lastrowid
        self._connection.executemany("INSERT INTO keys VALUES (?, ?, ?)", [(mac, record, drop) for mac in macs])
        return True

    def doubt(self, drop: int, macs: Iterable[bytes]) -> None:
        """A line about these keys was lost."""
        self._connection.executemany("INSERT OR IGNORE INTO doubts VALUES (?, ?)", [(mac, drop) for mac in macs])

    def refuse(self, drop: int, reason: str) -> None:
        self._do("UPDATE drops SET refused = ? WHERE id = ?", (reason, drop))

    def redate(self, drop: int, dated_at: datetime) -> None:
        self._do("UPDATE drops SET dated_at = ? WHERE id = ?", (dated_at.timestamp(), drop))

    def use(self, drop: int, *, records: int, bad: int, doubtful: bool) -> None:
        self._do(
            "UPDATE drops SET live = 1, records = ?, bad = ?, doubtful = ? WHERE id = ?", (records, bad, doubtful, drop)
        )

    def retire_others(self, drop: int) -> None:
        """mode "full": this drop is the whole truth now."""
        self._retire([other for (other,) in self._do("SELECT id FROM drops WHERE live AND id <> ?", (drop,))])

    def retire_namesakes(self, drop: int) -> None:
        """A file delivered anew under its name replaces itself."""
        sql = "SELECT id FROM drops WHERE live AND id <> ? AND name = (SELECT name FROM drops WHERE id = ?)"
        self._retire([other for (other,) in self._do(sql, (drop, drop))])

    def settle_append(self, drop: int) -> None:
        """mode "append": of each record the newest drop's stays, whichever order they came in."""
        newer = (
            "SELECT n.id FROM drops n, drops d WHERE d.id = :drop AND n.live AND n.id <> d.id"
            " AND (n.dated_at, n.mtime_ns, n.id) > (d.dated_at, d.mtime_ns, d.id)"
        )
        ours = "SELECT ident FROM records WHERE drop_id = :drop"
        theirs = f"SELECT ident FROM records WHERE drop_id IN ({newer})"  # noqa: S608  (our own clauses, values are bound)
        for gone in (
            f"drop_id = :drop AND ident IN ({theirs})",
            f"drop_id <> :drop AND drop_id NOT IN ({newer}) AND ident IN ({ours})",
        ):
            which = f"SELECT id FROM records WHERE {gone}"  # noqa: S608  (our own clauses, values are bound)
            self._do(f"DELETE FROM keys WHERE record_id IN ({which})", {"drop": drop})  # noqa: S608  (our own clauses, values are bound)
            self._do(f"DELETE FROM records WHERE {gone}", {"drop": drop})  # noqa: S608  (our own clauses, values are bound)
        healed = "SELECT mac FROM keys WHERE drop_id = :drop"
        self._do(f"DELETE FROM doubts WHERE drop_id <> :drop AND mac IN ({healed})", {"drop": drop})  # noqa: S608  (our own clauses, values are bound)

    def _retire(self, drops: Sequence[int]) -> None:
        for drop in drops:
            self._do("DELETE FROM keys WHERE record_id IN (SELECT id FROM records WHERE drop_id = ?)", (drop,))
            self._do("DELETE FROM records WHERE drop_id = ?", (drop,))
            self._do("DELETE FROM doubts WHERE drop_id = ?", (drop,))
            self._do("UPDATE drops SET live = 0 WHERE id = ?", (drop,))
