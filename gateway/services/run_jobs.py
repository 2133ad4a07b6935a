"""Work off background jobs: lease, run the kind's handler, finish; on failure try again later, then give up.

Deletes nothing: what becomes of finished jobs is a retention rule's business, never this loop's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, Protocol

from gateway.caller import Job, Jobs
from gateway.clock import Clock

_log = logging.getLogger(__name__)


class GiveUp(Exception):
    """Raised by a handler for a job that no retry will help."""


class LeaseLost(Exception):
    """Another worker has the job; the handler stops without effect. Raised by `renew`."""


class Renew(Protocol):
    async def __call__(self, progress: float | None = None) -> None:
        """Keep the job, and say how far it is (0 to 1). Raises LeaseLost."""
        ...


Handler = Callable[[Job, Renew], Awaitable[None]]
"""Does the work of one kind. Must stand being run again: a worker can die after the work and before `finish`."""


class RunJobs:
    """One worker. `await run_jobs()` works until `stop()`; several may run side by side, in one process or many.

    The lease is renewed in the background while a handler runs; a handler whose lease was lost is cancelled.
    """

    def __init__(
        self,
        jobs: Jobs,
        clock: Clock,
        handlers: Mapping[str, Handler],
        *,
        worker: str,
        lease_s: float = 30.0,
        poll_s: float = 1.0,
        attempts: int = 8,
        backoff_s: float = 2.0,
        longest_backoff_s: float = 3600.0,
        grace_s: float = 10.0,
    ) -> None:
        self._jobs, self._clock, self._handlers, self._worker = jobs, clock, dict(handlers), worker
        self._lease_s, self._poll_s, self._attempts, self._grace_s = lease_s, poll_s, attempts, grace_s
        self._backoff_s, self._longest_backoff_s = backoff_s, longest_backoff_s
        self._stopping, self._awake = asyncio.Event(), asyncio.Event()

    def stop(self) -> None:
        """Take no new job; the running one gets `grace_s`, then it is handed back."""
        self._stopping.set()
        self._awake.set()

    def wake(self) -> None:
        """Look for work now rather than at the next poll."""
        self._awake.set()

    async def __call__(self) -> None:
        while not self._stopping.is_set():
            self._awake.clear()
            try:
                job = await self._jobs.lease(tuple(self._handlers), worker=self._worker, seconds=self._lease_s)
                if job is not None:
                    await self._run(job)
                    continue
            except Exception as error:  # the store is away; the job's lease will end by itself
                _log.warning("jobs: the store does not answer: %s", type(error).__name__)
            if not self._stopping.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._awake.wait(), self._poll_s)

    async def _run(self, job: Job) -> None:
        work = asyncio.ensure_future(self._handlers[job.kind](job, self._renewer(job)))
        keeping = asyncio.create_task(self._keep(job, work))
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                await asyncio.wait({work}, timeout=self._grace_s)
            if not work.done():
                await _cancelled(work)
                await self._jobs.fail(job, retry_at=self._clock.now(), reason="the worker was stopped")
                return
            await self._settle(job, work)
        finally:
            await _cancelled(keeping)
            await _cancelled(stopping)
            await _cancelled(work)

    async def _settle(self, job: Job, work: asyncio.Future[None]) -> None:
        error = asyncio.CancelledError() if work.cancelled() else work.exception()
        if error is None:
            if not await self._jobs.finish(job):
                _log.warning("jobs: %s %s was finished by a worker that had lost it", job.kind, job.id)
            return
        if isinstance(error, (LeaseLost, asyncio.CancelledError)):
            _log.warning("jobs: %s %s was lost to another worker", job.kind, job.id)
            return
        hopeless = isinstance(error, GiveUp) or job.attempts >= self._attempts
        retry_at = None if hopeless else self._clock.now() + timedelta(seconds=self._pause_s(job.attempts))
        # The class alone: a message may carry what must not be stored.
        reason = type(error.__cause__ or error).__name__
        _log.warning("jobs: %s %s failed, attempt %d: %s", job.kind, job.id, job.attempts, reason)
        await self._jobs.fail(job, retry_at=retry_at, reason=reason)

    def _pause_s(self, attempts: int) -> float:
        """Doubles with each attempt; jittered, so that what failed together does not come back together."""
        longest = min(self._backoff_s * 2.0 ** min(attempts - 1, 30), self._longest_backoff_s)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311

    def _renewer(self, job: Job) -> Renew:
        async def renew(progress: float | None = None) -> None:
            if not await self._jobs.renew(job, seconds=self._lease_s, progress=progress):
                raise LeaseLost

        return renew

    async def _keep(self, job: Job, work: asyncio.Future[None]) -> None:
        renew, held_until = self._renewer(job), time.monotonic() + self._lease_s
        while True:
            await asyncio.sleep(self._lease_s / 3)
            asked = time.monotonic()
            try:
                await renew()
                held_until = asked + self._lease_s
            except LeaseLost:
                work.cancel()
                return
            except Exception as error:
                _log.warning("jobs: a lease could not be renewed: %s", type(error).__name__)
                if time.monotonic() + self._lease_s / 3 > held_until:  # by the next try somebody else may have it
                    work.cancel()
                    return


async def _cancelled(task: asyncio.Future[Any]) -> None:
    """Ended, whatever it was doing."""
    task.cancel()
    await asyncio.wait({task})
