"""A credential that could not be issued at once: asked for again by the wallet, and looked after meanwhile by a job.

Source: OpenID4VCI 1.0, section 9.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Protocol

from credentials.openid4vci.encryption import ResponseEncryption
from credentials.openid4vci.refused import DENIED, INVALID_TRANSACTION, Refused
from credentials.openid4vci.request import read_deferred_request
from gateway.caller import Job, Jobs
from gateway.services.credentials.issue_credential import (
    Answer,
    Issuing,
    fetch,
    held,
    keys_of,
    note,
    transaction_key,
    waiting,
)
from gateway.services.credentials.ports import Deferred, FactsState, Fetched, HolderGrant
from gateway.services.run_jobs import Renew

FETCH = "credential.deferred"
_TAKEN = timedelta(seconds=60)
"""How long whoever asks the source has it for themselves."""
_RETRY = timedelta(minutes=1)
_OVER_AND_DENIED = "denied"


class GrantOf(Protocol):
    async def by_id(self, grant_id: str) -> HolderGrant | None:
        """None where it is revoked."""
        ...


class TellReady(Protocol):
    async def __call__(self, subject_id: str, configuration_id: str) -> None:
        """A message to the person's phone; raises nothing that would undo what was made."""
        ...


class DeferredCredential:
    """The endpoint: whoever closes the transaction delivers, so of any number of polls one gets the credentials."""

    def __init__(self, issuing: Issuing) -> None:
        self._on = issuing

    async def __call__(self, grant: HolderGrant, said: Any, *, encrypted: bool) -> Answer:
        """200 or 202. Raises Refused, and what `IssueCredential` raises."""
        on = self._on
        request = read_deferred_request(said, encrypted=encrypted, encryption_required=on.encryption_required)
        transaction_id = request.transaction_id
        found = await on.deferred.find(transaction_id, grant.grant_id)
        if found is None:
            raise Refused(INVALID_TRANSACTION)
        encryption = request.encryption or _encryption(found)
        key = transaction_key(transaction_id)
        if "ready" not in found.request and not found.request.get(_OVER_AND_DENIED):
            if not await on.deferred.take(key, on.clock.now() + _TAKEN):
                return waiting(on, transaction_id, found, encryption)
            found = await attempt(on, key, found, grant)
        if found.request.get(_OVER_AND_DENIED):
            await on.deferred.close(transaction_id)
            raise Refused(DENIED)
        if "ready" not in found.request:
            return waiting(on, transaction_id, found, encryption)
        if await on.seals.sealed(found.request["batch_id"]) is False:
            return waiting(on, transaction_id, found, encryption)
        if not await on.deferred.close(transaction_id):
            raise Refused(INVALID_TRANSACTION)
        return Answer(200, found.request["ready"], encryption)


async def attempt(on: Issuing, key: str, found: Deferred, grant: HolderGrant) -> Deferred:
    """Ask the source once more: the request as it stands then, ready, denied or waiting still. For whoever took it."""
    await on.seals.allow()
    if found.configuration_id in grant.ended:  # somebody ended what came of it, or has it elsewhere by now
        fetched = Fetched(FactsState.REFUSED)
    else:
        fetched = await fetch(on, grant, found.configuration_id)
    now = on.clock.now()
    if fetched.state is FactsState.READY:
        batch = await on.make(grant, found.configuration_id, keys_of(found), fetched)
        stands = held(found, batch, now)
    elif fetched.state in (FactsState.NOT_MET, FactsState.REFUSED):
        await note(on, grant, "FAILED")
        over = {**found.request, _OVER_AND_DENIED: True}
        stands = Deferred(found.grant_id, found.subject_id, found.configuration_id, over, now, found.expires_at)
    else:
        retry_at = fetched.retry_at if fetched.retry_at is not None and fetched.retry_at > now else now + _RETRY
        stands = Deferred(
            found.grant_id, found.subject_id, found.configuration_id, found.request, retry_at, found.expires_at
        )
    await on.deferred.hold(key, stands)
    return stands


class ComeBackLater:
    """Implements `issue_credential.ComeBack` by a job."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    async def __call__(self, key: str, deferred: Deferred) -> None:
        await self._jobs.enqueue(FETCH, {"key": key}, run_at=deferred.retry_at, unique_key=f"{FETCH}/{key}")


class FetchDeferred:
    """Handles the job FETCH: the source is asked at the time it said; once it answers, the person's phone is told."""

    def __init__(self, issuing: Issuing, grants: GrantOf, jobs: Jobs, tell: TellReady) -> None:
        self._on, self._grants, self._jobs, self._tell = issuing, grants, jobs, tell

    async def __call__(self, job: Job, renew: Renew) -> None:
        on, key = self._on, str(job.payload["key"])
        found = await on.deferred.waiting(key)
        if found is None or "ready" in found.request or found.request.get(_OVER_AND_DENIED):
            return
        grant = await self._grants.by_id(found.grant_id)
        if grant is None:
            return
        if await on.deferred.take(key, on.clock.now() + _TAKEN):
            found = await attempt(on, key, found, grant)
            if "ready" in found.request or found.request.get(_OVER_AND_DENIED):
                await self._tell(found.subject_id, found.configuration_id)
                return
        # The running job still holds the key of this one, so the next goes by its time.
        run_at = max(found.retry_at, on.clock.now() + timedelta(seconds=1))
        if run_at < found.expires_at:
            unique = f"{FETCH}/{key}/{int(run_at.timestamp())}"
            await self._jobs.enqueue(FETCH, {"key": key}, run_at=run_at, unique_key=unique)


def _encryption(found: Deferred) -> ResponseEncryption | None:
    kept = found.request.get("encryption")
    return None if kept is None else ResponseEncryption(kept["jwk"], kept["enc"])
