"""The ledger's keeper and its seals, put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial

import structlog

from adapters.egress import Egress
from adapters.errors import RuleInvalid
from gateway.bootstrap.witness_client import road_to
from gateway.clock import Clock
from gateway.errors import SettingsInvalid
from gateway.services.ledger.correspondent import Correspondent
from gateway.services.ledger.fsck import Fsck
from gateway.services.ledger.keeper import Keeper
from gateway.services.ledger.seals import LedgerSeals
from gateway.services.ledger.start_checks import StartChecks
from gateway.services.ledger.status import LedgerStatus
from gateway.services.ledger.walk import Walk
from gateway.services.ledger.witnessing import Witnessing
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.change_log import StoredChangeLog
from gateway.store.ledger.backlog import waiting
from gateway.store.ledger.fsck import StoredRows
from gateway.store.ledger.hurrying import Hurrying
from ledger.errors import LedgerError
from ledger.policy import NONE, Policy, parse_policy

_log = structlog.get_logger("yimen.ledger")
_PATIENCE_S = 60.0
_HEARTBEAT_S = 60.0
_ALONE_POLL_S = 1.0  # where nobody else appends, what is appended wakes us; alerts become due by themselves


@dataclass(frozen=True, slots=True)
class KeptLedger:
    """What the rest of a process asks of the ledger."""

    status: LedgerStatus
    seals: LedgerSeals
    policy: Policy | None

    async def whole(self) -> bool:
        """For readiness: False once it is halted."""
        return self.status.halted is None


def witness_policy(settings: Settings) -> Policy | None:
    """None where no witnesses are asked for. Raises SettingsInvalid."""
    file = settings.ledger_witness_policy
    if file is None:
        return None
    try:
        policy = parse_policy(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, LedgerError) as error:
        said = str(error) if isinstance(error, LedgerError) else type(error).__name__
        raise SettingsInvalid((f"ledger_witness_policy: {said}",)) from None
    nowhere = [f"ledger_witness_policy: {name}: no URL" for name, one in policy.witnesses.items() if one.url is None]
    if nowhere:
        raise SettingsInvalid(tuple(nowhere))
    return policy


def walk_of(settings: Settings, store: Store) -> Walk:
    """Over the logs and their witnesses. Raises SettingsInvalid as `witness_policy`."""
    file = settings.ledger_witness_policy
    text = "" if witness_policy(settings) is None or file is None else file.read_text("utf-8")
    return Walk(store.ledger, witnessing=text, base_url=settings.base_url)


def seals_of(
    settings: Settings,
    store: Store,
    policy: Policy | None,
    clock: Clock,
    waiting: Callable[[], AbstractContextManager[None]] = nullcontext,
    status: LedgerStatus | None = None,
) -> LedgerSeals:
    """For a gateway, and for a command that grants beside one."""
    hurrying = Hurrying(store.database, clock, wait_s=settings.ledger_seal_wait_s)

    async def hurry() -> None:
        if status is None or not status.leading:  # else `waiting` says it
            await hurrying()

    return LedgerSeals(
        store.ledger,
        StoredChangeLog(store.database, clock),
        policy,
        clock,
        wait_s=settings.ledger_seal_wait_s,
        window_s=settings.ledger_quorum_window_s,
        waiting=waiting,
        hurry=hurry,
    )


@asynccontextmanager
async def keeping(settings: Settings, store: Store, egress: Egress, clock: Clock) -> AsyncIterator[KeptLedger]:
    """The log was looked at when the block begins, and is kept while it runs; what was accepted is signed at its end.

    Raises SettingsInvalid, StoreUnavailable.
    """
    policy, status = witness_policy(settings), LedgerStatus()
    witnessing = None if policy is None else _witnessing(policy, settings, store, egress, clock, status)
    if policy is None or policy.quorum == NONE:
        _log.warning("ledger_unwitnessed")
    keeper = Keeper(
        store.log,
        store.ledger,
        clock,
        status,
        StartChecks(store.log, witnessing, Fsck(StoredRows(store.database), policy).tail_check()),
        store.ledger_news,
        name=settings.ledger_name,
        checkpoint_s=settings.ledger_checkpoint_s,
        announce_days=settings.ledger_announce_days,
        poll_s=_ALONE_POLL_S if settings.sqlite else settings.ledger_checkpoint_s,
        witnessing=witnessing,
        waiting=partial(waiting, store.database),
    )
    await keeper.start()
    working = asyncio.create_task(keeper(), name="ledger")
    hurry = nullcontext if witnessing is None else witnessing.waiting
    try:
        yield KeptLedger(status, seals_of(settings, store, policy, clock, hurry, status), policy)
    finally:
        keeper.stop()
        await working


def _witnessing(
    policy: Policy, settings: Settings, store: Store, egress: Egress, clock: Clock, status: LedgerStatus
) -> Witnessing:
    try:
        witnesses = [
            Correspondent(one, road_to(one, egress), store.log, store.ledger, clock, patience_s=_PATIENCE_S)
            for one in policy.witnesses.values()
        ]
    except (RuleInvalid, ValueError) as error:
        raise SettingsInvalid((f"ledger_witness_policy: {error}",)) from None
    return Witnessing(
        policy,
        witnesses,
        store.log,
        store.ledger,
        clock,
        status,
        every_s=settings.ledger_witness_s,
        heartbeat_s=min(_HEARTBEAT_S, settings.ledger_quorum_window_s / 4),
    )
