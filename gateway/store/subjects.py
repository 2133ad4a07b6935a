"""Persons as opaque ids: found by a keyed HMAC of the ID number, kept as ciphertext, shown as a pseudonym per reader."""

from __future__ import annotations

import base64
import contextlib
import re
from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import repeat
from typing import Any

import sqlalchemy as sa

from gateway.clock import Clock
from gateway.store.encryption import Place
from gateway.store.engine import Database
from gateway.store.errors import StoreUnavailable, SubjectErased, SubjectUnknown
from gateway.store.ids import to_us
from gateway.store.keys import Keys, Sealed
from gateway.store.subject_keys.columns import PersonalColumns, is_personal
from gateway.store.subject_keys.ring import SubjectKeys
from gateway.store.tables import subject
from ledger.keyed import keyed

_NORMALISED = re.compile(r"[0-9]{17}[0-9X]")
_REMEMBERED = 20_000  # about 5 MB
_LATELY = 512  # numbers whose HMAC is at hand, by reader, too; as many as are read in clear (adapters/identity)
_CHUNK = 500
_PID_BYTES = 16
_FIND = "SELECT id_hmac, subject_id FROM subject WHERE id_hmac"
_ANY_OF = sa.text(f"{_FIND} = ANY(:keys)")


@dataclass(frozen=True, slots=True)
class Personal:
    """What is known of a subject in clear; its repr shows nothing."""

    id_no: str = field(repr=False)
    name: str = field(repr=False)


class StoredSubjects:
    """Implements `gateway.caller.Subjects`, and keeps a subject's ID number and name as ciphertext.

    The same number is the same subject in every replica and for ever, so what was found once is kept in memory.
    """

    def __init__(
        self, database: Database, keys: Keys, ring: SubjectKeys, clock: Clock, *, remembered: int = _REMEMBERED
    ) -> None:
        self._database, self._columns, self._clock = database, PersonalColumns(keys, ring), clock
        self._id_key = keys.derive("subject/id-hmac/v1")
        self._pid_key = keys.derive("subject/pid/v1")
        self._own_key = keys.derive("subject/id/v1")
        self._found: OrderedDict[bytes, str] = OrderedDict()
        self._met: OrderedDict[tuple[str, bytes], str] = OrderedDict()
        self._remembered = remembered
        self._place = lru_cache(_LATELY)(self._place_of)

    async def intern(self, id_numbers: Sequence[str]) -> Sequence[str]:
        """See the port. Raises ValueError for a number that is not normalised, StoreUnavailable."""
        asked = [self._id_hmac(id_no) for id_no in id_numbers]
        answer: dict[bytes, str] = {}
        for key in asked:
            if (known := self._found.get(key)) is not None:
                self._found.move_to_end(key)
                answer[key] = known
        # Sorted: two replicas that insert the same people in different orders would wait for each other.
        missing = sorted(set(asked) - answer.keys())
        for start in range(0, len(missing), _CHUNK):
            found = await self._find_or_make(missing[start : start + _CHUNK])
            answer.update(found)
            self._found.update(found)
        while len(self._found) > self._remembered:
            self._found.popitem(last=False)
        return [answer[key] for key in asked]

    async def recognise(self, id_numbers: Sequence[str], *, reader: str = "") -> Sequence[str]:
        """See the port: the same statement for the known and the unknown, and nothing written for either."""
        # Remembered for each reader apart: whom others ask about must not be answered sooner than whom nobody knows.
        met = self._met
        asked = list(map(self._place, repeat(reader), id_numbers))
        if not all(map(met.__contains__, asked)):
            missing = sorted({place[1] for place in asked if place not in met})
            for start in range(0, len(missing), _CHUNK):
                chunk = missing[start : start + _CHUNK]
                found = {key: self._own_id(key) for key in chunk} | await self._find(chunk)
                met.update({(reader, key): subject_id for key, subject_id in found.items()})
        answer = list(map(met.__getitem__, asked))
        deque(map(met.move_to_end, asked), 0)
        while len(met) > self._remembered:
            met.popitem(last=False)
        return answer

    def pid(self, subject_id: str, org_id: str) -> str:
        """See the port: 26 characters of base32, 128 bits."""
        message = len(subject_id).to_bytes(2, "big") + subject_id.encode() + org_id.encode()
        digest = keyed(self._pid_key, message)[:_PID_BYTES]
        return base64.b32encode(digest).decode("ascii").rstrip("=").lower()

    async def remember(self, subject_id: str, id_no: str, name: str) -> None:
        """Keep both as ciphertext, under the person's own key. Raises SubjectUnknown where the number is another subject's,
        SubjectErased where the person was erased: nothing is kept of them again."""
        id_hmac = self._id_hmac(id_no)
        if not self._columns.ring.exists(subject_id):
            raise SubjectErased("this person was erased")
        id_sealed, name_sealed = await self._columns.seal(
            subject_id, (_place("id_no_ct", subject_id), id_no.encode()), (_place("name_ct", subject_id), name.encode())
        )
        statement = sa.update(subject).where(subject.c.subject_id == subject_id, subject.c.id_hmac == id_hmac)
        async with self._database.write() as connection:
            done = await connection.execute(
                statement.values(
                    id_no_ct=id_sealed.ciphertext,
                    name_ct=name_sealed.ciphertext,
                    key_id=id_sealed.key_id,
                    alg_id=id_sealed.alg_id,
                )
            )
        if done.rowcount != 1:
            raise SubjectUnknown("no subject of this id and ID number")

    async def reveal(self, subject_id: str) -> Personal | None:
        """What was remembered, None where nothing was. Raises SubjectUnknown, SubjectErased, CiphertextInvalid.

        What was sealed before there were persons' keys is sealed anew on the way.
        """
        async with self._database.read() as connection:
            row = (await connection.execute(sa.select(subject).where(subject.c.subject_id == subject_id))).one_or_none()
        if row is None:
            raise SubjectUnknown("no subject of this id")
        if row.id_no_ct is None or row.name_ct is None:
            return None
        id_no, name = [
            (
                await self._columns.unseal(subject_id, _place(column, subject_id), Sealed(ct, row.key_id, row.alg_id))
            ).decode()
            for column, ct in (("id_no_ct", row.id_no_ct), ("name_ct", row.name_ct))
        ]
        if not is_personal(row.alg_id):
            await self.remember(subject_id, id_no, name)
        return Personal(id_no, name)

    async def reseal(self, most: int = _CHUNK) -> int:
        """Seal anew up to `most` persons that were sealed before there were persons' keys; how many there were."""
        old = sa.and_(subject.c.id_no_ct.is_not(None), sa.not_(subject.c.alg_id.endswith("+SUBJECT")))
        async with self._database.read() as connection:
            found = (await connection.scalars(sa.select(subject.c.subject_id).where(old).limit(most))).all()
        for subject_id in found:
            with contextlib.suppress(SubjectErased):
                await self.reveal(subject_id)
        return len(found)

    async def _find_or_make(self, asked: Sequence[bytes]) -> dict[bytes, str]:
        """One round trip for people known to the store, two when some are new."""
        make = (
            self._database.insert(subject).on_conflict_do_nothing().returning(subject.c.id_hmac, subject.c.subject_id)
        )
        found: dict[bytes, str] = {}
        for _ in range(3):  # a lost race is over by the second look
            found |= await self._find(asked)
            if len(found) == len(asked):
                return found
            rows = list(self._new(key for key in asked if key not in found))
            async with self._database.write() as connection:
                made = {bytes(key): subject_id for key, subject_id in await connection.execute(make, rows)}
            found |= made  # only once it is committed
            if len(found) == len(asked):
                return found
        raise StoreUnavailable("subjects could not be interned")

    async def _find(self, asked: Sequence[bytes]) -> dict[bytes, str]:
        statement, parameters = _ANY_OF, dict[str, Any](keys=list(asked))
        if self._database.is_sqlite:  # which knows no arrays
            statement, parameters = _one_of(len(asked)), {f"k{at}": key for at, key in enumerate(asked)}
        return {bytes(key): subject_id for key, subject_id in await self._database.rows(statement, parameters)}

    def _new(self, keys: Iterator[bytes]) -> Iterator[dict[str, object]]:
        created_at_us = to_us(self._clock.now())
        for key in keys:
            yield {"subject_id": self._own_id(key), "id_hmac": key, "created_at_us": created_at_us}

    def _own_id(self, id_hmac: bytes) -> str:
        """The id of a number nobody has interned yet; interned later, it is the same person."""
        return keyed(self._own_key, id_hmac)[:16].hex()

    def _place_of(self, reader: str, id_no: str) -> tuple[str, bytes]:
        return reader, self._id_hmac(id_no)

    def _id_hmac(self, id_no: str) -> bytes:
        if not _NORMALISED.fullmatch(id_no):
            raise ValueError("not a normalised 18-digit ID number")
        return keyed(self._id_key, id_no.encode("ascii"))


@lru_cache(maxsize=_CHUNK)
def _one_of(many: int) -> sa.TextClause:
    return sa.text(f"{_FIND} IN ({', '.join(f':k{at}' for at in range(many))})")


def _place(column: str, subject_id: str) -> Place:
    return Place("subject", column, subject_id)
