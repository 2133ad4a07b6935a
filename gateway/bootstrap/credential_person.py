"""A person's own page of documents, put together."""

from __future__ import annotations

from collections.abc import Callable

from gateway.bootstrap.credentials import CredentialHouse
from gateway.clock import Clock
from gateway.consent.notice import Both
from gateway.services.credentials.get_again import GetAgain
from gateway.services.credentials.my_credentials import MyCredentials
from gateway.services.snapshots import Snapshots
from gateway.services.words import Words


def my_credentials(house: CredentialHouse, snapshots: Snapshots, clock: Clock) -> Callable[[Words], MyCredentials]:
    """Handed the words of a person's pages, makes what stands behind the page."""

    again = GetAgain(house.offers.offer, house.offers.offers, clock)

    def source_name(code: str) -> Both:
        for source in snapshots.current.snapshot.sources:
            if source.manifest.code == code:
                return Both(source.manifest.title.zh, source.manifest.title.en)
        return Both(code, code)

    def make(words: Words) -> MyCredentials:
        return MyCredentials(house.offers.issued, house.types, words, source_name, again, clock)

    return make
