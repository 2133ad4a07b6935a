"""Offers and the life of what was issued, put together from an open store."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta

from gateway.caller import Messages, Seals
from gateway.clock import Clock
from gateway.services.credentials.facts_digest import DIGEST_KEY, FactsDigest
from gateway.services.credentials.offer_codes import CODE_KEY, TX_KEY, OfferCodes
from gateway.services.credentials.offer_credential import OfferCredential, OfferTerms
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.credentials.flips import flip
from gateway.store.credentials.issued import StoredIssued
from gateway.store.credentials.offers import StoredOffers
from gateway.store.subject_keys.columns import PersonalColumns


@dataclass(frozen=True, slots=True)
class OfferRoom:
    """What other rooms take from this one."""

    codes: OfferCodes
    offers: StoredOffers
    issued: StoredIssued
    digest: FactsDigest
    offer: OfferCredential


def offer_room(
    settings: Settings,
    store: Store,
    messages: Messages,
    seals: Seals,
    clock: Clock,
    configurations: Callable[[], Collection[str]],
) -> OfferRoom:
    """`configurations` gives every configuration id that is issued here now."""
    codes = OfferCodes(store.keys.derive(CODE_KEY), store.keys.derive(TX_KEY))
    offers = StoredOffers(store.database, codes, store.subject_keys.ring, clock)
    terms = OfferTerms(
        settings.base_url,
        timedelta(days=settings.credentials.offer_days),
        settings.credentials.tx_digits,
        settings.credentials.profile,
    )
    return OfferRoom(
        codes,
        offers,
        StoredIssued(
            store.database,
            PersonalColumns(store.keys, store.subject_keys.ring),
            clock,
            flip,
            keep=store.keep_credentials,
        ),
        FactsDigest(store.keys.derive(DIGEST_KEY)),
        OfferCredential(offers, codes, store.phones, messages, seals, clock, terms, configurations),
    )


def plain_offers(store: Store, clock: Clock) -> StoredOffers:
    """To look at offers and end them, for a command that makes none."""
    codes = OfferCodes(store.keys.derive(CODE_KEY), store.keys.derive(TX_KEY))
    return StoredOffers(store.database, codes, store.subject_keys.ring, clock)


def plain_issued(store: Store, clock: Clock) -> StoredIssued:
    """What was issued, for a command that issues nothing."""
    return StoredIssued(store.database, PersonalColumns(store.keys, store.subject_keys.ring), clock, flip)
