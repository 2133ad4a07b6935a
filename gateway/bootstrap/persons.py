"""The person's side, put together: consents, pages, history, and what works in the background for them."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from gateway.bootstrap.credential_disputes import my_disputes
from gateway.bootstrap.limits import client_limits
from gateway.caller import Messages, Seals
from gateway.clock import Clock
from gateway.consent.ports import OnConsentEnded
from gateway.errors import GatewayError
from gateway.oauth.signing_keys import SigningKeys
from gateway.policy.facts import Facts
from gateway.policy.purposes import PurposeRegister
from gateway.services.access_history import PersonHistory, ReadOfficerLog
from gateway.services.ask_consent import AskConsent
from gateway.services.credentials.my_credentials import MyCredentials
from gateway.services.disputes.my_disputes import Hasten
from gateway.services.give_consent import EndConsents, MyConsents
from gateway.services.ledger.seals import Unsealed
from gateway.services.person_door import PersonDoor
from gateway.services.reach_person import SEND, ReachPerson
from gateway.services.run_jobs import Handler, RunJobs
from gateway.services.snapshots import Snapshots
from gateway.services.words import Words
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.errors import SubjectUnknown
from gateway.web.me_routes import PersonParts
from gateway.web.me_visit import Desk
from gateway.web.session import FormGuard
from schema.nouns import NounSpec

_log = structlog.get_logger(__name__)
_SWEEP_S = 15.0
"""How late an end by time is put down, at most; live reads compare the time itself."""


@dataclass(frozen=True, slots=True)
class Persons:
    """What stands behind a person's pages, and its background work."""

    parts: PersonParts
    door: PersonDoor
    end: EndConsents
    handlers: Mapping[str, Handler]


class _Signer:
    """Implements `gateway.consent.receipt.ReceiptSigner`: receipts verify by `/oauth/jwks`, like tokens."""

    def __init__(self, keys: SigningKeys) -> None:
        self._keys = keys

    async def sign(self, typ: str, claims: Mapping[str, Any]) -> str:
        key = await self._keys.current()
        return key.sign({"typ": typ, "kid": key.kid}, claims)


class _Names:
    """Implements `gateway.services.reach_person.KnownNames`."""

    def __init__(self, store: Store) -> None:
        self._subjects = store.subjects

    async def name_of(self, subject_id: str) -> str | None:
        try:
            known = await self._subjects.reveal(subject_id)
        except SubjectUnknown:
            return None
        return None if known is None else known.name


def persons_of(
    settings: Settings,
    store: Store,
    snapshots: Snapshots,
    clock: Clock,
    *,
    messages: Messages,
    keys: SigningKeys,
    facts: Facts,
    listeners: Sequence[OnConsentEnded] = (),
    seals: Seals | None = None,
    hasten: Hasten,
    my_credentials: Callable[[Words], MyCredentials] | None = None,
) -> Persons:
    """`listeners`: who acts when a consent ends, besides its tokens, which die in the very transaction."""

    def nouns() -> Mapping[str, NounSpec]:
        return snapshots.current.snapshot.schema.nouns

    def purposes() -> PurposeRegister:
        return snapshots.current.snapshot.purposes

    words = Words(store.identities, nouns, purposes)
    days = settings.person_device_days
    door = PersonDoor(
        store.person_access,
        store.phones,
        messages,
        store.subjects,
        clock,
        base_url=settings.base_url,
        device_days=days,
    )
    guard = FormGuard(store.keys.derive("web/person-forms/v1"), settings.base_url)
    end = EndConsents(store.consents, listeners)
    proxies = tuple(one for one in (settings.trusted_proxies or "").split(",") if one)
    reach = ReachPerson(store.consents, store.subjects, store.phones, _Names(store), facts, door, words, clock)
    parts = PersonParts(
        Desk(door, guard, device_days=days, trusted_proxies=proxies),
        MyConsents(
            store.consents,
            words,
            store.subjects,
            _Signer(keys),
            end,
            clock,
            issuer=settings.base_url,
            seals=seals or Unsealed(),
        ),
        PersonHistory(store.access_log, words),
        AskConsent(
            store.consents,
            store.clients,
            store.jobs,
            words,
            purposes,
            clock,
            client_limits(store, settings, clock),
            longest=timedelta(days=settings.consent_days),
            answer_within=timedelta(days=settings.consent_answer_days),
        ),
        ReadOfficerLog(store.access_log, store.subjects),
        my_disputes(store, settings, words, nouns, clock, hasten),
        None if my_credentials is None else my_credentials(words),
    )
    return Persons(parts, door, end, {SEND: reach})


@asynccontextmanager
async def working(persons: Persons, store: Store, clock: Clock, *, sweep_s: float = _SWEEP_S) -> AsyncIterator[RunJobs]:
    """Messages are sent and ends put down while the block runs. Several processes may do this side by side."""
    run_jobs = RunJobs(store.jobs, clock, persons.handlers, worker=f"persons-{os.getpid()}-{os.urandom(4).hex()}")

    stopping = asyncio.Event()

    async def sweep() -> None:
        while not stopping.is_set():  # never cut off in the middle of a statement
            try:
                await persons.end.due()
            except GatewayError as error:  # the store is away; the next look finds the same
                _log.warning("consents_not_swept", reason=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), sweep_s)

    sweeping = asyncio.create_task(sweep(), name="consents")
    running = asyncio.create_task(run_jobs(), name="jobs")
    try:
        yield run_jobs
    finally:
        stopping.set()
        run_jobs.stop()
        await sweeping
        await running
        await persons.door.settled()
