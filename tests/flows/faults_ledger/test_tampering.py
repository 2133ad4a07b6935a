"""Whatever an administrator does to the database, key in hand: the gateway stops at its start, and an auditor who has five
keys and yesterday's state names the first bad entry."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.flows.faults_ledger.administrator import Administrator, Rows, another
from tests.flows.faults_ledger.scene import Scene, alarms, answers_nothing, store_of

pytestmark = pytest.mark.anyio
EDITED, NEW = 77, 310
"""An entry of yesterday and one of today."""
Do = Callable[[Administrator], Awaitable[None]]


def _edited(number: int) -> Callable[[Rows], Rows]:
    return lambda rows: [(id_, another(entry) if at == number else entry) for at, (id_, entry) in enumerate(rows)]


def _without(number: int) -> Callable[[Rows], Rows]:
    return lambda rows: rows[:number] + rows[number + 1 :]


def _swapped(one: int, other: int) -> Callable[[Rows], Rows]:
    def change(rows: Rows) -> Rows:
        rows[one], rows[other] = rows[other], rows[one]
        return rows

    return change


def _larger(rows: Rows) -> Rows:
    more = [(f"ffffffff-0000-7000-8000-{number:012x}", another(rows[number][1])) for number in range(40)]
    return _edited(EDITED)(rows) + more


DAMAGED = "STORE_DAMAGED"
CASES: dict[str, tuple[Do, str, str, tuple[str, int | None]]] = {
    "edited": (lambda one: one.edit(EDITED), DAMAGED, f"EDITED_ENTRY SHARD {EDITED} ", ("EDITED_ENTRY", EDITED)),
    "edited, its hash too": (
        lambda one: one.edit(EDITED, hash_too=True), DAMAGED, "REWRITTEN_ENTRIES SHARD ", ("EDITED_ENTRY", EDITED),
    ),
    "edited today": (lambda one: one.edit(NEW), DAMAGED, f"EDITED_ENTRY SHARD {NEW} ", ("EDITED_ENTRY", NEW)),
    "deleted": (lambda one: one.delete(EDITED), DAMAGED, f"MISSING_ENTRY SHARD {EDITED} ", ("LOST_ENTRIES", EDITED)),
    "swapped": (
        lambda one: one.swap(EDITED, EDITED + 5), DAMAGED, f"REORDERED_ENTRIES SHARD {EDITED} ", ("EDITED_ENTRY", EDITED),
    ),
    "swapped tile": (lambda one: one.swap_tile(), DAMAGED, "SWAPPED_TILE SHARD 0 tile/1/000", ("SWAPPED_TILE", 0)),
    "rewritten and signed": (
        lambda one: one.rewrite(_edited(EDITED)), "TREE_DIFFERS", "", ("REWRITTEN_HISTORY", EDITED),
    ),
    "rewritten, larger": (lambda one: one.rewrite(_larger), "TREE_DIFFERS", "", ("REWRITTEN_HISTORY", EDITED)),
    "rewritten without one": (
        lambda one: one.rewrite(_without(EDITED)), "WITNESS_AHEAD", "", ("REWRITTEN_HISTORY", EDITED),
    ),
    "rewritten, two swapped": (
        lambda one: one.rewrite(_swapped(EDITED, EDITED + 5)), "TREE_DIFFERS", "", ("REWRITTEN_HISTORY", EDITED),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", CASES)
async def test_what_was_done_to_the_log_is_named_at_its_entry(scene: Scene, tmp_path: Path, what: str) -> None:
    do, reason, found, (fault, first) = CASES[what]
    copy, auditor = scene.copy(tmp_path), scene.auditor.another(f"auditor {what}")
    async with store_of(copy) as store:
        await do(Administrator(store, scene.shard))
    async with copy.house() as house:
        assert house.gateway.ledger.status.halted == reason
        await answers_nothing(house)
        ((_, _, exhibit), *_) = await house.gateway.store.ledger.exhibits(10)
        assert exhibit.kind == reason
        found = found.replace("SHARD", scene.shard)
        assert found in exhibit.documents.get("found", ""), exhibit.documents
        for alerts in (await alarms(house)).values():
            (alert,) = alerts
            assert (alert["severity"], alert["about"], alert["detail"]["kind"]) == ("S1", "SYSTEM", reason)
        async with house.session.get(f"{house.url}/ledger/witnesses") as reply:
            assert f"<code>{reason}</code>" in await reply.text()
        said = await auditor.audit(scene.url(house))
    assert said.code == 1
    assert (fault, first) in said.faults, said.report
    assert said.exhibit()["findings"]
    if first is not None:
        assert f"第 {first} 条" in said.words or f"第 {first}" in said.words, said.words
        assert f"entry {first}" in said.words or f"{first}" in said.words
