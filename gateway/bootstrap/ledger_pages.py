"""Puts together what shows the ledger: tiles, receipts, evidence, and the pages that walk it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.routing import BaseRoute

from gateway.bootstrap.ledger import walk_of
from gateway.caller import Authenticator
from gateway.clock import Clock
from gateway.policy.purposes import PurposeRegister
from gateway.services.ledger.bundles import Bundles
from gateway.services.ledger.receipts import Receipts
from gateway.services.snapshots import Snapshots
from gateway.services.words import Words
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.bundle_door import StoredBundleDoor
from gateway.web.ledger_routes import LedgerParts, ledger_routes
from gateway.web.me_visit import Desk
from gateway.web.settings import WebSettings
from gateway.web.token_door import token_door
from schema.nouns import NounSpec


def ledger_pages(
    settings: Settings,
    store: Store,
    snapshots: Snapshots,
    web: WebSettings,
    authenticate: Authenticator,
    desk: Desk,
    clock: Clock,
) -> Sequence[BaseRoute]:
    """For `build_app(pages=...)`. Raises SettingsInvalid for a file of witnesses that cannot be used."""

    def nouns() -> Mapping[str, NounSpec]:
        return snapshots.current.snapshot.schema.nouns

    def purposes() -> PurposeRegister:
        return snapshots.current.snapshot.purposes

    receipts, walk = Receipts(store.ledger), walk_of(settings, store)
    door = StoredBundleDoor(store.database, clock)
    return ledger_routes(
        LedgerParts(
            reader=store.ledger,
            receipts=receipts,
            bundles=Bundles(door, store.openings, receipts, walk, store.subjects, store.policies),
            walk=walk,
            words=Words(store.identities, nouns, purposes),
            admit=token_door(authenticate, web.base_url, web.client_certificate_header),
            desk=desk,
            base_url=settings.base_url,
        )
    )
