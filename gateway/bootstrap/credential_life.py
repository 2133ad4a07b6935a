"""What was issued is followed while the gateway runs: looked at again, ended, offered anew. In every process side by side."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import structlog

from credentials.credential_type import CredentialType
from gateway.bootstrap.credential_offers import OfferRoom
from gateway.caller import Caller, CallerKind
from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.policy.decision import Purpose
from gateway.policy.facts import Facts, Seal
from gateway.services.credentials.end_credentials import EndCredentials
from gateway.services.credentials.follow_the_fact import Disputes, FollowTheFact, Pace, SealedPersons
from gateway.services.credentials.ports import FetchFacts
from gateway.services.credentials.renew_credential import JOB, RenewCredential
from gateway.services.disputes.ports import DisputeState
from gateway.services.run_jobs import Handler
from gateway.settings import Settings
from gateway.store import Store

_log = structlog.get_logger(__name__)
SWEEP_S = 5.0
"""How late a look may begin, at most, after something was known."""
AFTER_DISCHARGE = frozenset({"DISCHARGED", "AFTERCARE"})


@dataclass(frozen=True, slots=True)
class LifeRoom:
    follow: FollowTheFact
    end: EndCredentials
    handlers: Mapping[str, Handler]


def life_room(
    settings: Settings,
    store: Store,
    offers: OfferRoom,
    facts: FetchFacts,
    known: Facts,
    types: Mapping[str, CredentialType],
    clock: Clock,
) -> LifeRoom:
    renew = RenewCredential(offers.issued, offers.offer, offers.offers, store.phones, store.jobs, clock)
    follow = FollowTheFact(
        offers.issued,
        facts,
        offers.digest,
        types,
        renew,
        clock,
        Pace(timedelta(seconds=settings.credentials.recheck_s)),
        sealed_persons(known, clock),
        disputed_facts(store),
        staying(types),
    )
    return LifeRoom(follow, EndCredentials(offers.issued), {JOB: renew.handle})


def staying(types: Mapping[str, CredentialType]) -> frozenset[str]:
    """The types nobody but the discharged may hold: they go on when the case has ended."""
    return frozenset(one.id for one in types.values() if one.holders and one.holders <= AFTER_DISCHARGE)


def sealed_persons(known: Facts, clock: Clock) -> SealedPersons:
    async def sealed(subject_id: str) -> bool:
        nobody = Caller("", "", "", frozenset(), "", clock.now(), kind=CallerKind.PARTNER)
        (facts,) = await known.of(nobody, Purpose(""), [subject_id])
        return facts.seal is not Seal.NONE

    return sealed


def disputed_facts(store: Store) -> Disputes:
    async def disputed(subject_id: str, facts: Mapping[str, Collection[str]]) -> bool:
        mine = await store.disputes.of_person(subject_id)
        return any(one.state is DisputeState.OPEN and one.field in facts.get(one.noun, ()) for one in mine)

    return disputed


@asynccontextmanager
async def following(follow: FollowTheFact, sweep_s: float = SWEEP_S) -> AsyncIterator[None]:
    stopping = asyncio.Event()

    async def sweep() -> None:
        while not stopping.is_set():
            try:
                counts = await follow.sweep(lambda: not stopping.is_set())
                if counts:
                    _log.info("credentials_followed", **{name.value.lower(): n for name, n in counts.items()})
            except GatewayError as error:  # the store is away; the next look finds the same
                _log.warning("credentials_not_followed", reason=type(error).__name__)
            except Exception as error:  # a fault of ours must not be the end of all revoking
                _log.error("credentials_not_followed", reason=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), sweep_s)

    sweeping = asyncio.create_task(sweep(), name="credentials")
    try:
        yield
    finally:
        stopping.set()  # a handful that was begun is looked at to its end: never cut off in the middle of a statement
        await sweeping
