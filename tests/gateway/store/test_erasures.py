"""Whoever is erased is gone from here and from every backup, and nobody else loses anything."""

from __future__ import annotations

import asyncio
import hmac
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.caller import Change
from gateway.services.erase_person import GONE, KIND, ErasePerson
from gateway.settings import Settings
from gateway.store import Store, open_store
from gateway.store.changes import record_change
from gateway.store.encryption import Place
from gateway.store.errors import SubjectErased, SubjectUnknown
from gateway.store.subject_keys.columns import is_personal
from gateway.store.tables import change_event, subject
from gateway.store.tables.consents import consent, person_device, person_session
from gateway.store.tables.identities import person_phone
from gateway.store.tables.ledger import ledger_outbox
from ledger.entry import canonical, commit, parse_entry
from tests.gateway.store.conftest import START, HandClock
from tests.gateway.store.events import AT, event

pytestmark = pytest.mark.anyio

ZHANG, LI = "440606199003070017", "440606198807213328"
PHONE = "13800138000"


@pytest.fixture
def apart(settings: Settings, tmp_path: Path) -> Settings:
    keys = f"sqlite:///{tmp_path}/keys/keys.db"
    return replace(settings, subject_keys_url=keys, subject_keys_mirror=tmp_path / "mirror")


async def a_person(store: Store, id_no: str = ZHANG, name: str = "张三丰收") -> str:
    (who,) = await store.subjects.intern([id_no])
    await store.subjects.remember(who, id_no, name)
    await store.phones.enrol(who, PHONE, by="officer-1", org="SFJ", at=START)
    seen = {"subject_id": who, "enrolment_id": "e", "expires_at_us": 2**60}
    async with store.database.write() as connection:
        await connection.execute(sa.insert(person_session).values(token_hash=who.encode(), method="device", **seen))
        await connection.execute(sa.insert(person_device).values(token_hash=who.encode(), **seen))
    return who


def erasing(store: Store, clock: HandClock) -> ErasePerson:
    return ErasePerson(store.erasures, clock)


async def erase(store: Store, clock: HandClock, who: str) -> dict[str, Any]:
    return dict(await erasing(store, clock)(who, reason="file-7", org="SFJ", user="operator"))


async def count(store: Store, table: sa.Table, *which: Any) -> int:
    async with store.database.read() as connection:
        return int(await connection.scalar(sa.select(sa.func.count()).select_from(table).where(*which)) or 0)


async def opens_as_committed(store: Store, record_id: str) -> bool:
    opened = await store.openings.open(record_id)
    if opened is None:
        return False
    async with store.database.read() as connection:
        entry = parse_entry(
            await connection.scalar(sa.select(ledger_outbox.c.entry).where(ledger_outbox.c.id == record_id))
        )
    return hmac.compare_digest(entry.commitment, commit(opened.salt, canonical(opened.record)))


async def test_the_person_is_gone_and_the_others_are_not(apart: Settings, clock: HandClock) -> None:
    store = await open_store(apart, clock)
    zhang, li = await a_person(store), await a_person(store, LI, "李梅花开")
    alone, both = await store.evidence.record(event([zhang])), await store.evidence.record(event([zhang, li]))
    certificate = await erase(store, clock, zhang)
    assert await store.openings.open(alone.id) is None
    opened = await store.openings.open(both.id)
    assert opened is not None
    shown = [part.value for name, part in opened.parts.items() if name.startswith("subjects/")]
    assert (shown, len(opened.record["subjects"])) == ([store.subjects.pid(li, opened.record["org"])], 2)
    assert await opens_as_committed(store, both.id)
    assert await store.subjects.reveal(zhang) is None
    assert await store.phones.phone_of(zhang) is None
    for table in (person_session, person_device, person_phone):
        assert await count(store, table, table.c.subject_id == zhang) == 0
        assert await count(store, table, table.c.subject_id == li) == 1
    revealed, phone = await store.subjects.reveal(li), await store.phones.phone_of(li)
    assert revealed is not None
    assert (revealed.name, phone is not None) == ("李梅花开", True)
    assert certificate["done"] is not None
    assert {one["what"]: one["rows"] for one in certificate["gone"]} == dict.fromkeys(GONE, 1) | {
        "links": 0, "consents": 0, "reasons": 0, "devices_bound": 0, "credentials": 0, "offers": 0, "wallets": 0,
        "disputes": 0,
    }  # fmt: skip
    said = json.dumps(certificate, ensure_ascii=False)
    assert not any(secret in said for secret in (zhang, ZHANG, PHONE, "张三", store.subjects.pid(zhang, "SFJ")))
    await store.close()


async def test_it_is_recorded_and_the_record_names_nobody(apart: Settings, clock: HandClock) -> None:
    store = await open_store(apart, clock)
    certificate = await erase(store, clock, await a_person(store))
    opened = await store.openings.open(certificate["entry"])
    assert opened is not None
    assert (opened.record["kind"], opened.record["subject"]) == (KIND, None)
    assert opened.parts["detail"].value == {"reason": "file-7"}
    assert await opens_as_committed(store, certificate["entry"])
    await store.close()


async def test_twice_is_once(apart: Settings, clock: HandClock) -> None:
    store = await open_store(apart, clock)
    who = await a_person(store)
    first = await erase(store, clock, who)
    clock.forward(60)
    again = await erase(store, clock, who)
    assert {name: first[name] for name in ("begun", "done", "entry")} == {
        name: again[name] for name in ("begun", "done", "entry")
    }
    assert await count(store, change_event, change_event.c.kind == KIND) == 1
    with pytest.raises(SubjectUnknown):
        await erase(store, clock, "0" * 32)
    await store.close()


async def test_nothing_is_kept_of_them_again(apart: Settings, clock: HandClock) -> None:
    store = await open_store(apart, clock)
    who = await a_person(store)
    await erase(store, clock, who)
    assert await store.subjects.intern([ZHANG]) == [who]
    for again in (
        store.subjects.remember(who, ZHANG, "张三"),
        store.phones.enrol(who, PHONE, by="officer-1", org="SFJ", at=START),
    ):
        with pytest.raises(SubjectErased):
            await again
    assert (await store.evidence.record(event([who]))).leaf_hash  # asked about they may be
    await store.close()


class Crash(Exception):
    """As if the process ended here."""


@pytest.mark.parametrize("step", ["destroy_key", "clear", "finish"])
@pytest.mark.parametrize("after", [False, True])
async def test_a_crash_at_any_step_is_finished_at_the_next_start(
    apart: Settings, clock: HandClock, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    store = await open_store(apart, clock)
    who = await a_person(store)
    receipt = await store.evidence.record(event([who]))
    real: Callable[..., Any] = getattr(store.erasures, step)

    async def crash(*given: Any) -> Any:
        if after:
            await real(*given)
        raise Crash

    monkeypatch.setattr(store.erasures, step, crash)
    with pytest.raises(Crash):
        await erase(store, clock, who)
    await store.close()
    store = await open_store(apart, clock)
    assert not await store.erasures.unfinished()
    assert await store.openings.open(receipt.id) is None
    assert await store.subjects.reveal(who) is None
    assert await count(store, person_phone) == 0
    assert await count(store, change_event, change_event.c.kind == KIND) == 1
    await store.close()


async def test_a_backup_of_the_database_cannot_open_them_either(
    settings: Settings, apart: Settings, clock: HandClock, tmp_path: Path
) -> None:
    if not settings.database_url.startswith("sqlite"):
        pytest.skip("a file is copied")
    store = await open_store(apart, clock)
    zhang, li = await a_person(store), await a_person(store, LI, "李梅花开")
    receipt = await store.evidence.record(event([zhang]))
    await store.close()
    backup = tmp_path / "backup.db"
    shutil.copy(apart.database_url.removeprefix("sqlite:///"), backup)
    store = await open_store(apart, clock)
    await erase(store, clock, zhang)
    await store.close()
    restored = await open_store(replace(apart, database_url=f"sqlite:///{backup}"), clock)
    assert await restored.openings.open(receipt.id) is None
    for opening in (restored.subjects.reveal(zhang), restored.phones.phone_of(zhang)):
        with pytest.raises(SubjectErased):
            await opening
    revealed = await restored.subjects.reveal(li)
    assert revealed is not None
    assert revealed.id_no == LI
    await restored.close()


async def test_what_was_sealed_before_there_were_persons_keys_opens_and_is_sealed_anew(store: Store) -> None:
    who = await a_person(store)
    async with store.database.read() as connection:
        phone_id = await connection.scalar(sa.select(person_phone.c.id))
    id_no, name, phone = await store.keys.seal(
        (Place("subject", "id_no_ct", who), ZHANG.encode()),
        (Place("subject", "name_ct", who), "张三".encode()),
        (Place("person_phone", "phone_ct", phone_id), PHONE.encode()),
    )
    key = {"key_id": phone.key_id, "alg_id": phone.alg_id}
    async with store.database.write() as connection:
        old = {"id_no_ct": id_no.ciphertext, "name_ct": name.ciphertext, **key}
        await connection.execute(sa.update(subject).values(old))
        await connection.execute(sa.update(person_phone).values(phone_ct=phone.ciphertext, **key))
    found = await store.phones.phone_of(who)
    assert found is not None
    assert found.phone == PHONE
    assert await store.subjects.reseal() == 1
    assert await store.subjects.reseal() == 0
    async with store.database.read() as connection:
        kept = [
            *await connection.scalars(sa.select(subject.c.alg_id)),
            *await connection.scalars(sa.select(person_phone.c.alg_id)),
        ]
    assert all(map(is_personal, kept))
    revealed, found = await store.subjects.reveal(who), await store.phones.phone_of(who)
    assert (revealed and revealed.name, found and found.phone) == ("张三", PHONE)


async def test_a_consent_in_force_ends_and_keeps_no_person(apart: Settings, clock: HandClock) -> None:
    store = await open_store(apart, clock)
    who = await a_person(store)
    row = {
        "consent_id": "c" * 32, "request_id": "r" * 32, "subject_id": who, "client_id": "bank", "org_id": "bank-1",
        "purpose": "LOAN", "items": "[]", "from_us": 0, "until_us": 2**60, "mode": "recurring", "max_per_day": 1,
        "reference": "loan", "terms_digest": b"", "asked_at_us": 0, "answer_by_us": 0,
    }  # fmt: skip
    given = (
        "INSERT INTO consent_event (consent_id, seq, state, at_us, done_by, method) "
        "VALUES (:id, 2, 'given', 0, 'principal', 'device')"
    )
    async with store.database.write() as connection:
        await connection.execute(sa.insert(consent).values(row))
        await connection.execute(sa.text(given), {"id": "c" * 32})
    await erase(store, clock, who)
    assert await count(store, consent, consent.c.subject_id.is_not(None)) == 0
    async with store.database.read() as connection:
        ended = await connection.scalar(sa.text("SELECT state FROM consent_event WHERE seq = 3"))
        revoked = await connection.scalar(sa.text("SELECT id FROM revocation WHERE kind = 'consent'"))
    assert (ended, revoked) == ("withdrawn", "c" * 32)
    await store.close()


async def test_a_pid_leads_to_its_person_with_its_body_only(store: Store) -> None:
    who = await a_person(store)
    pid = store.subjects.pid(who, "SFJ")
    assert await store.erasures.by_pid(pid, "SFJ") == who
    assert await store.erasures.by_pid(pid, "GA") is None


async def test_those_who_erase_one_person_at_once_erase_them_once(apart: Settings, clock: HandClock) -> None:
    here, there = await open_store(apart, clock), await open_store(apart, clock)
    who = await a_person(here)
    one, other = await asyncio.gather(erase(here, clock, who), erase(there, clock, who))
    assert one["entry"] == other["entry"]
    async with here.database.write() as connection:
        await record_change(connection, AT, Change("CASE_CHANGED", "c", "SFJ", "u", who))
    await here.close()
    await there.close()
