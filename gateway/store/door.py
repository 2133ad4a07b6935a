"""The door of a resource: each request's proof is spent and its token's revocation looked up, in one round trip.

Requests that arrive while one round trip is under way share the next one, so the cost of a commit is divided by the load.
Nothing about a token's being alive is remembered from one request to the next: a revocation counts at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.errors import GatewayError
from gateway.oauth.ports import Admission
from gateway.store.errors import StoreUnavailable
from gateway.store.ids import to_us
from gateway.store.replay import StoredReplays

OK, REPLAYED, REVOKED = "OK", "REPLAYED", "REVOKED"

_log = logging.getLogger(__name__)
_LARGEST_BATCH = 256
_LARGEST_QUEUE = 4096


@dataclass(frozen=True, slots=True)
class Batch:
    """What one round trip asks. `proofs`: (key, until_us), each key once, in order, so that replicas lock in one order.
    `named`: (number of the admission, kind, id, since_us); a revocation before `since_us` does not count."""

    proofs: Sequence[tuple[str, int]]
    named: Sequence[tuple[int, str, str, int]]


class DoorJournal(Protocol):
    """Asks one kind of database."""

    async def ask(self, batch: Batch) -> tuple[frozenset[str], frozenset[int]]:
        """The keys that were new and are spent now, and the numbers of the admissions that name something revoked.

        The spending need not survive a crash by itself: every answer waits for evidence, whose durable commit comes later
        in the same log and takes this one along (ADR 0006). Raises StoreUnavailable.
        """
        ...

    async def close(self) -> None: ...


class StoredDoor:
    """Implements `gateway.oauth.ports.Door`."""

    def __init__(self, journal: DoorJournal, replays: StoredReplays, *, timeout_s: float) -> None:
        self._journal, self._replays, self._timeout_s = journal, replays, timeout_s
        self._queue: list[tuple[Admission, asyncio.Future[str]]] = []
        self._worker: asyncio.Task[None] | None = None
        self._purging: asyncio.Task[None] | None = None
        self._closed = False

    async def admit(self, admission: Admission) -> str:
        """See the port. Raises StoreUnavailable."""
        if self._closed or len(self._queue) >= _LARGEST_QUEUE:
            raise StoreUnavailable("closed" if self._closed else "too many requests are at the door")
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._queue.append((admission, answer))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work(), name="door")
        try:
            async with asyncio.timeout(self._timeout_s):
                return await answer
        except TimeoutError:
            raise StoreUnavailable("the database took too long at the door") from None

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            for task in (self._worker, self._purging):
                if task is not None:
                    await task
            await self._journal.close()

    async def _work(self) -> None:
        while self._queue:
            waiting, self._queue = self._queue[:_LARGEST_BATCH], self._queue[_LARGEST_BATCH:]
            await self._answer([entry for entry in waiting if not entry[1].done()])
            if self._replays.due and (self._purging is None or self._purging.done()):
                # Beside the work, never in it: whoever comes meanwhile would be left standing.
                self._purging = asyncio.create_task(self._purge(), name="purge")

    async def _purge(self) -> None:
        with contextlib.suppress(GatewayError):
            await self._replays.purge_when_due()

    async def _answer(self, waiting: Sequence[tuple[Admission, asyncio.Future[str]]]) -> None:
        """Never raises: each waiting request is told."""
        if not waiting:
            return
        admissions = [admission for admission, _ in waiting]
        try:
            fresh, revoked = await self._journal.ask(batch_of(admissions))
        except Exception as error:  # whatever happened, nobody is known to be welcome
            if not isinstance(error, GatewayError):
                _log.error("the door failed: %s", type(error).__name__)
            for _, answer in waiting:
                with contextlib.suppress(asyncio.InvalidStateError):
                    answer.set_exception(StoreUnavailable(type(error).__name__))
            return
        unspent = set(fresh)
        for number, (admission, answer) in enumerate(waiting):
            said = OK
            if admission.proof_key is not None:
                if admission.proof_key in unspent:
                    unspent.remove(admission.proof_key)  # the same proof twice in one batch is let in once
                else:
                    said = REPLAYED
            if number in revoked:
                said = REVOKED
            with contextlib.suppress(asyncio.InvalidStateError):  # it gave up
                answer.set_result(said)


def batch_of(admissions: Sequence[Admission]) -> Batch:
    proofs: dict[str, int] = {}
    named: list[tuple[int, str, str, int]] = []
    for number, one in enumerate(admissions):
        if one.proof_key is not None:
            proofs[one.proof_key] = to_us(one.proof_until)
        named += [(number, *name) for name in names_of(one)]
    return Batch(sorted(proofs.items()), named)


def names_of(one: Admission) -> list[tuple[str, str, int]]:
    """Whatever its token dies with, as `Batch.named` has it."""
    # No grant of a user that was revoked yesterday is alive, but one made since is: hence the instant.
    since_us = 0 if one.granted_at is None else to_us(one.granted_at)
    return [
        ("token", one.token_id, 0),
        ("grant", one.grant_id, 0),
        ("user", one.user_id, since_us),
        ("client", one.client_id, since_us),
        *(("consent", consent_id, 0) for consent_id in one.consent_ids),
    ]
