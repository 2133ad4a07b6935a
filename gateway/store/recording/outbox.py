"""What every record puts into the ledger's outbox, in the transaction that keeps the record itself."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from operator import add
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.engine import announce, owner_of
from gateway.store.errors import CiphertextInvalid, StoreRefused
from gateway.store.ids import from_us
from gateway.store.recording import records
from gateway.store.recording.kinds import change_kind, is_own_doing, tells_too_much
from gateway.store.subject_keys.ring import NONCE_BYTES, SubjectKeys
from gateway.store.tables import access_event
from gateway.store.tables.ledger import ledger_outbox
from ledger.encoding import b64, b64_each
from ledger.entry import KINDS, VERSION, Entry, commit, commit_each, is_actor
from ledger.merkle import leaf_hash

MARK_BYTES = 32  # the blind of a person's pid, in the open in front of what is sealed
_SALT_BYTES = records.SALT_BYTES
_MARK_RANDOM = _SALT_BYTES + NONCE_BYTES
_REMEMBERED = 20_000  # pids; about 5 MB
Face = tuple[str, str]
"""What everybody sees of a record: the entry's kind and actor."""
ALERT_FACE: Face = "alert", "yimen"  # not the body it is about: who is watched there would see it
_EVENT_COLUMNS = [column.name for column in access_event.c]


class Waiting(NamedTuple):
    """A row of the outbox."""

    id: str
    due_at_us: int
    entry: bytes

    @property
    def leaf_hash(self) -> bytes:
        return leaf_hash(self.entry)


class Marked(NamedTuple):
    """A person of a record: `seed_ct` is mark and sealed seed, as the tables hold it."""

    subject_id: str
    mark: str
    seed_ct: bytes


class Outbox:
    """Makes seeds, records and entries. Everything here is computed; the caller writes it."""

    def __init__(
        self, keys: SubjectKeys, own_key: bytes, pid: Callable[[str, str], str], *, alert_delay_s: float
    ) -> None:
        self.keys, self.pid, self._alert_delay_us = keys, pid, int(alert_delay_s * 1_000_000)
        # By reader, as keys are: whom others ask about is not told sooner.
        self._shown = lru_cache(_REMEMBERED)(lambda subject_id, reader: _quoted(pid(subject_id, reader)))
        self._own = AESGCM(own_key)

    def access(self, columns: Sequence[Any], subjects: Sequence[str]) -> tuple[bytes, Waiting]:
        """`columns` in the order of `access_event`, without the last, its `seed_ct`: that comes first in the answer. `subjects`
        in order, each once: of a record about persons it is theirs one after the other, for `seeds_of`."""
        row = dict(zip(_EVENT_COLUMNS, columns, strict=False))
        seed, org, event_id = os.urandom(records.SEED_BYTES), row["actor_org"], row["id"]
        if subjects:
            marks, seed_ct = self._marks(seed, subjects, event_id, org)
        else:
            marks, seed_ct = [], self._seal_own(event_id, seed)
        record = records.access_record(row, seed, marks, made=True)
        return seed_ct, _waiting(record, seed, access_face(row), row["recorded_at_us"])

    def change(self, row: Mapping[str, Any]) -> tuple[bytes, Waiting]:
        """`row` as it goes into `change_event`, without `seed_ct`: that comes first in the answer."""
        seed = os.urandom(records.SEED_BYTES)
        seed_ct, mark = self._seed_of_one(seed, row)
        at_us, delayed = row["at_us"], tells_too_much(row["kind"])
        record = records.change_record(row, seed, mark)
        return seed_ct, _waiting(record, seed, change_face(row), self._later(at_us) if delayed else at_us, delayed)

    def alert(self, row: Mapping[str, Any]) -> tuple[bytes, Waiting]:
        """The same for `alert`. It shows in the ledger some time later, so that it tips nobody off."""
        seed = os.urandom(records.SEED_BYTES)
        seed_ct, mark = self._seed_of_one(seed, row)
        record = records.alert_record(row, seed, mark)
        return seed_ct, _waiting(record, seed, ALERT_FACE, self._later(row["opened_at_us"]), True)

    def _later(self, at_us: int) -> int:
        return at_us + random.SystemRandom().randrange(self._alert_delay_us + 1)

    def unsealed(self, record_id: str, subject_id: str | None, seed_ct: bytes) -> tuple[bytes, bytes]:
        """Seed and mark salt ("" where the record is about nobody). Raises SubjectErased, CiphertextInvalid."""
        if subject_id is None:
            try:
                return self._own.decrypt(seed_ct[:12], seed_ct[12:], _place(record_id, "")), b""
            except Exception:  # InvalidTag, or too short
                raise CiphertextInvalid("the seed of a record does not open") from None
        both = self.keys.unseal(subject_id, _place(record_id, subject_id), seed_ct[MARK_BYTES:])
        return both[: records.SEED_BYTES], both[records.SEED_BYTES :]

    def _seed_of_one(self, seed: bytes, row: Mapping[str, Any]) -> tuple[bytes, str | None]:
        subject_id = row["subject_id"]
        if subject_id is None:
            return self._seal_own(row["id"], seed), None
        marked = self._mark(seed, subject_id, subject_id, row["id"], "", os.urandom(_MARK_RANDOM))
        return marked.seed_ct, marked.mark

    def _marks(self, seed: bytes, subjects: Sequence[str], record_id: str, reader: str) -> tuple[list[str], bytes]:
        """`_mark` for each, as each is shown to `reader`; what is the same for all is worked out once."""
        shown, of_salts = self._shown, _SALT_BYTES * len(subjects)
        fresh = os.urandom(_MARK_RANDOM * len(subjects))
        salts = fresh[:of_salts]
        marks = commit_each(salts, [shown(subject_id, reader) for subject_id in subjects])
        opening = [seed + salts[at : at + _SALT_BYTES] for at in range(0, of_salts, _SALT_BYTES)]
        nonces = [fresh[at : at + NONCE_BYTES] for at in range(of_salts, len(fresh), NONCE_BYTES)]
        sealed = self.keys.seal_each(subjects, _place(record_id, ""), opening, nonces, reader=reader)
        return b64_each(marks), b"".join(map(add, marks, sealed))

    def _mark(self, seed: bytes, subject_id: str, shown: str, record_id: str, reader: str, fresh: bytes) -> Marked:
        """`fresh`: as many random bytes as `_MARK_RANDOM` says, used nowhere else."""
        salt, nonce = fresh[: records.SALT_BYTES], fresh[records.SALT_BYTES :]
        mark = commit(salt, _quoted(shown))
        sealed = self.keys.seal(subject_id, _place(record_id, subject_id), seed + salt, reader=reader, nonce=nonce)
        return Marked(subject_id, b64(mark), mark + sealed)

    def _seal_own(self, record_id: str, seed: bytes) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._own.encrypt(nonce, seed, _place(record_id, ""))


def seeds_of(seed_ct: bytes | None, persons: Iterable[tuple[str, bytes | None]]) -> list[tuple[str, bytes | None]]:
    """Each person of an access event with mark and sealed seed, from its `seed_ct` and the rows of its persons. Those of one
    record are all of one length and stand one after the other, in the order of the persons' ids: a row for each that holds the
    id alone is a third as long, and it is the one that goes into a table by person. Before, each stood there."""
    known = sorted(persons)
    if seed_ct is None or not known or any(seed is not None for _, seed in known):
        return known
    each, over = divmod(len(seed_ct), len(known))  # whoever was added or left out leaves pieces that do not open
    each = 0 if over else each
    return [(subject_id, seed_ct[at * each : (at + 1) * each]) for at, (subject_id, _) in enumerate(known)]


async def put(connection: AsyncConnection, waiting: Waiting) -> None:
    """Into the outbox, within a `Database.write()`; the news of it spreads when that is committed."""
    row = {"id": waiting.id, "due_at_us": waiting.due_at_us, "entry": waiting.entry}
    await connection.execute(sa.insert(ledger_outbox).values(row))
    announce(connection)


def outbox_of(connection: AsyncConnection) -> Outbox:
    """For whoever was handed a `Database.write()` alone: nothing is recorded without the ledger."""
    owner = owner_of(connection)
    if owner is None or owner.ledger is None:
        raise StoreRefused("records are made in a transaction of an opened store only")
    return cast(Outbox, owner.ledger)


def actor(org: str) -> str:
    """The acting body as entries name it: "yimen" for the system itself."""
    if is_actor(org):
        return org
    return "unlisted" if org else "yimen"


def access_face(row: Mapping[str, Any]) -> Face:
    return "query" if row["decision"] == "ALLOW" else "refusal", actor(row["actor_org"])


def change_face(row: Mapping[str, Any]) -> Face:
    kind = row["kind"]
    return change_kind(kind), "person" if is_own_doing(kind, row["actor_user"]) else actor(row["actor_org"])


def _waiting(record: Mapping[str, Any], seed: bytes, face: Face, at_us: int, delayed: bool = False) -> Waiting:
    commitment = commit(records.salt_of(seed, "record"), records.written(record, plain=record["type"] == "access"))
    due_at_us = at_us if delayed else 0  # what is not delayed waits for no clock, wherever one jumps to
    return Waiting(record["id"], due_at_us, entry_bytes(face, at_us, commitment))


def entry_bytes(face: Face, at_us: int, commitment: bytes) -> bytes:
    """`bytes(Entry(...))`, sooner: whoever is named in the open is named in letters that JSON leaves as they are."""
    kind, org = face
    if not is_actor(org) or kind not in KINDS:
        return bytes(Entry(kind, org, from_us(at_us), commitment))
    second = records.second_text(at_us // 1_000_000)
    return f'{{"actor":"{org}","commitment":"{b64(commitment)}","kind":"{kind}","time":"{second}Z","v":{VERSION}}}'.encode()


def _quoted(shown: str) -> bytes:
    """As canonical JSON: ids are letters and digits."""
    return b'"' + shown.encode() + b'"'


def _place(record_id: str, subject_id: str) -> bytes:
    """No two places give the same bytes: the ids of records are all of one length."""
    return b"yimen/v1/seed/" + record_id.encode() + b"/" + subject_id.encode()
