"""Offers for many people at once: each decided for itself, each with its own outcome, and nobody twice however often it is
begun again.

The id of a person's offer is fixed by the bulk and their number in it. Whoever resumes after a crash between an offer and its
outcome finds the offer there, and sends its message where that did not get out.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from credentials.credential_type import split_configuration
from gateway.caller import Caller
from gateway.errors import GatewayError
from gateway.services.credentials.offer_credential import OfferCredential
from gateway.services.credentials.ports import PRE_AUTHORIZED, Acting, OfferOrigin, Offers

OFFERED, NOT_SENT = "OFFERED", "OFFERED_NOT_SENT"
MOST = 100_000
_AT_ONCE, _TAKEN = 4, 100
_STOPS = frozenset({
    "STORE_UNAVAILABLE", "EVIDENCE_UNAVAILABLE", "LEDGER_HALTED", "LEDGER_LOST", "LEDGER_UNWITNESSED", "POLICY_UNAVAILABLE",
})  # fmt: skip
"""What says nothing about the person: it ends the run, and whoever begins again finds them still to come."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What all of a bulk have in common."""

    acting: Acting
    flow: str = PRE_AUTHORIZED
    tx_code: bool = False
    send: bool = True


@dataclass(frozen=True, slots=True)
class Bulk:
    bulk_id: str
    configuration_ids: tuple[str, ...]
    wishes: Wishes
    actor_user: str


@dataclass(frozen=True, slots=True)
class BulkItem:
    n: int
    subject_id: str


class Bulks(Protocol):
    async def add(self, bulk: Bulk, subjects: Sequence[str]) -> None: ...

    async def find(self, bulk_id: str) -> Bulk | None: ...

    async def waiting(self, bulk_id: str, after: int, most: int) -> Sequence[BulkItem]: ...

    async def done(self, bulk_id: str, n: int, outcome: str, offer_id: str | None) -> bool: ...

    async def finish(self, bulk_id: str) -> None: ...

    async def counts(self, bulk_id: str) -> Mapping[str, int]: ...


class Allowed(Protocol):
    async def __call__(self, caller: Caller, subject_id: str, type_ids: Sequence[str], case_no: str | None) -> None:
        """Raises RequestRefused; `MayOffer`."""
        ...


CaseOf = Callable[[str, str], Awaitable[str | None]]
"""(subject, body) -> the number of the case that body has with the person now."""
Progress = Callable[[Mapping[str, int]], None]


class BulkOffers:
    def __init__(self, bulks: Bulks, offer: OfferCredential, offers: Offers, allowed: Allowed, case_of: CaseOf) -> None:
        self._bulks, self._offer, self._offers, self._allowed, self._case_of = bulks, offer, offers, allowed, case_of

    async def begin(
        self, subjects: Sequence[str], configuration_ids: Sequence[str], wishes: Wishes, actor_user: str
    ) -> Bulk:
        """Kept, nobody offered anything yet. A person named twice is one."""
        bulk = Bulk(secrets.token_hex(16), tuple(configuration_ids), wishes, actor_user)
        await self._bulks.add(bulk, list(dict.fromkeys(subjects)))
        return bulk

    async def run(self, bulk: Bulk, caller: Caller, progress: Progress = lambda counts: None) -> Mapping[str, int]:
        """Everybody who is still to come. Raises what ends it all (the store is away, nothing may be granted now); what was
        done until then stays, and a later run goes on behind it."""
        after = -1
        while items := await self._bulks.waiting(bulk.bulk_id, after, _TAKEN):
            for start in range(0, len(items), _AT_ONCE):
                some = (self._one(bulk, caller, one) for one in items[start : start + _AT_ONCE])
                ends = await asyncio.gather(*some, return_exceptions=True)  # none is left at work behind a fault
                for end in ends:
                    if end is not None:
                        raise end
            after = items[-1].n
            progress(await self._bulks.counts(bulk.bulk_id))
        await self._bulks.finish(bulk.bulk_id)
        return await self._bulks.counts(bulk.bulk_id)

    async def _one(self, bulk: Bulk, caller: Caller, one: BulkItem) -> None:
        try:
            outcome, offer_id = await self._offered(bulk, caller, one)
        except GatewayError as error:
            if error.code in _STOPS:
                raise
            await self._bulks.done(bulk.bulk_id, one.n, error.code[:24], None)
            return
        await self._bulks.done(bulk.bulk_id, one.n, outcome, offer_id)

    async def _offered(self, bulk: Bulk, caller: Caller, one: BulkItem) -> tuple[str, str]:
        wishes = bulk.wishes
        for attempt in itertools.count():
            offer_id = _offer_id(bulk.bulk_id, one.n, attempt)
            kept = await self._offers.find(offer_id)
            if kept is None:
                break
            told = {moment.kind for moment in await self._offers.timeline(offer_id)}
            if not wishes.send or "SENT" in told:
                return OFFERED, offer_id
            if not kept.tx_code:
                return OFFERED if await self._offer.send_again(kept) else NOT_SENT, offer_id
            # Nobody knows its code any more: it ends, and another one takes its place.
            await self._offers.cancel(offer_id, actor_org=wishes.acting.org_id, actor_user=bulk.actor_user)
        case_no = wishes.acting.case_no or await self._case_of(one.subject_id, wishes.acting.org_id)
        types = list(dict.fromkeys(split_configuration(each)[0] for each in bulk.configuration_ids))
        await self._allowed(caller, one.subject_id, types, case_no)
        made = await self._offer(
            acting=replace(wishes.acting, case_no=case_no), actor_user=bulk.actor_user, origin=OfferOrigin.BULK,
            subject_id=one.subject_id, configuration_ids=bulk.configuration_ids, flow=wishes.flow,
            tx_code=wishes.tx_code, send=wishes.send, send_tx_code=wishes.send and wishes.tx_code, offer_id=offer_id,
            bulk_id=bulk.bulk_id,
        )  # fmt: skip
        return OFFERED if made.sent or not wishes.send else NOT_SENT, offer_id


def _offer_id(bulk_id: str, n: int, attempt: int) -> str:
    return hashlib.sha256(f"bulk/{bulk_id}/{n}/{attempt}".encode()).hexdigest()[:32]
