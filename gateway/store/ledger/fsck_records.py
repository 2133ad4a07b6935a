"""Does each record still give its entry, has each entry its record, and each record its entry?

Its entry is the commitment, and beside it the face everybody sees: kind, body, time. What waits behind what came later was
held back by somebody. A record is made anew from its row and committed to again. Where the keys of all its persons are
destroyed nobody can, and that is what destroying them is for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import sqlalchemy as sa

from gateway.services.ledger.faults import Fault, Finding
from gateway.services.ledger.fsck import Progress
from gateway.store.engine import Database
from gateway.store.errors import CiphertextInvalid, SubjectErased
from gateway.store.ids import from_us
from gateway.store.recording import records
from gateway.store.recording.kinds import tells_too_much
from gateway.store.recording.outbox import ALERT_FACE, MARK_BYTES, Face, Outbox, access_face, change_face, seeds_of
from gateway.store.tables import access_event, access_event_subject, alert, change_event
from gateway.store.tables.ledger import ledger_entry, ledger_outbox, ledger_shard
from ledger.encoding import b64
from ledger.entry import Entry, commit, parse_entry
from ledger.errors import Malformed

_PAGE = 8192
_PATIENCE = timedelta(hours=1)
_LONGEST_DELAY = timedelta(days=1, seconds=1)  # that may be set, and what is cut off of a second
_LOG = b'","kind":"log",'


_Row = Mapping[Any, Any]
_Marks = Sequence[tuple[str, bytes | None]]
"""Subjects with their seeds."""


class _Unopened(Exception):
    """Nobody holds a key to it any more."""


class _Altered(Exception):
    """It opens, or should, and is not what was committed to."""


class StoredRecords:
    """Over an opened store's database. `pid`: a subject as an organisation sees it. Raises StoreUnavailable."""

    def __init__(self, database: Database, pid: Callable[[str, str], str]) -> None:
        self._database, self._pid = database, pid
        self._outbox = cast(Outbox, database.ledger)
        self._newest: datetime | None = None  # when the newest entry of the log fell due

    async def check(self, progress: Progress | None = None) -> AsyncIterator[Finding]:
        """All records since the ledger began, then all entries; findings as they come."""
        began_us = await self._began_us()
        if began_us is None:
            return
        self._newest = await self._newest_time()
        total = await self._count()
        done = 0
        for table, at, make in (
            (access_event, access_event.c.recorded_at_us, self._access),
            (change_event, change_event.c.at_us, self._change),
            (alert, alert.c.opened_at_us, self._alert),
        ):
            async for rows, marks in self._pages(table):
                for row in rows:
                    found = self._judge(row, at.name, began_us, marks.get(row["id"], ()), make, table.name)
                    if found is not None:
                        yield found
                done += len(rows)
                if progress is not None:
                    progress(done, max(done, total))
        async for found in self._orphans():
            yield found

    def _judge(
        self,
        row: _Row,
        at: str,
        began_us: int,
        marks: _Marks,
        make: Callable[[_Row, _Marks], bytes],
        about: str,
    ) -> Finding | None:
        entry, shard, number = row["ledger"] or row["waiting"], row["shard"] or "", row["number"]
        if entry is None:
            seeded = row["seed_ct"] is not None or any(seed is not None for _, seed in marks)
            if row[at] < began_us and not seeded:
                return None  # older than the ledger
            return Finding(Fault.UNLOGGED_RECORD, "", entry_id=row["id"], about=about)
        try:
            said = parse_entry(bytes(entry))
            if _shows(said, row, at, about) and said.commitment == make(row, marks):
                return self._held_back(row, said.time, about)
        except _Unopened:
            return self._held_back(row, said.time, about)
        except (_Altered, Malformed, ValueError, TypeError, OverflowError):  # other contents than any record has
            pass
        return Finding(Fault.EDITED_RECORD, shard, number, number, row["id"], about)

    def _held_back(self, row: _Row, due: datetime, about: str) -> Finding | None:
        """The clock is not asked: nothing is wrong where nobody leads, and everything waits."""
        if row["ledger"] is None and self._newest is not None and due < self._newest - _PATIENCE:
            return Finding(Fault.UNLOGGED_RECORD, "", entry_id=row["id"], about=about)
        return None

    def _access(self, row: _Row, marks: _Marks) -> bytes:
        marks = seeds_of(row["seed_ct"], marks)
        if not marks:
            if row["seed_ct"] is None:
                raise _Altered
            seed, shown = self._unsealed(row["id"], None, row["seed_ct"])[0], list[str]()
        else:
            seed = self._seed_of_many(row, marks)
            shown = [b64(seed_ct[:MARK_BYTES]) for _, seed_ct in marks if seed_ct is not None]
        return _committed(seed, records.access_record(row, seed, shown))

    def _seed_of_many(self, row: _Row, marks: _Marks) -> bytes:
        """By whichever person's key still exists; and each of those is the person of their mark."""
        seed: bytes | None = None
        for subject_id, seed_ct in marks:
            try:
                if seed_ct is None:
                    raise _Altered
                seed, salt = self._unsealed(row["id"], subject_id, seed_ct)
            except _Unopened:
                continue
            pid = self._pid(subject_id, row["actor_org"])
            if commit(salt, b'"' + pid.encode() + b'"') != seed_ct[:MARK_BYTES]:
                raise _Altered
        if seed is None:
            raise _Unopened
        return seed

    def _change(self, row: _Row, _marks: object) -> bytes:
        seed, mark = self._of_one(row)
        return _committed(seed, records.change_record(row, seed, mark))

    def _alert(self, row: _Row, _marks: object) -> bytes:
        seed, mark = self._of_one(row)
        return _committed(seed, records.alert_record(row, seed, mark))

    def _of_one(self, row: _Row) -> tuple[bytes, str | None]:
        if row["seed_ct"] is None:
            raise _Altered
        seed, salt = self._unsealed(row["id"], row["subject_id"], row["seed_ct"])
        if row["subject_id"] is None:
            return seed, None
        mark = row["seed_ct"][:MARK_BYTES]
        if commit(salt, b'"' + row["subject_id"].encode() + b'"') != mark:
            raise _Altered
        return seed, b64(mark)

    def _unsealed(self, record_id: str, subject_id: str | None, seed_ct: bytes) -> tuple[bytes, bytes]:
        try:
            return self._outbox.unsealed(record_id, subject_id, bytes(seed_ct))
        except SubjectErased:
            raise _Unopened from None
        except CiphertextInvalid:
            raise _Altered from None

    async def _pages(self, table: sa.Table) -> AsyncIterator[tuple[Sequence[sa.RowMapping], Mapping[str, _Marks]]]:
        """Rows with their entries, by id; and of access events, the persons with their seeds, by event."""
        after = ""
        query = (
            sa.select(
                table, ledger_entry.c.shard, ledger_entry.c.number, ledger_entry.c.entry.label("ledger"),
                ledger_outbox.c.entry.label("waiting"),
            )
            .outerjoin(ledger_entry, ledger_entry.c.id == table.c.id)
            .outerjoin(ledger_outbox, ledger_outbox.c.id == table.c.id)
            .where(table.c.id > sa.bindparam("after"))
            .order_by(table.c.id)
            .limit(_PAGE)
        )  # fmt: skip
        person = access_event_subject.c
        persons = sa.select(person.event_id, person.subject_id, person.seed_ct).where(
            person.event_id > sa.bindparam("after"), person.event_id <= sa.bindparam("last")
        )
        while True:
            async with self._database.read() as connection:
                rows = (await connection.execute(query, {"after": after})).mappings().all()
                marks: dict[str, list[tuple[str, bytes | None]]] = {}
                if rows and table is access_event:
                    found = await connection.execute(persons, {"after": after, "last": rows[-1]["id"]})
                    for event_id, subject_id, seed_ct in found.all():
                        marks.setdefault(event_id, []).append((subject_id, seed_ct))
            if not rows:
                return
            yield rows, marks
            after = rows[-1]["id"]

    async def _orphans(self) -> AsyncIterator[Finding]:
        """Entries whose record is gone. What the log says of itself has none."""
        entry = ledger_entry.c
        recorded = [sa.exists().where(table.c.id == entry.id) for table in (access_event, change_event, alert)]
        alone = sa.select(entry.number, entry.id, entry.entry).where(*(~one for one in recorded))
        async with self._database.read() as connection:
            shards = (await connection.execute(sa.select(ledger_shard.c.shard, ledger_shard.c.size))).all()
        for shard, size in shards:
            for start in range(0, size, _PAGE):
                page = alone.where(entry.shard == shard, entry.number >= start, entry.number < start + _PAGE)
                async with self._database.read() as connection:
                    rows = (await connection.execute(page.order_by(entry.number))).all()
                for number, entry_id, data in rows:
                    if _LOG not in bytes(data[:320]):
                        yield Finding(Fault.LOST_RECORD, shard, number, number, entry_id)

    async def _began_us(self) -> int | None:
        async with self._database.read() as connection:
            began_us: int | None = await connection.scalar(sa.select(sa.func.min(ledger_shard.c.began_at_us)))
            return began_us

    async def _newest_time(self) -> datetime | None:
        entry = ledger_entry.c
        newest = sa.select(entry.entry).join(ledger_shard, ledger_shard.c.shard == entry.shard)
        async with self._database.read() as connection:
            data = await connection.scalar(
                newest.order_by(ledger_shard.c.began_at_us.desc(), entry.number.desc()).limit(1)
            )
        try:
            return None if data is None else parse_entry(bytes(data)).time
        except Malformed:  # which the check of the tree says
            return None

    async def _count(self) -> int:
        async with self._database.read() as connection:
            counts = [
                await connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
                for table in (access_event, change_event, alert)
            ]
        return sum(counts)


def _shows(said: Entry, row: _Row, at: str, about: str) -> bool:
    """Whether kind, body and time are the record's. What is delayed shows a later time, which no row holds."""
    happened = from_us(row[at]).replace(microsecond=0)
    face: Face = (
        ALERT_FACE if about == alert.name else (access_face if about == access_event.name else change_face)(row)
    )
    delayed = about == alert.name or (about == change_event.name and tells_too_much(row["kind"]))
    latest = happened + (_LONGEST_DELAY if delayed else timedelta())
    return (said.kind, said.actor) == face and happened <= said.time <= latest


def _committed(seed: bytes, record: Mapping[str, Any]) -> bytes:
    return commit(records.salt_of(seed, "record"), records.written(record))
