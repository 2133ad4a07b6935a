"""Records made anew from their rows, with all that opens their ledger entries, where the persons' keys still exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.services.ledger.bundles import Opened
from gateway.store.engine import Database
from gateway.store.errors import SubjectErased
from gateway.store.recording import records
from gateway.store.recording.outbox import MARK_BYTES, Outbox, seeds_of
from gateway.store.tables import access_event, access_event_subject, alert, change_event
from ledger.encoding import b64
from ledger.evidence import SUBJECTS, Disclosed


class Openings:
    """Implements `gateway.services.ledger.bundles.Openings`. What comes out is what the row says now: whoever edited a row gets a record the entry does not commit to."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database, self._outbox = database, outbox

    async def open(self, entry_id: str) -> Opened | None:
        """None where nothing of this id was recorded, it was recorded before there was a ledger, or nobody can open it any
        more because the persons' keys are destroyed. Raises CiphertextInvalid for what was altered, StoreUnavailable."""
        async with self._database.read() as connection:
            event = await _row(connection, access_event, entry_id)
            if event is not None:
                whose = sa.select(access_event_subject).where(access_event_subject.c.event_id == entry_id)
                return self._access(event, (await connection.execute(whose)).all())
            for table, parts, make in (
                (change_event, records.change_values, records.change_record),
                (alert, records.alert_values, records.alert_record),
            ):
                row = await _row(connection, table, entry_id)
                if row is not None:
                    return self._about_one(row, parts, make)
        return None

    def _access(self, row: records.Row, people: Sequence[sa.Row[Any]]) -> Opened | None:
        whose = seeds_of(row["seed_ct"], [(one.subject_id, one.seed_ct) for one in people])
        sealed = {subject_id: bytes(seed_ct) for subject_id, seed_ct in whose if seed_ct is not None}
        if not sealed and row["seed_ct"] is None:
            return None
        seed, found = None, dict[str, Disclosed]()
        marks = {subject_id: b64(seed_ct[:MARK_BYTES]) for subject_id, seed_ct in sealed.items()}
        for subject_id, seed_ct in sealed.items():
            try:
                seed, salt = self._outbox.unsealed(row["id"], subject_id, seed_ct)
            except SubjectErased:  # the blind that stands beside the seed is all there is left of them
                continue
            shown = self._outbox.pid(subject_id, row["actor_org"])
            marks[subject_id] = records.blind(salt, shown) or ""
            found[marks[subject_id]] = Disclosed(salt, shown)
        if not sealed:
            seed, _ = self._outbox.unsealed(row["id"], None, row["seed_ct"])
        if seed is None:
            return None
        record = records.access_record(row, seed, list(marks.values()))
        subjects = {f"{SUBJECTS}/{record[SUBJECTS].index(mark)}": part for mark, part in found.items()}
        return _opened(record, seed, records.access_values(row), subjects, row["result_salt"])

    def _about_one(self, row: records.Row, values: Any, make: Any) -> Opened | None:
        subject_id, subject, mark = row["subject_id"], dict[str, Disclosed](), None
        if row["seed_ct"] is None:
            return None
        try:
            seed, salt = self._outbox.unsealed(row["id"], subject_id, bytes(row["seed_ct"]))
        except SubjectErased:
            return None
        if subject_id is not None:
            mark = records.blind(salt, subject_id)
            subject["subject"] = Disclosed(salt, subject_id)
        return _opened(make(row, seed, mark), seed, values(row), subject)


async def _row(connection: AsyncConnection, table: sa.Table, entry_id: str) -> records.Row | None:
    found = (await connection.execute(sa.select(table).where(table.c.id == entry_id))).mappings().one_or_none()
    return None if found is None else {name: _plain(value) for name, value in found.items()}


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def _opened(
    record: Mapping[str, Any],
    seed: bytes,
    values: records.Values,
    subjects: dict[str, Disclosed],
    result_salt: bytes | None = None,
) -> Opened:
    salt_of = records.salt_of
    parts = {name: Disclosed(salt_of(seed, name), value) for name, value in values.items() if value is not None}
    return Opened(record, salt_of(seed, "record"), parts | subjects, result_salt)
