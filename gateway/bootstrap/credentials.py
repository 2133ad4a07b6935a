"""Everything about credentials, put together once for a process: each room adds its own lines here and nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from starlette.routing import BaseRoute

from adapters.egress_http import HttpEgress
from credentials.credential_type import SD_JWT, W3C, CredentialType, configuration_of
from gateway.bootstrap.credential_attesters import key_attesters
from gateway.bootstrap.credential_issuance import IssuingRoom, issuing_room
from gateway.bootstrap.credential_life import LifeRoom, following, life_room
from gateway.bootstrap.credential_offers import OfferRoom, offer_room
from gateway.bootstrap.credential_presenting import ShowingRoom, showing_room
from gateway.bootstrap.credential_status import key_room
from gateway.bootstrap.credential_types import TypeRoom, type_room
from gateway.bootstrap.credential_verifying import verifying_room
from gateway.bootstrap.limits import client_limits
from gateway.bootstrap.oauth_parts import OAuthParts
from gateway.caller import Evidence, Messages, Seals
from gateway.clock import Clock
from gateway.policy.facts import Facts
from gateway.services.credentials.facts_changed import FactsChanged
from gateway.services.credentials.officer_offers import OfficerOffers
from gateway.services.run_jobs import Handler
from gateway.services.run_query import RunQuery
from gateway.services.snapshots import Snapshots
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.credentials.errands import StoredErrands
from gateway.web.credential_metrics import CredentialMetrics
from gateway.web.facts_changed import facts_routes
from gateway.web.token_door import token_door
from gateway.web.wallet.routes import wallet_routes


@dataclass(frozen=True, slots=True)
class Ground:
    """What the rooms stand on, all of it open."""

    settings: Settings
    store: Store
    snapshots: Snapshots
    execute: RunQuery
    evidence: Evidence
    facts: Facts
    messages: Messages
    egress: HttpEgress
    seals: Seals
    oauth: OAuthParts
    clock: Clock


@dataclass(frozen=True, slots=True)
class CredentialHouse:
    """`routes` for the application, `handlers` for background jobs."""

    offers: OfferRoom
    types: Mapping[str, CredentialType]
    kinds: TypeRoom
    issuing: IssuingRoom
    life: LifeRoom
    showing: ShowingRoom
    figures: CredentialMetrics
    routes: Sequence[BaseRoute] = ()
    handlers: Mapping[str, Handler] = field(default_factory=dict)

    async def hasten(self, subject_id: str) -> None:
        """For whoever knows that a person's facts changed, or are doubted."""
        await self.offers.issued.hasten(subject_id, None)


@asynccontextmanager
async def credential_house(ground: Ground) -> AsyncIterator[CredentialHouse]:
    """Open while the block runs; what a room does in the background begins and ends with it."""
    routes: list[BaseRoute] = []
    handlers: dict[str, Handler] = {}
    settings, store, clock = ground.settings, ground.store, ground.clock
    kinds = type_room(settings, store, ground.snapshots, ground.execute, ground.evidence, clock)
    types = kinds.types
    ever = {**types, **{f"{one.id}/{one.version}": one for one in kinds.older}}
    routes += kinds.routes
    async with key_room(settings, store, clock) as keys, AsyncExitStack() as stack:
        rings, lists = keys.rings, keys.lists
        routes += keys.routes
        routes += verifying_room(settings, keys.rings, keys.lists, ever, clock)
        known = [configuration_of(one, form) for one in types for form in (SD_JWT, W3C)]
        offers = offer_room(ground.settings, ground.store, ground.messages, ground.seals, ground.clock, lambda: known)
        ground.execute.offers_at(OfficerOffers(offers.offer, offers.offers, types, kinds.holders, clock))
        papers = frozenset(one.id for one in types.values() if one.paper is not None)
        errands = StoredErrands(store.database, clock, papers)
        showing = showing_room(
            settings,
            store,
            ground.snapshots,
            keys,
            types,
            offers.issued,
            ground.egress,
            ground.oauth.authenticate,
            clock,
            errands=errands,
            older=kinds.older,
        )
        routes += showing.routes
        issuing = issuing_room(
            settings,
            store,
            clock,
            ring=rings.issuer,
            types=types,
            status=lists,
            offers=offers,
            facts=kinds.facts,
            seals=ground.seals,
            messages=ground.messages,
            attesters=key_attesters(settings, clock),
            persons=kinds.holders,
        )
        routes += issuing.routes
        routes += wallet_routes()
        handlers |= issuing.handlers
        life = life_room(settings, store, offers, kinds.facts, ground.facts, types, clock)
        handlers |= life.handlers
        limits = client_limits(store, settings, clock)
        changed = FactsChanged(offers.issued, store.subjects, types, limits, ground.evidence, clock)
        routes += facts_routes(
            changed, token_door(ground.oauth.authenticate, settings.base_url, settings.client_certificate_header)
        )
        await stack.enter_async_context(following(life.follow))
        figures = CredentialMetrics(errands.counted, life.follow.looked)
        yield CredentialHouse(offers, types, kinds, issuing, life, showing, figures, routes, handlers)
