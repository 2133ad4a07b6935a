"""Short transactions of statements known beforehand: all of them or none, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from gateway.store import Store
from gateway.store.at_once import AtOnce
from gateway.store.errors import StoreUnavailable

pytestmark = pytest.mark.anyio
_ADD = sa.text("INSERT INTO ledger_outbox (id, due_at_us, entry) VALUES (:id, 0, :entry)")
_COUNT = sa.text("SELECT count(*) FROM ledger_outbox")


@pytest.fixture
async def at_once(store: Store) -> AsyncIterator[AtOnce]:
    made = AtOnce(store.database)
    yield made
    await made.close()


def _row(id_: str) -> dict[str, object]:
    return {"id": id_, "entry": b"\0\xff"}


async def test_rows_come_back_statement_by_statement(at_once: AtOnce) -> None:
    before, added, after = await at_once((_COUNT, {}), (_ADD, _row("a")), (_COUNT, {}))
    assert (before[0][0], list(added), after[0][0]) == (0, [], 1)


async def test_a_statement_that_fails_takes_the_others_with_it_and_the_next_goes_on(at_once: AtOnce) -> None:
    with pytest.raises(StoreUnavailable):
        await at_once((_ADD, _row("a")), (_ADD, _row("a")))
    assert (await at_once((_COUNT, {})))[0][0][0] == 0


async def test_what_is_raised_before_the_commit_undoes_everything(at_once: AtOnce) -> None:
    def refuse() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await at_once((_ADD, _row("a")), before_commit=refuse)
    assert (await at_once((_ADD, _row("a")), (_COUNT, {})))[1][0][0] == 1
