"""Limits of clients and floods of refusals, put together; and `yimen limits` for who looks after them."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson

from gateway.bootstrap.database import opened_store
from gateway.clock import Clock, SystemClock
from gateway.errors import GatewayError
from gateway.services.client_limits import Allowance
from gateway.services.flood_evidence import FloodEvidence
from gateway.services.identities import OPERATOR, OPERATOR_ORG
from gateway.services.partner_limits import PartnerLimits
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.alerts import StoredAlerts
from gateway.store.floods import StoredFloods
from gateway.store.limits import StoredMeters
from gateway.store.suspensions import StoredSuspensions

_FLUSH_S = 30.0
_SWEEPS = 120  # flushes between two sweeps


def allowance_of(settings: Settings) -> Allowance:
    return Allowance(
        settings.client_requests_per_minute, settings.client_cost_per_minute, settings.client_subjects_per_day
    )


def client_limits(store: Store, settings: Settings, clock: Clock) -> PartnerLimits:
    allowance = allowance_of(settings)
    return PartnerLimits(
        StoredMeters(store.database, store.keys, clock, allowance),
        store.clients,
        store.revocations,
        StoredAlerts(store.database, clock),
        store.consents,
        allowance=allowance,
    )


@asynccontextmanager
async def flood_evidence(store: Store, clock: Clock) -> AsyncIterator[FloodEvidence]:
    """The store's evidence, with floods of equal refusals counted; what is over is recorded while the block runs, and
    what is left stands in the database for the next process."""
    kept = FloodEvidence(store.evidence, StoredFloods(store.database, clock), clock)
    working = asyncio.create_task(_keep(kept, StoredSuspensions(store.database, clock)), name="floods")
    try:
        yield kept
    finally:
        working.cancel()
        await asyncio.wait({working})
        with contextlib.suppress(GatewayError):
            await kept.flush()


async def _keep(kept: FloodEvidence, suspensions: StoredSuspensions) -> None:
    rounds = 0
    while True:
        with contextlib.suppress(GatewayError):  # the store is away; the next round does it
            await kept.flush()
            if rounds % _SWEEPS == 0:
                await suspensions.sweep()
            rounds += 1
        await asyncio.sleep(_FLUSH_S)


async def list_suspensions(settings: Settings) -> int:
    """The command: suspended clients, newest first."""
    async with _suspensions(settings) as suspensions:
        found = await suspensions.all()
        if not found:
            print("没有客户端被暂停 / no client was suspended", file=sys.stderr)
        for one in found:
            state = "" if one.lifted_at is None else f" (已解除 lifted {one.lifted_at:%Y-%m-%d %H:%M}Z)"
            print(f"{one.at:%Y-%m-%d %H:%M}Z {one.client_id} {one.org_id} {one.rule}{state}")
    return 0


async def print_pack(settings: Settings, client_id: str) -> int:
    """The command: the evidence packs of a client's suspensions, as JSON."""
    async with _suspensions(settings) as suspensions:
        packs = [one.pack for one in await suspensions.all(client_id)]
    print(orjson.dumps(packs, option=orjson.OPT_INDENT_2).decode())
    return 0 if packs else 1


async def lift_suspension(settings: Settings, client_id: str) -> int:
    """The command: the client may ask again, with new tokens."""
    async with opened_store(settings) as store:
        suspensions = StoredSuspensions(store.database, SystemClock())
        lifted = await suspensions.lift(client_id, actor_org=OPERATOR_ORG, actor_user=OPERATOR)
        if lifted:
            await store.clients.enable(client_id, actor_org=OPERATOR_ORG, actor_user=OPERATOR)
    print("已解除 lifted" if lifted else "没有暂停 not suspended")
    return 0 if lifted else 1


async def set_figures(settings: Settings, client_id: str, figures: dict[str, int | None]) -> int:
    """The command: the client's own figures."""
    async with _suspensions(settings) as suspensions:
        await suspensions.set_figures(client_id, figures, actor_org=OPERATOR_ORG, actor_user=OPERATOR)
    return 0


@asynccontextmanager
async def _suspensions(settings: Settings) -> AsyncIterator[StoredSuspensions]:
    async with opened_store(settings) as store:
        yield StoredSuspensions(store.database, SystemClock())
