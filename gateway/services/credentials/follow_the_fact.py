"""The credential follows the fact: what was issued is looked at again, by schedule and by event, and ends when its fact does.

A source that does not answer changes nothing. Each look is a query like any other, under its own purpose and actor, so the
source's hours and budget are kept by the road itself; here only its pace is.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from credentials.credential_type import CredentialType
from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.services.credentials.facts_digest import FactsDigest
from gateway.services.credentials.ports import (
    CredentialState,
    FactsState,
    Fetched,
    FetchFacts,
    Issued,
    IssuedCredentials,
)

PURPOSE = "CREDENTIAL_RECHECK"
ACTOR = "credential-recheck"
CLEARED, CHANGED, NO_GROUND, ERASED = "CLEARED", "FACT_CHANGED", "NO_GROUND", "ERASED"
DOUBTED, DISPUTED = "DOUBTED", "DISPUTED"
_OURS = frozenset({DOUBTED, DISPUTED})
"""What was suspended for these reasons is reinstated here; what a person of ours suspended is theirs to reinstate."""
_log = logging.getLogger(__name__)
_AT_ONCE, _OF_ONE_TYPE, _CLAIMED = 8, 4, 16
_RETRY, _SPREAD = timedelta(minutes=5), timedelta(minutes=30)


class Looked(StrEnum):
    """What a look came to; a closed set, for operators' counts."""

    SAME = "SAME"
    REINSTATED = "REINSTATED"
    SUSPENDED = "SUSPENDED"
    REVOKED = "REVOKED"
    RENEWED = "RENEWED"  # revoked, and a fresh one is offered
    LATER = "LATER"
    GONE = "GONE"  # nothing to look at


class Renew(Protocol):
    async def __call__(self, batch: Issued) -> None:
        """Durable on return: once this batch is revoked, a fresh one is offered to its person by message."""
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """`longest`: between two looks at one credential; a type may ask for less."""

    longest: timedelta
    at_once: int = _AT_ONCE
    of_one_type: int = _OF_ONE_TYPE


class SealedPersons(Protocol):
    async def __call__(self, subject_id: str) -> bool:
        """Whether this person must look unknown to everybody."""
        ...


class Disputes(Protocol):
    async def __call__(self, subject_id: str, facts: Mapping[str, Collection[str]]) -> bool:
        """Whether the person disputes one of these facts now: noun -> fields of it."""
        ...


class FollowTheFact:
    """`stays`: types that go on when the ground of the acting body has ended, as a discharge certificate does; they end with
    a seal like all others."""

    def __init__(
        self,
        issued: IssuedCredentials,
        facts: FetchFacts,
        digest: FactsDigest,
        types: Mapping[str, CredentialType],
        renew: Renew,
        clock: Clock,
        pace: Pace,
        sealed: SealedPersons,
        disputed: Disputes,
        stays: frozenset[str] = frozenset(),
    ) -> None:
        self._issued, self._facts, self._digest, self._types = issued, facts, digest, types
        self._renew, self._clock, self._pace, self._sealed, self._stays = renew, clock, pace, sealed, stays
        self._disputed = disputed
        self.looked: Counter[Looked] = Counter()
        """Of this process since it began; for operators' figures."""
        self._all = asyncio.Semaphore(pace.at_once)
        self._of: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(pace.of_one_type))

    async def sweep(self, going: Callable[[], bool] = lambda: True) -> Mapping[Looked, int]:
        """Everything that is due, a handful at a time, while `going`. Raises StoreUnavailable."""
        counts: Counter[Looked] = Counter()
        while going() and (due := await self._issued.due(self._clock.now(), _CLAIMED)):
            counts.update(await asyncio.gather(*(self.look(batch_id) for batch_id in due)))
        self.looked.update(counts)
        return counts

    async def look(self, batch_id: str) -> Looked:
        """At one batch. What fails here is looked at again when its claim has run out."""
        try:
            batch = await self._issued.batch(batch_id)
            if not batch or batch[0].state is CredentialState.REVOKED:
                return Looked.GONE
            return await self._look(batch[0])
        except GatewayError as error:
            _log.warning("credentials: a look at the facts failed: %s", error.code)
            return Looked.LATER
        except Exception as error:  # whatever one person's record does to us, everybody else's is looked at
            # The class alone: its words may be a record's.
            _log.error("credentials: a look at the facts broke: %s", type(error).__name__)
            return Looked.LATER

    async def _look(self, one: Issued) -> Looked:
        known = self._types.get(one.type_id)
        if not one.subject_id:
            await self._revoke(one, ERASED)
            return Looked.REVOKED
        if known is None:  # its file is not here: that says nothing about the person
            return await self._later(one, self._soon())
        fetched = await self._fetch(one)
        match fetched.state:
            case FactsState.READY if self._same(one, fetched):
                return await self._stands(one, known)
            case FactsState.READY:
                await self._renew(one)
                return Looked.RENEWED if await self._revoke(one, CHANGED) else Looked.GONE
            case FactsState.NOT_MET:
                return Looked.REVOKED if await self._revoke(one, CHANGED) else Looked.GONE
            case FactsState.REFUSED if one.type_id in self._stays and not await self._sealed(one.subject_id):
                return await self._stands(one, known)
            case FactsState.REFUSED:
                return Looked.REVOKED if await self._revoke(one, NO_GROUND) else Looked.GONE
            case FactsState.DOUBTED:
                return await self._doubted(one, self._next(known))
            case FactsState.UNAVAILABLE if await self._disputed(one.subject_id, known.facts):
                return await self._doubted(one, self._when(fetched))  # that is known here, whoever is away
            case FactsState.UNAVAILABLE:
                return await self._later(one, self._when(fetched))

    async def _fetch(self, one: Issued) -> Fetched:
        async with self._all, self._of[one.type_id]:
            return await self._facts(one.subject_id, one.type_id, one.acting, purpose=PURPOSE, reference=one.batch_id)

    def _same(self, one: Issued, fetched: Fetched) -> bool:
        return self._digest.of(one.subject_id, one.type_id, fetched.claims) == one.facts_digest

    async def _stands(self, one: Issued, known: CredentialType) -> Looked:
        reinstated = (
            one.state is CredentialState.SUSPENDED
            and one.reason in _OURS
            and await self._issued.set_state(one.batch_id, CredentialState.VALID, CLEARED, actor_user=ACTOR)
        )
        await self._issued.checked(one.batch_id, self._next(known))
        return Looked.REINSTATED if reinstated else Looked.SAME

    async def _doubted(self, one: Issued, next_at: datetime) -> Looked:
        disputed = await self._disputed(one.subject_id, self._types[one.type_id].facts)
        reason = DISPUTED if disputed else DOUBTED
        done = await self._issued.set_state(one.batch_id, CredentialState.SUSPENDED, reason, actor_user=ACTOR)
        await self._issued.checked(one.batch_id, next_at)
        return Looked.SUSPENDED if done else Looked.SAME

    async def _revoke(self, one: Issued, reason: str) -> bool:
        return await self._issued.set_state(one.batch_id, CredentialState.REVOKED, reason, actor_user=ACTOR)

    def _next(self, known: CredentialType) -> datetime:
        return self._clock.now() + between_looks(known, self._pace.longest)

    def _when(self, fetched: Fetched) -> datetime:
        """To ask again whoever was away, by their own word where they gave one."""
        soon = self._soon()
        later = max(soon, fetched.retry_at + _jitter(_SPREAD)) if fetched.retry_at is not None else soon
        return min(later, self._clock.now() + timedelta(days=1))

    async def _later(self, one: Issued, at: datetime) -> Looked:
        await self._issued.checked(one.batch_id, at)
        return Looked.LATER

    def _soon(self) -> datetime:
        return self._clock.now() + _RETRY + _jitter(_RETRY)


def between_looks(known: CredentialType, longest: timedelta) -> timedelta:
    """Until the next look: up to a fifth sooner than it must be, so that what was issued together is not due together."""
    return min(known.recheck_every, longest) * random.uniform(0.8, 1.0)  # noqa: S311  (nothing is guarded by it)


def _jitter(most: timedelta) -> timedelta:
    return most * random.random()  # noqa: S311  (as above)
