"""The persons' keys as a deployment keeps them: a database of their own, its mirror, and what the main database knows of both.

A destruction is written down in the main database first, then done in the key database, then in the mirror; only then is it
confirmed. Whatever was begun is finished at the next start, before a key is used: so is what a restored copy brings back.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa

from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.settings import Settings
from gateway.store.engine import Database, open_database
from gateway.store.errors import CiphertextInvalid, StoreRefused, StoreUnavailable
from gateway.store.ids import to_us
from gateway.store.keys import Keys
from gateway.store.subject_keys.kept import KeptNodes
from gateway.store.subject_keys.ring import SubjectKeys
from gateway.store.subject_keys.tree import Cover, leaf_of, new_tree
from gateway.store.tables.subject_keys import subject_key_destroyed, subject_key_store

_log = logging.getLogger(__name__)
_LOOK_AGAIN_S = 1.0


class StoredSubjectKeys:
    """`ring` seals and opens. Open with `open_subject_keys`; `close` before the main database."""

    def __init__(self, main: Database, nodes: KeptNodes, mirror: KeptNodes | None, clock: Clock) -> None:
        self._main, self._nodes, self._mirror, self._clock = main, nodes, mirror, clock
        self._generation = -1
        self._looking: asyncio.Task[None] | None = None
        self.ring = SubjectKeys(Cover({}))

    async def destroy(self, subject_id: str) -> None:
        """Done everywhere on return; the same again does nothing. Raises StoreUnavailable: then the next start finishes it.

        Other processes notice within about a second.
        """
        leaf = leaf_of(subject_id)
        await self._write_down((leaf,))
        await self._destroy(leaf)
        await self.look()

    async def look(self) -> None:
        """Take over what another process destroyed. What comes back meanwhile, say by a standby that had not heard of it,
        is destroyed again before anything is opened with it."""
        if await self._nodes.generation() != self._generation:
            contents = await self._nodes.contents()
            cover = Cover(contents.seeds)
            if back := [leaf for leaf in await self._listed() if cover.above(leaf) is not None]:
                for leaf in sorted(back):
                    await self._destroy(leaf)
                contents = await self._nodes.contents()
            self.ring.take(Cover(contents.seeds))
            self._generation = contents.generation

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking
        for kept in (self._nodes, self._mirror):
            if kept is not None:
                await kept.database.close()

    async def prepare(self, store_id: str) -> None:
        """See `open_subject_keys`."""
        await self._found(store_id)
        try:
            copies = [await kept.contents() for kept in (self._nodes, self._mirror) if kept is not None]
        except CiphertextInvalid:
            raise StoreRefused(_FOREIGN) from None
        listed = await self._listed()
        gone = listed.union(*(copy.destroyed for copy in copies))
        await self._write_down(gone - listed)
        for leaf in sorted(gone):
            if any(leaf not in copy.destroyed or Cover(copy.seeds).above(leaf) is not None for copy in copies):
                await self._destroy(leaf)
        if gone:
            await self._forget()
        await self.look()
        self._looking = asyncio.create_task(self._look_on(), name="subject-keys")

    async def _found(self, store_id: str) -> None:
        """The key database, made where this is the very first start; and the mirror, made where it is new."""
        async with self._main.read() as connection:
            made = await connection.scalar(sa.select(subject_key_store.c.id))
        # In the reverse of the order they are made in: another process may be at its own first start.
        mirrored = None if self._mirror is None else await self._mirror.store_id()
        found = await self._nodes.store_id()
        if any(one not in (None, store_id) for one in (found, mirrored)):
            raise StoreRefused(_FOREIGN)
        if found is None:
            if made is not None or mirrored is not None:
                raise StoreRefused(_MISSING)
            await self._nodes.make(store_id, new_tree())
        if self._mirror is not None and mirrored is None:
            contents = await self._nodes.contents()
            await self._mirror.make(store_id, contents.seeds, contents.destroyed)
        if made is None:
            row = {"id": store_id, "made_at_us": to_us(self._clock.now())}
            async with self._main.write() as connection:
                await connection.execute(self._main.insert(subject_key_store).values(row).on_conflict_do_nothing())

    async def _listed(self) -> set[int]:
        """What the main database knows to be destroyed."""
        async with self._main.read() as connection:
            return {int(leaf, 16) for leaf in await connection.scalars(sa.select(subject_key_destroyed.c.leaf))}

    async def _forget(self) -> None:
        """A process that was killed between the deletion and this left it to us; whoever reads now must not keep us out."""
        for kept in (self._nodes, self._mirror):
            try:
                if kept is not None:
                    await kept.forget()
            except StoreUnavailable as error:
                _log.warning("a destroyed key's traces are still there: %s", error.code)

    async def _destroy(self, leaf: int) -> None:
        await self._nodes.destroy(leaf)
        if self._mirror is not None:
            await self._mirror.destroy(leaf)

    async def _write_down(self, leaves: tuple[int, ...] | set[int]) -> None:
        if not leaves:
            return
        at_us = to_us(self._clock.now())
        rows = [{"leaf": f"{leaf:x}", "at_us": at_us} for leaf in sorted(leaves)]
        async with self._main.write() as connection:
            await connection.execute(self._main.insert(subject_key_destroyed).on_conflict_do_nothing(), rows)

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_AGAIN_S)
            try:
                await self.look()
            except GatewayError as error:
                _log.warning("the persons' keys could not be looked at: %s", error.code)


_FOREIGN = (
    "the persons' keys at subject_keys_url or subject_keys_mirror belong to another database, or to another master key; "
    "set both to the ones this database was used with"
)
_MISSING = (
    "the persons' keys are missing; set subject_keys_url to where they are, or put them back from subject_keys_mirror: "
    "without them nothing recorded about persons can be opened any more"
)


async def open_subject_keys(settings: Settings, main: Database, keys: Keys, clock: Clock) -> StoredSubjectKeys:
    """Makes them at the very first start; afterwards what must be destroyed is destroyed before a key is used.

    Raises StoreRefused where they are missing or another database's, StoreUnavailable.
    """
    store_id = keys.derive("subject-keys/id/v1")[:16].hex()
    node_key = keys.derive("subject-keys/node/v1")
    url = settings.subject_keys_url or default_url(settings, store_id)
    stored: StoredSubjectKeys | None = None
    nodes = KeptNodes(open_database(replace(settings, database_url=url)), node_key)
    mirror = None
    try:
        if settings.subject_keys_mirror is not None:
            path = settings.subject_keys_mirror / _name(store_id)
            mirror = KeptNodes(open_database(replace(settings, database_url=f"sqlite:///{path}")), node_key)
        stored = StoredSubjectKeys(main, nodes, mirror, clock)
        await stored.prepare(store_id)
    except BaseException:
        for kept in (nodes, mirror):
            if kept is not None:
                await kept.database.close()
        raise
    return stored


def default_url(settings: Settings, store_id: str) -> str:
    """In the state folder, by the database's id: two databases there do not meet."""
    folder: Path = settings.state_dir
    os.makedirs(folder, exist_ok=True)
    return f"sqlite:///{folder / _name(store_id)}"


def _name(store_id: str) -> str:
    return f"subject-keys-{store_id[:8]}.db"
