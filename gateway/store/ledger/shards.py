"""One log follows another: by the year, or where a database was restored and the log can never again be what it signed."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.caller import Change
from gateway.clock import Clock
from gateway.services.ledger.ports import LedgerHalted, NotLeading, Shard
from gateway.store.engine import Database
from gateway.store.errors import StoreRefused
from gateway.store.ids import to_us
from gateway.store.ledger.sequencing import ACTIVE, CLOSED
from gateway.store.ledger.signing import StoredSigners, announcement_id, first_id, log_entry, new_signer, say
from gateway.store.tables.ledger import ledger_checkpoint, ledger_entry, ledger_key, ledger_shard
from ledger.checkpoint import Checkpoint
from ledger.encoding import b64
from ledger.merkle import EMPTY_ROOT, Frontier, leaf_hash
from ledger.note import Note, parse_note, parse_vkey
from ledger.policy import signed_checkpoint

RecordChange = Callable[[AsyncConnection, datetime, Change], Awaitable[str]]
"""`changes.record_change`: handed in, since changes stand in the ledger themselves."""
_SHARD = re.compile("[0-9]{4}[a-z]{0,2}")


class StoredShards:
    """Makes shards and closes them; one is active, from the first start on."""

    def __init__(self, database: Database, signers: StoredSigners, clock: Clock, record: RecordChange) -> None:
        self._database, self._signers, self._clock, self._record = database, signers, clock, record

    async def active(self) -> Shard | None:
        async with self._database.read() as connection:
            row = (await connection.execute(_active())).one_or_none()
        return None if row is None else _shard(row)

    async def open(self, name: str, year: str) -> Shard:
        """See `SequencedLog.open`."""
        found = await self.active()
        if found is None:
            async with self._database.write() as connection:
                await self._take_turns(connection)
                if (await connection.execute(_active())).first() is None:
                    await self._begin(connection, name, year, Frontier())
            found = await self.active()
        if found is None:
            raise NotLeading("no shard is active")
        return found

    async def announce(self, name: str, year: str) -> str:
        """The vkey `name/year` will sign with: made ahead, and said in the shard before, so that whoever knows this one
        needs nobody's word for the next. Once."""
        origin = _origin(name, year)
        async with self._database.write() as connection:
            await self._take_turns(connection)
            held = await _held(connection, year, origin)
            if held is not None:
                return held
            row = await self._signers.sealed(year, new_signer(origin))
            await connection.execute(sa.insert(ledger_key).values(row))
            said = {"next": {"origin": origin, "vkey": row["vkey"]}}
            await say(connection, announcement_id(row["vkey"]), self._clock.now(), said)
        return str(row["vkey"])

    async def turn_year(self, name: str, year: str, fence: int) -> Shard:
        """See `SequencedLog.turn_year`. A year that is over is never gone back to, whatever a clock says. Raises NotLeading,
        LedgerHalted."""
        async with self._database.write() as connection:
            await self._take_turns(connection)
            old = (await connection.execute(_active().with_for_update())).one_or_none()
            if old is None or old.fence != fence:
                raise NotLeading("another process became leader")
            if old.halted is not None:
                raise LedgerHalted(old.halted)
            if year > old.shard[:4]:
                await self._close(connection, old.shard)
                await self._follow(connection, name, year, fence, await _last_sealed(connection, old))
        return await self.open(name, year)

    async def begin_shard(self, name: str, *, reason: str, actor_user: str, witnessed: bytes | None = None) -> Shard:
        """The operator's way on from a log that halted: close it as it is and begin "2026b" after "2026", and so on.

        `witnessed`: the signed note of the last checkpoint as a witness gave it out, where the restored database does not
        know it any more; the log's own signature on it is checked. Every leader loses its fence. Raises StoreRefused, and
        LedgerError for a note that this log did not sign.
        """
        async with self._database.write() as connection:
            await self._take_turns(connection)
            old = (await connection.execute(_active().with_for_update())).one_or_none()
            if old is None:
                raise StoreRefused("there is no ledger to go on from")
            if witnessed is None:
                previous = await _last_sealed(connection, old)
            else:
                previous = await _signed_by_us(connection, old, parse_note(witnessed))
            taken = (await connection.scalars(sa.select(ledger_shard.c.shard))).all()
            shard = _following(old.shard, set(taken))
            await self._close(connection, old.shard)
            await self._follow(connection, name, shard, old.fence + 1, previous)
            change = Change("LEDGER_SHARD_BEGUN", shard, "", actor_user, detail={"reason": reason, "after": old.shard})
            await self._record(connection, self._clock.now(), change)
        return await self.open(name, shard)

    async def _take_turns(self, connection: AsyncConnection) -> None:
        if not self._database.is_sqlite:
            await connection.execute(sa.text("LOCK TABLE ledger_shard IN SHARE ROW EXCLUSIVE MODE"))

    async def _close(self, connection: AsyncConnection, shard: str) -> None:
        values = {"state": CLOSED, "closed_at_us": to_us(self._clock.now())}
        await connection.execute(sa.update(ledger_shard).where(ledger_shard.c.shard == shard).values(values))

    async def _follow(
        self, connection: AsyncConnection, name: str, shard: str, fence: int, previous: Mapping[str, Any] | None
    ) -> None:
        """The new shard with its first entry, number 0, in this transaction."""
        entry = log_entry(self._clock.now(), {"previous": previous})
        leaf = leaf_hash(entry)
        await self._begin(connection, name, shard, Frontier().extended([leaf]), fence)
        row = {"shard": shard, "number": 0, "id": first_id(_origin(name, shard)), "leaf_hash": leaf, "entry": entry}
        await connection.execute(sa.insert(ledger_entry).values(row))

    async def _begin(self, connection: AsyncConnection, name: str, shard: str, tree: Frontier, fence: int = 0) -> None:
        origin = _origin(name, shard)
        if await _held(connection, shard, origin) is None:
            key = await self._signers.sealed(shard, new_signer(origin))
            await connection.execute(sa.insert(ledger_key).values(key))
        row = {
            "shard": shard, "origin": origin, "state": ACTIVE, "size": tree.size, "root": tree.root(),
            "frontier": b"".join(tree.hashes), "fence": fence, "began_at_us": to_us(self._clock.now()),
        }  # fmt: skip
        await connection.execute(sa.insert(ledger_shard).values(row))


def _active() -> sa.Select[Any]:
    return sa.select(ledger_shard).where(ledger_shard.c.state == ACTIVE)


def _shard(row: sa.Row[Any]) -> Shard:
    return Shard(row.shard, row.origin, row.state == ACTIVE, row.size, row.halted)


def _origin(name: str, shard: str) -> str:
    if not _SHARD.fullmatch(shard):
        raise ValueError("a shard is a year, and letters where one followed another within it")
    return f"{name}/{shard}"


def _following(shard: str, taken: set[str]) -> str:
    """ "2026b" after "2026", "2026c" after "2026b"."""
    letters = [f"{shard[:4]}{letter}" for letter in "bcdefghijklmnopqrstuvwxyz"]
    free = [one for one in letters if one > shard and one not in taken]
    if not free:
        raise StoreRefused("this year's shards are used up")
    return free[0]


async def _held(connection: AsyncConnection, shard: str, origin: str) -> str | None:
    """The vkey that was announced for this origin. One of another name, announced before the ledger was renamed, never
    signs: a log's name is its key's."""
    vkeys = (await connection.scalars(sa.select(ledger_key.c.vkey).where(ledger_key.c.shard == shard))).all()
    for vkey in (one for one in vkeys if parse_vkey(one).name != origin):
        other = sa.delete(ledger_key).where(ledger_key.c.shard == shard, ledger_key.c.vkey == vkey)
        await connection.execute(other)
    return next((one for one in vkeys if parse_vkey(one).name == origin), None)


async def _last_sealed(connection: AsyncConnection, shard: sa.Row[Any]) -> dict[str, Any] | None:
    """What a quorum of witnesses stands behind; where none ever did, what was given out; None for a log that never was."""
    c = ledger_checkpoint.c
    last = sa.select(ledger_checkpoint).where(c.shard == shard.shard).order_by(c.size.desc()).limit(1)
    for kind in (c.sealed_at_us, c.published_at_us):
        row = (await connection.execute(last.where(kind.is_not(None)))).one_or_none()
        if row is not None:
            return _previous(Checkpoint(shard.origin, row.size, row.root), bytes(row.note))
    return _previous(Checkpoint(shard.origin, 0, EMPTY_ROOT), None)


async def _signed_by_us(connection: AsyncConnection, shard: sa.Row[Any], note: Note) -> dict[str, Any]:
    """Raises LedgerError for a note this shard's keys did not sign."""
    vkeys = await connection.scalars(sa.select(ledger_key.c.vkey).where(ledger_key.c.shard == shard.shard))
    checkpoint = signed_checkpoint(note, shard.origin, [parse_vkey(vkey) for vkey in vkeys])
    return _previous(checkpoint, bytes(note))


def _previous(checkpoint: Checkpoint, note: bytes | None) -> dict[str, Any]:
    said = None if note is None else note.decode()
    return {"origin": checkpoint.origin, "size": checkpoint.size, "root": b64(checkpoint.root), "note": said}
