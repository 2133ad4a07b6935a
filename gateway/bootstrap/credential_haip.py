"""Wallets that are clients: their tokens, and the pages on which a person lets them have a document."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from credentials.credential_type import SD_JWT, W3C, configuration_of
from gateway.bootstrap.credentials import CredentialHouse
from gateway.bootstrap.persons import Persons
from gateway.clock import Clock
from gateway.services.authorize import Authorize
from gateway.services.credentials.authorize_wallet import AuthorizeWallet
from gateway.services.credentials.holder_tokens import CodeFlowTokens
from gateway.services.snapshots import Snapshots
from gateway.services.words import Words
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.credentials.acting_bodies import StoredActingBodies
from gateway.web.me_visit import PersonPage
from gateway.web.me_wallet import PATH, WalletPages


def code_flow_tokens(house: CredentialHouse, settings: Settings, clock: Clock) -> CodeFlowTokens:
    known = [configuration_of(one, form) for one in house.types for form in (SD_JWT, W3C)]
    return CodeFlowTokens(house.issuing.grants, lambda: known, clock, token_s=settings.credentials.token_s)


def wallet_pages(
    house: CredentialHouse, authorize: Authorize, persons: Persons, store: Store, snapshots: Snapshots, clock: Clock
) -> list[BaseRoute]:
    words = Words(
        store.identities,
        lambda: snapshots.current.snapshot.schema.nouns,
        lambda: snapshots.current.snapshot.purposes,
    )
    wallets = AuthorizeWallet(
        authorize,
        store.pushed,
        house.offers.offers,
        StoredActingBodies(store.database, clock),
        persons.door,
        clock,
        house.kinds.may_offer,
    )
    pages = WalletPages(wallets, words, house.types)
    desk = persons.parts.desk
    return [
        Route(PATH, PersonPage(desk, pages.show), methods=["GET"], name="me wallet"),
        Route(PATH, PersonPage(desk, pages.decide), methods=["POST"], name="me wallet decides"),
    ]
