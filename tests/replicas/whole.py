"""What must be true of the log after whatever was done to the replicas."""

from __future__ import annotations

from gateway.store import Store
from tests.flows.faults_ledger.scene import covered
from tests.flows.faults_ledger.test_killed import one_history
from tests.flows.sealed_house import Five
from tests.gateway.bootstrap.test_ledger_serving import sound
from tests.replicas.replicas import Load


async def whole(store: Store, load: Load, witnesses: Five) -> None:
    """The log is one, sealed, with everything in it that was answered. Closes `store`."""
    try:
        await covered(store)
        assert await load.lost_or_doubled(store) == set()
        assert await store.ledger.exhibits(10) == []
        await sound(store)
    finally:
        await store.close()
    one_history(witnesses)
