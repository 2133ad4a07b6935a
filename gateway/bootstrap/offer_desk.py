"""The operator's desk for offers: everything `yimen offers` and `yimen credentials` work with, open, beside a gateway or not."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from adapters.egress_http import HttpEgress
from credentials.credential_type import SD_JWT, W3C, CredentialType, configuration_of
from gateway.bootstrap.composition import source_loads, stored_facts
from gateway.bootstrap.credential_offers import OfferRoom, offer_room
from gateway.bootstrap.credential_types import types_of
from gateway.bootstrap.database import opened_store
from gateway.bootstrap.ledger import seals_of, witness_policy
from gateway.bootstrap.message_webhook import messages_of
from gateway.caller import Caller, CallerKind
from gateway.clock import Clock, SystemClock
from gateway.errors import RequestRefused
from gateway.policy.public_rules import NO_GROUND
from gateway.services.credentials.bulk_offers import BulkOffers
from gateway.services.credentials.may_offer import OFFER, MayOffer
from gateway.services.credentials.ports import Acting
from gateway.services.identities import OPERATOR
from gateway.services.rules_in_force import RulesInForce
from gateway.services.snapshots import Snapshots
from gateway.services.tracing import UNTRACED
from gateway.settings import Settings, environment
from gateway.store import Store
from gateway.store.credentials.bulk import StoredBulks
from gateway.store.credentials.case_of import StoredCaseOf
from gateway.store.credentials.holders import StoredHolders
from gateway.web.metrics import PrometheusMetrics


@dataclass(frozen=True, slots=True)
class OfferDesk:
    settings: Settings
    store: Store
    types: Mapping[str, CredentialType]
    room: OfferRoom
    may_offer: MayOffer
    cases: StoredCaseOf
    bulks: StoredBulks
    bulk: BulkOffers
    clock: Clock

    async def acting(self, subject_id: str, org_id: str | None, case_no: str | None) -> Acting:
        """For the body named, or the one that supervises the person now. Raises RequestRefused NO_GROUND, ORG_UNKNOWN."""
        org_id = org_id or await self.cases.supervising(subject_id)
        if org_id is None:
            raise RequestRefused(NO_GROUND.code)
        return await self.body(org_id, case_no or await self.cases.case_no(subject_id, org_id))

    async def body(self, org_id: str, case_no: str | None = None) -> Acting:
        found = await self.store.identities.organisation(org_id)
        if found is None or not found.active:
            raise RequestRefused("ORG_UNKNOWN", "no organisation in force has this id")
        return Acting(found.org_id, found.kind, found.jurisdiction, case_no)


def operator_for(acting: Acting) -> Caller:
    """Whoever runs this gateway, for a body: held to the rules of that body's officers."""
    return Caller(
        OPERATOR,
        acting.org_id,
        acting.org_kind,
        frozenset(),
        OPERATOR,
        datetime.max.replace(tzinfo=UTC),
        purposes=frozenset({OFFER}),
        kind=CallerKind.OFFICER,
        jurisdiction=acting.jurisdiction,
        level=3,
    )


@asynccontextmanager
async def offer_desk(settings: Settings) -> AsyncIterator[OfferDesk]:
    """Decides by the rules in force now. Raises SettingsInvalid, ManifestInvalid, StoreUnavailable."""
    clock = SystemClock()
    async with contextlib.AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened_store(settings))
        egress = HttpEgress()
        stack.push_async_callback(egress.close)
        rules = RulesInForce(store.policies)
        await rules.look()
        kept = Path(stack.enter_context(TemporaryDirectory(prefix="yimen-desk-")))  # no source is asked from here
        facts = stored_facts(store, clock)
        loads = source_loads(settings, kept, egress, clock, environment(), PrometheusMetrics(), UNTRACED, facts, rules)
        snapshots = Snapshots(loads, await loads.load(), loads.version())
        stack.push_async_callback(snapshots.close)
        types = types_of(settings)
        known = [configuration_of(one, form) for one in types for form in (SD_JWT, W3C)]
        messages = messages_of(settings, store.inbox, egress, clock)
        seals = seals_of(settings, store, witness_policy(settings), clock)
        room = offer_room(settings, store, messages, seals, clock, lambda: known)
        holders = StoredHolders(store.database, store.subjects, clock)
        may_offer = MayOffer(snapshots, types, holders, store.evidence, clock)
        cases, bulks = StoredCaseOf(store.database, clock), StoredBulks(store.database, clock)
        bulk = BulkOffers(bulks, room.offer, room.offers, may_offer, cases.case_no)
        yield OfferDesk(settings, store, types, room, may_offer, cases, bulks, bulk, clock)
