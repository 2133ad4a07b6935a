"""Another gateway's receipt is part of what our entry commits to: it can be neither changed nor taken out later."""

from __future__ import annotations

import hmac
from dataclasses import replace

import pytest
import sqlalchemy as sa

from adapters.onward import UpstreamReceipt
from gateway.store import Store
from gateway.store.recording.openings import Openings
from gateway.store.tables import access_event
from gateway.store.tables.ledger import ledger_outbox
from ledger.entry import canonical, commit, parse_entry
from tests.gateway.store.events import event

pytestmark = pytest.mark.anyio
KEPT = UpstreamReceipt(
    "B", "id", "2026-11-26T06:00:00+00:00", "leaf", "DURABLE", "https://b/ledger/receipts/id", ("r",), "v"
)
BAD = UpstreamReceipt("C", note="MALFORMED")


async def holds(store: Store, entry_id: str) -> bool:
    """Whether the record made anew from its row is the one its entry commits to."""
    opened = await Openings(store.database, store.database.ledger).open(entry_id)
    assert opened is not None
    async with store.database.read() as connection:
        entry = await connection.scalar(sa.select(ledger_outbox.c.entry).where(ledger_outbox.c.id == entry_id))
    assert entry is not None
    said = parse_entry(bytes(entry)).commitment
    return hmac.compare_digest(said, commit(opened.salt, canonical(opened.record)))


@pytest.mark.parametrize("subjects", [["s1"], []])
async def test_receipts_are_committed_to(store: Store, subjects: list[str]) -> None:
    entry_id = (await store.evidence.record(replace(event(subjects=subjects), upstream=(KEPT, BAD)))).id
    opened = await Openings(store.database, store.database.ledger).open(entry_id)
    assert opened is not None
    assert opened.record["upstream"] == [KEPT.told(), {"source": "C", "note": "MALFORMED"}]
    assert await holds(store, entry_id)
    for edited in ('[{"source":"B","id":"other"}]', "[]", None):
        async with store.database.write() as connection:
            await connection.execute(sa.update(access_event).values(upstream=edited))
        assert not await holds(store, entry_id)


async def test_where_no_gateway_was_asked_the_record_is_as_ever(store: Store) -> None:
    entry_id = (await store.evidence.record(event())).id
    opened = await Openings(store.database, store.database.ledger).open(entry_id)
    assert opened is not None
    assert "upstream" not in opened.record
    assert await holds(store, entry_id)
