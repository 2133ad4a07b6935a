"""What recording a question costs says nothing about the person: sealed, known, unknown or erased, the work is the same."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.caller import Decision
from gateway.store import Store
from gateway.store.recording import outbox
from gateway.store.subject_keys import ring, tree
from gateway.store.tables import access_event
from tests.gateway.store.events import event

pytestmark = pytest.mark.anyio
ZHANG, NOBODY, GONE = "440606199003070017", "440606198807213328", "440604199001010018"


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Hashes and ciphers as they are used."""
    done: Counter[str] = Counter()

    class Hashes:
        @staticmethod
        def sha256(data: bytes) -> Any:
            done["hash", len(data)] += 1
            return hashlib.sha256(data)

    def cipher(key: bytes) -> AESGCM:
        done["cipher"] += 1
        return AESGCM(key)

    def commit(salt: bytes, record: bytes) -> bytes:
        done["commit"] += 1
        return real_commit(salt, record)

    real_commit = outbox.commit
    monkeypatch.setattr(tree, "hashlib", Hashes)
    monkeypatch.setattr(ring, "AESGCM", cipher)
    monkeypatch.setattr(outbox, "commit", commit)
    return done


async def test_a_refusal_about_anybody_is_the_same_work(store: Store, work: Counter[str]) -> None:
    (known,) = await store.subjects.intern([ZHANG])
    await store.subjects.remember(known, ZHANG, "张三")
    (erased,) = await store.subjects.intern([GONE])
    (unknown,) = await store.subjects.recognise([NOBODY], reader="org-1")
    statements: list[str] = []
    sa.event.listen(store.database.engine.sync_engine, "before_cursor_execute", lambda *of: statements.append(of[2]))
    found = []
    for round_ in ("org-1", "org-2", "org-1"):  # cold, cold for another body though somebody asked before, warm
        for who in (known, unknown):
            work.clear()
            statements.clear()
            receipt = await store.evidence.record(event([who], actor_org=round_, decision=Decision.DENY))
            spent, said = dict(work), list(statements)
            async with store.database.read() as connection:
                query = sa.select(access_event.c.seed_ct).where(access_event.c.id == receipt.id)
                sealed = bytes(await connection.scalar(query))
            found.append((round_, spent, said, len(sealed)))
    assert found[0] == found[1]
    assert found[2] == found[3]
    assert found[4] == found[5]
    assert found[0][1]["hash", 51] == tree.DEPTH == found[2][1]["hash", 51]
    assert ("hash", 51) not in found[4][1]
    await store.subject_keys.destroy(erased)
    costs = []
    for who in (erased, known):
        for _ in range(2):
            work.clear()
            await store.evidence.record(event([who], actor_org="org-1"))
            costs.append({name: times for name, times in work.items() if name[0] != "hash"})
    assert costs[0] == costs[2]
    assert costs[1] == costs[3]
