"""The log for readers: its newest entries, what was signed, how the witnesses are, and the policy to check it all by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.services.ledger.ports import (
    LOOKED_AT,
    Exhibit,
    KeptCheckpoint,
    LedgerReader,
    Placed,
    Shard,
    WitnessHealth,
)
from ledger.entry import Entry, parse_entry
from ledger.policy import NONE, Policy, parse_policy

PAGE = 20
_WITNESSING = ("witness", "group", "quorum")
_SILENT = frozenset({"UNREACHABLE", "FAILING"})
_REFUSES = frozenset({"REJECTED", "NOT_TRUSTED", "UNKNOWN_ORIGIN"})


class Health(StrEnum):
    """How a witness is doing, for people."""

    WELL = "WELL"
    NEW = "NEW"  # it never cosigned, and nothing is known against it
    SILENT = "SILENT"
    REFUSES = "REFUSES"  # it was not told of our log or its key, or does not understand us
    WRONG = "WRONG"  # it answered what it should not


@dataclass(frozen=True, slots=True)
class Walked:
    """An entry and what it says."""

    placed: Placed
    entry: Entry

    @classmethod
    def of(cls, placed: Placed) -> Walked:
        return cls(placed, parse_entry(placed.entry))


@dataclass(frozen=True, slots=True)
class EntryPage:
    """`size`: how many entries what is published covers; `before`: where the next page begins, None = there is none."""

    shard: Shard
    size: int
    entries: tuple[Walked, ...]
    before: int | None


@dataclass(frozen=True, slots=True)
class WitnessTold:
    health: Health
    known: WitnessHealth


class Walk:
    """`witnessing`: the operator's policy file, of which logs are left out: ours are added by `policy_text`."""

    def __init__(self, reader: LedgerReader, *, witnessing: str, base_url: str) -> None:
        self._reader, self._base_url = reader, base_url
        kept = [line for line in witnessing.splitlines() if line.split()[:1] and line.split()[0] in _WITNESSING]
        self._witnessing = "".join(f"{line}\n" for line in kept) or f"quorum {NONE}\n"
        self._policy = parse_policy(self._witnessing)

    @property
    def policy(self) -> Policy:
        """Of witnesses; it names no log."""
        return self._policy

    async def shard(self, name: str | None) -> Shard | None:
        """Without a name the one that is being written."""
        shards = await self._reader.shards()
        if name is not None:
            return next((one for one in shards if one.shard == name), None)
        return next((one for one in shards if one.active), shards[0] if shards else None)

    async def shards(self) -> Sequence[Shard]:
        return await self._reader.shards()

    async def page(
        self, shard: Shard, *, before: int | None, kind: str | None, actor: str | None, limit: int = PAGE
    ) -> EntryPage:
        """Newest first, of what is published."""
        published = await self._reader.published(shard.shard)
        size = 0 if published is None else published.size
        start = size if before is None else min(before, size)
        found: Sequence[Placed] = ()
        if start > 0:
            found = await self._reader.entries(shard.shard, before=start, limit=limit, kind=kind, actor=actor)
        last = found[-1].number if len(found) >= limit else start - LOOKED_AT
        told = tuple(map(Walked.of, found))
        return EntryPage(shard, size, told, last if last is not None and last > 0 else None)

    async def checkpoints(self, shard: str, *, before: int | None, limit: int = PAGE) -> Sequence[KeptCheckpoint]:
        return await self._reader.checkpoints(shard, before=before, limit=limit)

    async def published(self, shard: str) -> KeptCheckpoint | None:
        return await self._reader.published(shard)

    async def witnesses(self) -> Sequence[WitnessTold]:
        """Of the policy, in its order; each by what is known of it in the newest shard."""
        shards = {one.shard: place for place, one in enumerate(await self._reader.shards())}
        known: dict[str, WitnessHealth] = {}
        for one in sorted(await self._reader.witnesses(), key=lambda row: -shards.get(row.shard, len(shards))):
            known[one.witness] = one
        names = [*self._policy.witnesses, *(name for name in known if name not in self._policy.witnesses)]
        return [_told(known.get(name, WitnessHealth(name, ""))) for name in names]

    async def exhibits(self, limit: int = PAGE) -> Sequence[tuple[str, datetime, Exhibit]]:
        return await self._reader.exhibits(limit)

    async def policy_text(self, shard: str | None = None) -> str:
        """In the form of C2SP tlog-policy: our logs with their keys (or one shard's), the announced one first, then the
        witnesses."""
        shards = [one.shard for one in await self._reader.shards()]
        wanted = [one for one in (*following(shards), *shards) if shard in (None, one)]
        lines = [f"log {key} {self._base_url}/ledger/{one}\n" for one in wanted for key in await self._reader.keys(one)]
        return "".join(lines) + self._witnessing

    def provisional(self, cosigned: Mapping[str, str]) -> bool:
        """More than half of the witnesses, which is not the quorum yet: a fact, not a level."""
        names = cosigned.keys() & self._policy.witnesses.keys()
        return len(names) * 2 > len(self._policy.witnesses) and not self._policy.satisfied_by(names)


def following(shards: Sequence[str]) -> Sequence[str]:
    """The log that comes next, whose key may be announced already."""
    return [str(int(shards[0][:4]) + 1)] if shards else []


def _told(known: WitnessHealth) -> WitnessTold:
    if known.fault is None:
        return WitnessTold(Health.NEW if known.seen_at is None else Health.WELL, known)
    if known.fault in _SILENT:
        return WitnessTold(Health.SILENT, known)
    return WitnessTold(Health.REFUSES if known.fault in _REFUSES else Health.WRONG, known)
