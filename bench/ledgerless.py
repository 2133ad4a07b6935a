"""`python -m bench.ledgerless serve`: yimen without its ledger, for the one figure that needs it: what the ledger costs.

Access events are written as ever, durable before release; but no seed, record or entry is made of them, nothing waits in
the outbox, nobody sequences, signs or witnesses. Only the bench can put such a gateway together: there is no setting for it.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from demo.processes import die_with_parent
from gateway.bootstrap import composition
from gateway.bootstrap.ledger import KeptLedger, seals_of
from gateway.clock import Clock
from gateway.services.ledger.status import LedgerStatus
from gateway.settings import Settings
from gateway.store import Store, sqlite_journal
from gateway.store.evidence import Asked, EventRow
from gateway.store.recording.outbox import Outbox, Waiting
from gateway.store.sqlite_journal import SqliteJournal


def _access(_: Outbox, columns: Sequence[Any], subjects: Sequence[str]) -> tuple[None, Waiting]:
    """Instead of `Outbox.access`."""
    return None, Waiting(columns[0], 0, b"")


def _record(journal: SqliteJournal, rows: Sequence[EventRow], asked: Sequence[Asked]) -> list[str]:
    """Instead of `SqliteJournal._record`: the same without asking whether it is halted; what stands for the outbox is empty."""
    connection = journal._thread.connection()
    said: list[str] = []
    if asked:
        said = sqlite_journal._let_in(connection, asked)
        rows = sqlite_journal._of_these(rows, asked, said)
    connection.executemany(sqlite_journal._PENDING, [sqlite_journal._pending(row) for row in rows])
    return said


@asynccontextmanager
async def no_ledger(settings: Settings, store: Store, _: object, clock: Clock) -> AsyncIterator[KeptLedger]:
    """Instead of `gateway.bootstrap.ledger.keeping`: nothing is kept, and nobody looks for persons who were erased."""
    if (looking := store.subject_keys._looking) is not None:
        looking.cancel()
    yield KeptLedger(LedgerStatus(), seals_of(settings, store, None, clock), None)


def main() -> int:
    die_with_parent()
    from gateway.cli import main as yimen

    instead: Sequence[tuple[Any, str, Any]] = (
        (Outbox, "access", _access),
        (SqliteJournal, "_record", _record),
        (composition, "keeping", no_ledger),
    )
    for where, name, other in instead:
        assert hasattr(where, name), name  # else the ledger would be measured as if it were none
        setattr(where, name, other)
    sys.argv[0] = "yimen"
    return int(yimen() or 0)


if __name__ == "__main__":
    raise SystemExit(main())
