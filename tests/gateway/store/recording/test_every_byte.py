"""Every byte of a busy ledger, in its tables and in what is published, holds nobody: not in clear, not plainly hashed."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.caller import Alert, Change, Decision
from gateway.services.erase_person import ErasePerson
from gateway.services.ledger.mirror import Export
from gateway.services.ledger.ports import Exhibit
from gateway.services.ledger.receipts import Receipts
from gateway.store import Store
from gateway.store.alerts import StoredAlerts
from gateway.store.changes import record_change
from gateway.store.tables import metadata
from gateway.web.ledger_receipts import receipt
from ledger.checkpoint import Checkpoint
from ledger.entry import KINDS, parse_entry
from ledger.note import COSIGNATURE, Note, Signer, sign_note
from ledger.witness.files import FileStates, create_directory
from ledger.witness.request import write_request
from ledger.witness.witness import Witness
from tests.gateway.store.conftest import HandClock
from tests.gateway.store.events import AT, event
from tests.gateway.store.recording.test_kinds import LATER, SHOWN

pytestmark = pytest.mark.anyio
PEOPLE = {
    "440606199003070017": ("张三丰收", "13800138000"),
    "440606198807213328": ("李梅花开", "13900139001"),
    "440604199001010018": ("王小明月", "13700137002"),
}
CASES = ("(2026)粤0604刑初123号", "(2026)粤0604刑初88号")
OFFICERS = ("officer-chen-7f3a", "officer-lin-91bc")
NAME = "ledger.example/yimen"
OTHER = ("file-8812-loan", "grant-2f71", "client-bank-5", "consent-77aa")
HASHES = ("sha256", "sm3", "md5", "sha1", "sha512")


def spellings(text: str) -> Iterator[bytes]:
    """As it stands, and as anybody might hash and write it."""
    for plain in {text.encode(), text.encode("utf-16-le"), text.upper().encode(), text.encode("gb18030")}:
        yield plain
        yield plain.hex().encode()
        yield base64.b64encode(plain)[: len(plain) * 4 // 3]
        for name in HASHES:
            if name in hashlib.algorithms_available:
                digest = hashlib.new(name, plain).digest()
                yield from (digest, digest.hex().encode(), digest.hex().upper().encode())
                yield base64.b64encode(digest).rstrip(b"=")
                yield base64.urlsafe_b64encode(digest).rstrip(b"=")


async def _busy(store: Store, clock: HandClock) -> list[str]:
    """A day of it; everything that must not be found."""
    secrets = [*PEOPLE, *CASES, *OFFICERS, *OTHER, *(one for pair in PEOPLE.values() for one in pair)]
    subjects = list(await store.subjects.intern(list(PEOPLE)))
    alerts, number = StoredAlerts(store.database, clock), count()
    for who, (id_no, (name, phone)) in zip(subjects, PEOPLE.items(), strict=True):
        await store.subjects.remember(who, id_no, name)
        await store.phones.enrol(who, phone, by=OFFICERS[0], org="SFJ", at=AT)
        secrets += [who, *(store.subjects.pid(who, org) for org in ("SFJ", "bank-1"))]
        for decision in Decision:
            for org in ("SFJ", "bank-1"):
                await store.evidence.record(
                    event(
                        [who, subjects[0]], decision=decision, actor_org=org, actor_user=OFFICERS[next(number) % 2],
                        case_no=CASES[next(number) % 2], reference=OTHER[0], grant_id=OTHER[1], client_id=OTHER[2],
                        consent_id=OTHER[3], inputs=f'{{"case":"{CASES[0]}"}}',
                    )
                )  # fmt: skip
        await alerts.raise_alert(
            Alert("A11_INSIDER", "S1", "OFFICER", OFFICERS[1], "SFJ", who, detail={"case": CASES[0]})
        )
        async with store.database.write() as connection:
            for kind, by in (("CONSENT_GIVEN", "person"), ("CASE_CHANGED", OFFICERS[0])):
                change = Change(kind, OTHER[3], "bank-1", by, who, {"case": CASES[1]})
                await record_change(connection, AT, change)
    every = [*(kind for kinds in SHOWN.values() for kind in kinds), *LATER]
    async with store.database.write() as connection:
        for kind in every:
            change = Change(kind, CASES[1], "SFJ", OFFICERS[1], subjects[1], {"case": CASES[0], "to": OTHER[0]})
            await record_change(connection, AT, change)
            await record_change(connection, AT, Change(kind, OTHER[1], "", OFFICERS[0], detail={"client": OTHER[2]}))
    await ErasePerson(store.erasures, clock)(subjects[2], reason="file-7", org="SFJ", user=OFFICERS[0])
    return secrets


async def _published(store: Store, clock: HandClock, folder: Path) -> int:
    shard = await store.log.open(NAME, "2026")
    assert await store.log.lead()
    await store.log.announce(NAME, "2027")
    clock.forward(3600)  # alerts are due
    while await store.log.sequence(1000):
        pass
    tree = await store.log.tree()
    note = sign_note(Checkpoint(tree.origin, tree.size, tree.root).text, await store.log.signers())
    await store.log.keep_checkpoint(tree, note)
    await store.log.publish(shard.shard, tree.size)
    await _witnessed(store, note, folder / "witness")
    size = await Export(store.ledger, folder / "mirror")(shard)
    assert size == tree.size
    return tree.size


async def _witnessed(store: Store, note: Note, folder: Path) -> None:
    """What a witness keeps on its own disk, and what we keep of it when it does wrong."""
    (signer,) = await store.log.signers()
    witness = Signer("ga.example/w", COSIGNATURE, bytes(range(32)))
    create_directory(folder, witness.key)
    states = FileStates(folder, witness.key)
    core = Witness(witness, {signer.name: [signer.key]}, states, now=lambda: 1_800_000_000)
    sent = write_request(0, (), note)
    line = core.add_checkpoint(sent).decode()
    size = int(note.text.split("\n")[1])
    states.keep_split(states.last(signer.name), sign_note(Checkpoint(signer.name, size, bytes(32)).text, [signer]))
    states.close()
    await store.log.keep_cosignatures("2026", size, {"GA": line}, sealed=True)
    documents = {"sent": sent.decode(), "received": f"200 text/plain\n\n{line}"}
    await store.log.keep_exhibit(Exhibit("2026", "WITNESS_GARBAGE", "GA", documents))


async def _receipts(store: Store) -> bytes:
    receipts, said = Receipts(store.ledger), []
    async with store.database.read() as connection:
        ids = list(await connection.scalars(sa.select(metadata.tables["ledger_entry"].c.id)))
    for one in ids[:: max(1, len(ids) // 12)]:
        standing = await receipts(one)
        assert standing is not None
        proof = await receipts.proof(standing)
        said += [json.dumps(receipt(standing), ensure_ascii=False).encode(), bytes(proof) if proof else b""]
    return b"\0".join(said)


def _found(secrets: list[str], everything: bytes) -> list[str]:
    return [text for text in secrets if any(one in everything for one in spellings(text))]


async def _tables(store: Store, *names: str) -> bytes:
    async with store.database.read() as connection:
        rows = [row for name in names for row in await connection.execute(sa.select(metadata.tables[name]))]
    return b"\0".join(
        bytes(value) if isinstance(value, (bytes, memoryview)) else str(value).encode() for row in rows for value in row
    )


async def test_no_byte_of_the_ledger_holds_anybody(store: Store, clock: HandClock, tmp_path: Path) -> None:
    secrets = await _busy(store, clock)
    names = sorted(name for name in metadata.tables if name.startswith("ledger_"))
    assert (await _tables(store, "ledger_outbox")).count(b'"kind"') >= 24
    assert {"ledger_outbox", "ledger_entry", "ledger_tile", "ledger_checkpoint"} <= set(names)
    waiting = await _tables(store, "ledger_outbox")
    size = await _published(store, clock, tmp_path)

    async def everything() -> bytes:
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        parts = [waiting, await _tables(store, *names), await _receipts(store)]
        return b"\0".join(parts + [path.read_bytes() for path in files])

    looked_at = await everything()
    assert size >= 100
    assert looked_at.count(b'"kind":"query"') >= 2 * 6  # the search looks where entries are
    async with store.database.read() as connection:
        entries = list(await connection.scalars(sa.select(metadata.tables["ledger_entry"].c.entry)))
    assert {parse_entry(bytes(entry)).kind for entry in entries} == KINDS  # as busy as it gets
    assert {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*")} == {"mirror", "witness"}
    assert _found(secrets, looked_at) == []
    for place, secret in zip(("mirror/planted", "witness/planted"), PEOPLE, strict=False):
        (tmp_path / place).write_bytes(b"..." + hashlib.sha256(secret.encode()).digest() + b"...")
    await store.log.keep_exhibit(Exhibit("2026", "WITNESS_GARBAGE", "JY", {"received": f"hello {OFFICERS[0]}"}))
    assert set(_found(secrets, await everything())) == {*list(PEOPLE)[:2], OFFICERS[0]}


async def test_the_search_would_find_them() -> None:
    """Else the test above says nothing."""
    haystack = b"..." + base64.b64encode(hashlib.sha256(OFFICERS[0].encode()).digest()) + b"..." + CASES[0].encode()
    assert any(one in haystack for one in spellings(OFFICERS[0]))
    assert any(one in haystack for one in spellings(CASES[0]))
    assert not any(one in haystack for one in spellings(OFFICERS[1]))
