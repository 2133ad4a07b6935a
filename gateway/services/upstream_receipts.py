"""Receipts other gateways gave us, walked to their end: is what they said they recorded in their log, as they said it?

A receipt is a promise: it comes before its entry is in any tree. This asks for the proof later, checks it by the other
side's keys, and keeps it. What does not fit is a finding about the other side; our own record stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from gateway.caller import Alert, Alerts
from gateway.clock import Clock
from ledger.encoding import hash_of
from ledger.entry import parse_entry
from ledger.errors import LedgerError, PolicyUnsatisfied
from ledger.merkle import leaf_hash
from ledger.policy import Policy
from ledger.proof import parse_proof, verify_proof

MOST = 1000
"""Receipts one run looks at."""

LOOKED_BACK = timedelta(days=7)
"""How old a receipt the gateway's own rounds still ask after; the command goes as far as it is told."""

LATE = timedelta(days=1)
"""How long a receipt may stay without its proof before people are told: who never answers hides as much as who lies."""

_PAGES = 100


class Verdict(StrEnum):
    """`PENDING` passes by itself; `UNREACHABLE` may; the last three are for people."""

    GOOD = "GOOD"  # proven by the keys of `ledger_policy`
    NO_KEYS = "NO_KEYS"  # it fits, and there is no `ledger_policy` to prove it by
    PENDING = "PENDING"  # recorded, not yet under a checkpoint that satisfies the policy
    UNREACHABLE = "UNREACHABLE"
    UNKNOWN = "UNKNOWN"  # the other side knows no such receipt
    DIFFERS = "DIFFERS"  # its entry is another than the receipt said
    UNPROVEN = "UNPROVEN"  # its proof does not hold


BAD = frozenset({Verdict.UNKNOWN, Verdict.DIFFERS, Verdict.UNPROVEN})
_LATER = frozenset({Verdict.PENDING, Verdict.UNREACHABLE})
OVER = frozenset({Verdict.GOOD})
_KINDS = frozenset({"query", "refusal"})


@dataclass(frozen=True, slots=True)
class Kept:
    """A receipt and the event of ours that keeps it; `said` as it is recorded."""

    event_id: str
    said: Mapping[str, Any]

    @property
    def source(self) -> str:
        return str(self.said.get("source", ""))

    @property
    def id(self) -> str:
        return str(self.said.get("id", ""))


@dataclass(frozen=True, slots=True)
class Found:
    """What became of it. `proof` is the text of a .tlog-proof."""

    kept: Kept
    verdict: Verdict
    level: str
    proof: str | None = None
    detail: str = ""


class KeptReceipts(Protocol):
    async def open(
        self, *, since: datetime, most: int, unseen_since: datetime | None = None, without: Collection[str] = ()
    ) -> Sequence[Kept]:
        """Those not found good yet, newest first; without those that are a note only, those of the sources `without`, and
        those that were looked at since `unseen_since`. What was found good is so for what had been recorded by then: the
        same id given again is another receipt."""
        ...

    async def good(self, *, since: datetime) -> int:
        """How many were found good since then."""
        ...

    async def keep(self, found: Found, at: datetime) -> None: ...

    async def events_of(self, receipt_id: str) -> Sequence[Kept]:
        """The events of ours that keep this receipt."""
        ...


class OtherLog(Protocol):
    """One other gateway's log."""

    @property
    def policy(self) -> Policy | None: ...

    async def get(self, path: str) -> bytes | None:
        """The body of a GET there; None where it answers that there is no such thing (404, 409). Raises Unheard."""
        ...


class Unheard(Exception):
    """It did not answer."""


class CheckReceipts:
    """`logs` by the code of the source."""

    def __init__(self, receipts: KeptReceipts, logs: Mapping[str, OtherLog]) -> None:
        self._receipts, self._logs = receipts, logs

    async def __call__(
        self,
        *,
        since: datetime,
        most: int,
        now: datetime,
        unseen_since: datetime | None = None,
        without: Collection[str] = (),
    ) -> Sequence[Found]:
        """One after the other, so that nobody is flooded. A gateway that does not answer is asked once."""
        found: list[Found] = []
        silent: set[str] = set()
        for kept in await self._receipts.open(
            since=since, most=min(most, MOST), unseen_since=unseen_since, without=without
        ):
            one = Found(kept, Verdict.UNREACHABLE, str(kept.said.get("level", "")), detail="not asked again")
            if kept.source not in silent:
                one = await self._one(kept)
                await self._receipts.keep(one, now)
            if one.verdict is Verdict.UNREACHABLE:
                silent.add(kept.source)
            found.append(one)
        return found

    async def _one(self, kept: Kept) -> Found:
        log = self._logs.get(kept.source)
        level = str(kept.said.get("level", ""))
        if log is None:
            return Found(kept, Verdict.UNREACHABLE, level, detail="no source of this code is connected")
        try:
            state = await log.get(f"/ledger/receipts/{kept.id}")
            if state is None:
                return Found(kept, Verdict.UNKNOWN, level)
            fault, level = _compared(kept, state)
            if fault:
                return Found(kept, Verdict.DIFFERS, level, detail=fault)
            proof = await log.get(f"/ledger/receipts/{kept.id}/proof")
        except Unheard as error:
            return Found(kept, Verdict.UNREACHABLE, level, detail=str(error))
        if proof is None:
            return Found(kept, Verdict.PENDING, level)
        return _proven(kept, proof, log.policy, level)


class WatchReceipts:
    """One round of the check as work of our own, and an alert where a receipt is false, or stays without proof.

    Replicas share the work by what was looked at last: what one saw in this half of the interval, no other asks for. An
    open alert about the same source and verdict is not doubled.
    """

    def __init__(
        self, check: CheckReceipts, alerts: Alerts, clock: Clock, *, every_s: float, org_id: str, most: int = MOST
    ) -> None:
        """`org_id`: whose alert it is. `most`: receipts looked for at once."""
        self._check, self._alerts, self._clock, self._org_id = check, alerts, clock, org_id
        self._every, self._most = timedelta(seconds=every_s), most

    async def __call__(self) -> None:
        """All there are, for each page leaves out what was seen, and whoever did not answer: nobody stands before others."""
        now, silent, told = self._clock.now(), set[str](), set[str]()
        for _ in range(_PAGES):
            found = await self._check(
                since=now - LOOKED_BACK, most=self._most, now=now, unseen_since=now - self._every / 2, without=silent
            )
            for one in found:
                await self._tell(one, now, told)
            if len(found) < self._most:
                return
            silent |= {one.kept.source for one in found if one.verdict is Verdict.UNREACHABLE}

    async def _tell(self, one: Found, now: datetime, told: set[str]) -> None:
        if one.verdict in BAD:
            about, severity = f"receipts of {one.kept.source}: {one.verdict}", "S1"
        elif one.verdict in _LATER and now - _recorded_at(one.kept) > LATE:
            about, severity = f"receipts of {one.kept.source}: {one.verdict} for a day", "S2"
        else:
            return
        if about not in told:
            told.add(about)
            detail = {"source": one.kept.source, "receipt": one.kept.id, "event": one.kept.event_id}
            await self._alerts.raise_alert(
                Alert("A13_LEDGER_BREAK", severity, "SYSTEM", about, self._org_id, detail=detail)
            )


def _recorded_at(kept: Kept) -> datetime:
    return datetime.fromisoformat(str(kept.said["recordedAt"])).astimezone(UTC)


def _compared(kept: Kept, state: bytes) -> tuple[str, str]:
    """What differs between the receipt and its entry, "" for nothing, and how far the other side says it is."""
    try:
        said = json.loads(state)
        entry = str(said["entry"]).encode()
        level = said["level"] if said["level"] in ("DURABLE", "INCLUDED", "SEALED") else ""
        face, at, leaf = parse_entry(entry), _recorded_at(kept), hash_of(str(kept.said["leafHash"]))
    except (ValueError, KeyError, TypeError, RecursionError, LedgerError):
        return "no receipt", ""
    if leaf_hash(entry) != leaf:
        return "another entry", level
    if face.kind not in _KINDS or face.time.replace(tzinfo=None) != at.replace(tzinfo=None, microsecond=0):
        return "an entry of another kind or time", level
    return "", level


def _proven(kept: Kept, data: bytes, policy: Policy | None, level: str) -> Found:
    try:
        proof = parse_proof(data)
        if policy is None:
            return Found(kept, Verdict.NO_KEYS, level, data.decode())
        verify_proof(proof, hash_of(str(kept.said["leafHash"])), policy)
    except PolicyUnsatisfied:
        return Found(kept, Verdict.PENDING, level)
    except (LedgerError, UnicodeDecodeError) as error:
        return Found(kept, Verdict.UNPROVEN, level, detail=type(error).__name__)
    return Found(kept, Verdict.GOOD, level, data.decode())
