"""Disputes, put together: what persons say, what readers see of it, what bodies answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from starlette.routing import BaseRoute

from gateway.caller import Authenticator, Evidence
from gateway.clock import Clock
from gateway.consent import persons
from gateway.errors import GatewayError
from gateway.federation.hiding import is_personal
from gateway.policy.facts import Facts
from gateway.services.disputes.answer_dispute import AnswerDisputes
from gateway.services.disputes.my_disputes import Hasten, MyDisputes
from gateway.services.person_door import PersonDoor
from gateway.services.words import Words
from gateway.settings import Settings
from gateway.store import Store
from gateway.web.disputes_api import dispute_routes
from gateway.web.settings import WebSettings
from gateway.web.token_door import token_door
from schema.nouns import NounSpec


def my_disputes(
    store: Store,
    settings: Settings,
    words: Words,
    nouns: Callable[[], Mapping[str, NounSpec]],
    clock: Clock,
    hasten: Hasten,
) -> MyDisputes:
    def personal() -> Sequence[str]:
        return [noun.name for noun in nouns().values() if is_personal(noun)]

    days = settings.credentials.dispute_days
    return MyDisputes(store.disputes, words, clock, nouns=personal, days=days, hasten=hasten)


def dispute_pages(
    store: Store,
    settings: Settings,
    web: WebSettings,
    authenticate: Authenticator,
    door: PersonDoor,
    facts: Facts,
    evidence: Evidence,
    clock: Clock,
    hasten: Hasten,
) -> Sequence[BaseRoute]:
    """For `build_app(pages=...)`."""

    async def tell(subject_id: str) -> None:
        """The answer stands whether or not the message arrives."""
        try:
            enrolled = await store.phones.phone_of(subject_id)
            if enrolled is not None:
                await door.send_link(enrolled, "DISPUTE_ANSWERED", lives=persons.ENTRY_LINK_LIVES)
        except GatewayError:
            return

    answer = AnswerDisputes(store.disputes, facts, store.subjects, evidence, clock, hasten=hasten, tell=tell)
    return dispute_routes(answer, token_door(authenticate, settings.base_url, web.client_certificate_header))
