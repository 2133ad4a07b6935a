"""People are random ids: once, for ever, in every replica; their numbers and names are nowhere in clear."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings import Settings
from gateway.store import CiphertextInvalid, Store, StoreRefused, SubjectUnknown, open_store
from gateway.store.tables import metadata, subject
from tests.gateway.store.conftest import HandClock, OpenStore, with_other_key
from tests.gateway.store.events import event

ZHANG = "440606199003070017"
OTHER_ZHANG = "440606199003070033"
LI = "44060419910518002X"


def numbers(count: int) -> list[str]:
    return [f"440604{number:012d}" for number in range(count)]


@pytest.mark.anyio
async def test_a_number_is_one_subject_and_keeps_its_place(store: Store) -> None:
    first, second, again = await store.subjects.intern([ZHANG, OTHER_ZHANG, ZHANG])
    assert first == again != second
    assert await store.subjects.intern([OTHER_ZHANG, LI, ZHANG]) == [
        second,
        *(await store.subjects.intern([LI])),
        first,
    ]
    assert len(bytes.fromhex(first)) == 16
    assert await store.subjects.intern([]) == []


@pytest.mark.anyio
async def test_a_number_is_the_same_subject_after_a_restart(store: Store, open_replica: OpenStore) -> None:
    before = await store.subjects.intern([ZHANG, LI])
    later = await open_replica()
    assert await later.subjects.intern([LI, ZHANG]) == before[::-1]
    assert later.subjects.pid(before[0], "org-1") == store.subjects.pid(before[0], "org-1")


@pytest.mark.anyio
async def test_replicas_that_meet_the_same_people_at_once_agree(store: Store, open_replica: OpenStore) -> None:
    other = await open_replica()
    people = numbers(700)  # more than one statement's worth
    shuffled = random.sample(people, len(people))
    answers = await asyncio.gather(
        *(replica.subjects.intern(asked) for asked in (people, shuffled) for replica in (store, other, store))
    )
    expected = dict(zip(people, answers[0], strict=True))
    assert len(set(expected.values())) == len(people)
    for asked, answer in zip([people] * 3 + [shuffled] * 3, answers, strict=True):
        assert answer == [expected[number] for number in asked]
    async with store.database.read() as connection:
        assert await connection.scalar(sa.select(sa.func.count()).select_from(subject)) == len(people)


@pytest.mark.anyio
async def test_people_are_made_in_one_order_everywhere_so_that_replicas_cannot_wait_for_each_other(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, chunks = store.subjects._find_or_make, []

    async def spy(asked: Sequence[bytes]) -> dict[bytes, str]:
        chunks.append(list(asked))
        return await real(asked)

    monkeypatch.setattr(store.subjects, "_find_or_make", spy)
    await store.subjects.intern(numbers(600))
    asked = [key for chunk in chunks for key in chunk]
    assert len(asked) == 600
    assert asked == sorted(asked)


@pytest.mark.anyio
async def test_only_a_few_people_are_kept_in_memory(store: Store) -> None:
    small = type(store.subjects)(store.database, store.keys, store.subject_keys.ring, HandClock(), remembered=10)
    asked = numbers(25)
    assert await small.intern(asked) == await store.subjects.intern(asked)
    assert len(small._found) == 10


@pytest.mark.anyio
@pytest.mark.parametrize(
    "wrong", ["", "440606650101001", "44060419910518002x", " 440606199003070017", "４40606199003070017"]
)
async def test_a_number_that_is_not_normalised_is_refused_and_not_repeated(store: Store, wrong: str) -> None:
    with pytest.raises(ValueError, match="normalised") as caught:
        await store.subjects.intern([ZHANG, wrong])
    assert not wrong or wrong.strip() not in str(caught.value)


@pytest.mark.anyio
async def test_each_organisation_sees_another_pseudonym(store: Store) -> None:
    zhang, li = await store.subjects.intern([ZHANG, LI])
    pids = {store.subjects.pid(who, org) for who in (zhang, li) for org in ("org-1", "org-2")}
    assert len(pids) == 4
    assert all(len(pid) == 26 and pid.islower() and pid.isalnum() for pid in pids)
    assert store.subjects.pid(zhang, "org-1") in pids
    assert store.subjects.pid("ab", "c") != store.subjects.pid("a", "bc")


@pytest.mark.anyio
async def test_what_is_remembered_is_revealed(store: Store, open_replica: OpenStore) -> None:
    (zhang,) = await store.subjects.intern([ZHANG])
    assert await store.subjects.reveal(zhang) is None
    await store.subjects.remember(zhang, ZHANG, "买买提·艾力䶮")
    for replica in (store, await open_replica()):
        revealed = await replica.subjects.reveal(zhang)
        assert revealed is not None
        assert (revealed.id_no, revealed.name) == (ZHANG, "买买提·艾力䶮")
        assert ZHANG not in repr(revealed)
        assert "艾力" not in repr(revealed)


@pytest.mark.anyio
async def test_a_number_is_never_written_onto_another_subject(store: Store) -> None:
    zhang, _ = await store.subjects.intern([ZHANG, LI])
    for subject_id, number in ((zhang, LI), ("nobody", ZHANG)):
        with pytest.raises(SubjectUnknown):
            await store.subjects.remember(subject_id, number, "李梅")
    with pytest.raises(SubjectUnknown):
        await store.subjects.reveal("nobody")


@pytest.mark.anyio
async def test_a_ciphertext_moved_or_altered_does_not_open(store: Store) -> None:
    zhang, li = await store.subjects.intern([ZHANG, LI])
    await store.subjects.remember(zhang, ZHANG, "张三")
    await store.subjects.remember(li, LI, "李梅")
    async with store.database.read() as connection:
        rows = {row.subject_id: row for row in await connection.execute(sa.select(subject))}
    altered = bytes(rows[li].name_ct[:-1]) + bytes([rows[li].name_ct[-1] ^ 1])
    attacks = (
        {"name_ct": rows[zhang].name_ct},  # another row's
        {"name_ct": rows[li].id_no_ct},  # another column's
        {"name_ct": altered},
        {"name_ct": b"short"},
        {"alg_id": "none"},
    )
    for attack in attacks:
        async with store.database.write() as connection:
            await connection.execute(sa.update(subject).where(subject.c.subject_id == li).values(**attack))
        with pytest.raises(CiphertextInvalid) as caught:
            await store.subjects.reveal(li)
        assert "李梅" not in str(caught.value)
        await store.subjects.remember(li, LI, "李梅")


@pytest.mark.anyio
async def test_after_a_rotation_old_values_open_and_new_ones_use_the_new_key(
    store: Store, open_replica: OpenStore
) -> None:
    other = await open_replica()
    zhang, li = await store.subjects.intern([ZHANG, LI])
    await store.subjects.remember(zhang, ZHANG, "张三")
    new_key = await store.keys.rotate()
    await store.subjects.remember(li, LI, "李梅")
    async with store.database.read() as connection:
        used = {row.subject_id: row.key_id for row in await connection.execute(sa.select(subject))}
    assert used[li] == new_key != used[zhang]
    for replica in (store, other):  # the other one was not told
        for who, name in ((zhang, "张三"), (li, "李梅")):
            revealed = await replica.subjects.reveal(who)
            assert revealed is not None
            assert revealed.name == name


@pytest.mark.anyio
async def test_a_wrong_master_key_is_refused_and_a_changed_one_keeps_everything(
    settings: Settings, clock: HandClock, store: Store
) -> None:
    (zhang,) = await store.subjects.intern([ZHANG])
    await store.subjects.remember(zhang, ZHANG, "张三")
    with pytest.raises(StoreRefused, match="master key"):
        await open_store(with_other_key(settings), clock)
    changed = with_other_key(settings, previous=settings.master_key)
    for again in (changed, with_other_key(settings)):
        if again is not changed:
            again = replace(settings, master_key=changed.master_key, demo=False)
        later = await open_store(again, clock)
        assert await later.subjects.intern([ZHANG]) == [zhang]
        revealed = await later.subjects.reveal(zhang)
        await later.close()
        assert revealed is not None
        assert revealed.name == "张三"
    with pytest.raises(StoreRefused):  # the old one no longer opens it
        await open_store(settings, clock)


@pytest.mark.anyio
async def test_no_column_and_no_byte_on_disk_holds_a_number_or_a_name(settings: Settings, clock: HandClock) -> None:
    store = await open_store(settings, clock)
    people = {ZHANG: "张三丰收", LI: "李梅花开"}
    ids = await store.subjects.intern(list(people))
    for subject_id, (number, name) in zip(ids, people.items(), strict=True):
        await store.subjects.remember(subject_id, number, name)
    await store.evidence.record(event(ids))
    await store.jobs.enqueue("recheck", {"subject": ids[0]}, run_at=clock.now())
    async with store.database.read() as connection:
        stored = [
            value if isinstance(value, bytes) else str(value).encode()
            for table in metadata.sorted_tables
            for row in await connection.execute(sa.select(table))
            for value in row
        ]
    await store.close()
    if settings.sqlite:
        path = Path(settings.database_url.removeprefix("sqlite:///"))
        stored += [file.read_bytes() for file in path.parent.glob(path.name + "*")]
    else:
        stored += _raw_heap(settings)
    everything = b"\n".join(stored)
    assert ids[0].encode() in everything  # the search finds what is there
    for needle in _forms(*people.keys(), *people.values()):
        assert needle not in everything


def _raw_heap(settings: Settings) -> list[bytes]:
    with psycopg.connect(settings.database_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        names = [table.name for table in metadata.sorted_tables]
        return [
            connection.execute("SELECT pg_read_binary_file(pg_relation_filepath(%s))", (name,)).fetchone()[0]  # type: ignore[index]
            for name in names
        ]


def _forms(*secrets: str) -> set[bytes]:
    """In clear, encoded, and hashed without a key."""
    forms: set[bytes] = set()
    for secret in secrets:
        for encoded in (secret.encode(), secret.encode("gb18030"), secret.encode("utf-16-le"), secret.encode()[::-1]):
            forms |= {encoded, encoded.hex().encode(), base64.b64encode(encoded)}
            for name in ("md5", "sha1", "sha256", "sha512", "sm3"):
                if name in hashlib.algorithms_available:
                    digest = hashlib.new(name, encoded).digest()
                    forms |= {digest, digest[:16], digest.hex().encode(), base64.b64encode(digest)}
    return forms


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_no_two_places_share_their_associated_data(a: str, b: str, c: str, d: str) -> None:
    from gateway.store.encryption import Place

    one, other = Place("t", a, b), Place("t", c, d)
    assert (one.associated_data() == other.associated_data()) == (one == other)


@pytest.mark.anyio
async def test_who_is_merely_asked_about_is_recognised_and_not_made(store: Store, open_replica: OpenStore) -> None:
    (known,) = await store.subjects.intern([ZHANG])
    statements: list[list[str]] = []
    for replica, who in ((store, ZHANG), (store, LI), (await open_replica(), ZHANG), (await open_replica(), LI)):
        seen: list[str] = []

        def note(_c: object, _cursor: object, statement: str, *_rest: object, seen: list[str] = seen) -> None:
            seen.append(statement)

        sa.event.listen(replica.database.engine.sync_engine, "before_cursor_execute", note)
        (found,) = await replica.subjects.recognise([who])
        sa.event.remove(replica.database.engine.sync_engine, "before_cursor_execute", note)
        statements.append(seen)
        assert (found == known) == (who == ZHANG)
    assert statements[0] == statements[1] == statements[2] == statements[3]
    assert len(statements[0]) == 1
    async with store.database.read() as connection:
        assert await connection.scalar(sa.select(sa.func.count()).select_from(subject)) == 1
    recognised = await store.subjects.recognise([LI, ZHANG, LI])
    assert await (await open_replica()).subjects.intern([LI, ZHANG, LI]) == recognised, "made later, they are the same"
    assert await store.subjects.recognise(numbers(600)) == await store.subjects.intern(numbers(600))
