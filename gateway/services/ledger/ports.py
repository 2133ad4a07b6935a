"""What keeping the ledger asks of a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from gateway.errors import GatewayError
from ledger.merkle import Frontier
from ledger.note import Note, Signer, VerifierKey
from ledger.tiles import Tile


class Level(StrEnum):
    """How far an entry has come; each includes the ones before."""

    DURABLE = "DURABLE"  # committed with what it records
    INCLUDED = "INCLUDED"  # has an index under a checkpoint the log signed
    SEALED = "SEALED"  # under a checkpoint a quorum of witnesses cosigned


class NotLeading(GatewayError):
    """Another process sequences; nothing was written."""

    code = "LEDGER_NOT_LEADING"


class LedgerHalted(GatewayError):
    """The ledger takes nothing any more, because it is not what its witnesses saw, or not what it signed."""

    code = "LEDGER_HALTED"


class LedgerUnwitnessed(GatewayError):
    """There has been no quorum of witnesses for longer than the operator allows; grants wait until there is."""

    code = "LEDGER_UNWITNESSED"


@dataclass(frozen=True, slots=True)
class Shard:
    """One log. `halted`: why nothing is written any more, a code; None = it is."""

    shard: str
    origin: str
    active: bool
    size: int
    halted: str | None = None


@dataclass(frozen=True, slots=True)
class Tree:
    """A shard's tree as committed. The root has been computed anew from the frontier and found to be the stored one."""

    shard: str
    origin: str
    frontier: Frontier
    root: bytes
    fence: int
    hurry_until: datetime | None = None  # until then somebody, in whatever process, waits for witnesses

    @property
    def size(self) -> int:
        return self.frontier.size


@dataclass(frozen=True, slots=True)
class KeptCheckpoint:
    """`note`: signed by the log alone; `cosignatures`: the lines received, by the witness's name in the policy."""

    shard: str
    size: int
    root: bytes
    note: Note
    at: datetime
    cosignatures: Mapping[str, str] = field(default_factory=dict)
    published_at: datetime | None = None
    sealed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class WitnessHealth:
    """`fault`: a code, None = well. `size`: the tree it cosigned last."""

    witness: str
    shard: str
    size: int = 0
    seen_at: datetime | None = None
    failing_since: datetime | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Exhibit:
    """What proves that somebody did wrong, as received. `kind`: WITNESS_AHEAD, TREE_DIFFERS, SPLIT, WITNESS_GARBAGE ..."""

    shard: str
    kind: str
    about: str  # a witness's name, or the origin
    documents: Mapping[str, str]  # name -> text


class SequencedLog(Protocol):
    """The writing side. Only the leader may call what changes the tree; all calls are for the ACTIVE shard unless named.

    Leadership is an advisory lock (PostgreSQL) or being the one process (SQLite), and a fence that grows with each leader
    and is compared in every transaction: a leader that was overtaken without noticing writes nothing.
    """

    async def open(self, name: str, year: str) -> Shard:
        """The active shard. The very first start makes it, with origin `name/year` and a signing key."""
        ...

    async def lead(self) -> bool:
        """Become leader, or confirm that we still are; cheap when we are. False while another is."""
        ...

    @property
    def term(self) -> int:
        """Which leadership of this process it is: grows each time `lead` gains it anew, also within one call. In between
        the session was lost, and what answers now may be another database."""
        ...

    async def step_down(self) -> None: ...

    async def sequence(self, most: int) -> int:
        """Give up to `most` waiting entries that are due their index, in one transaction; how many there were.

        Raises NotLeading, LedgerHalted.
        """
        ...

    async def tree(self) -> Tree:
        """Read anew from what is committed: sign nothing else. Raises LedgerHalted where frontier and root disagree."""
        ...

    async def signers(self) -> Sequence[Signer]:
        """The keys that sign the active shard's checkpoints: one, or two while a rotation overlaps."""
        ...

    async def keep_checkpoint(self, tree: Tree, note: Note) -> KeptCheckpoint:
        """Durable on return; the same again is the same. Raises LedgerHalted where another root of this size was signed
        before, and NotLeading."""
        ...

    async def keep_cosignatures(self, shard: str, size: int, lines: Mapping[str, str], *, sealed: bool) -> None:
        """By witness name. `sealed`: they are a quorum by now; later ones never unseal."""
        ...

    async def publish(self, shard: str, size: int) -> None:
        """From now on this is the checkpoint that is given out, if it is larger than the one before."""
        ...

    async def keep_witness(self, health: WitnessHealth) -> None: ...

    async def halt(self, reason: str, exhibit: Exhibit) -> None:
        """Stop every writer in every process, keep the exhibit, and raise alert A13_LEDGER_BREAK; all in one transaction."""
        ...

    async def keep_exhibit(self, exhibit: Exhibit) -> None:
        """Kept, and A13_LEDGER_BREAK raised, without halting: it is a witness that does wrong. The same one is kept once."""
        ...

    async def announce(self, name: str, year: str) -> str:
        """The vkey `name/year` will sign with, said in the shard before, so that whoever knows this one needs nobody's word
        for the next. The same again is the same."""
        ...

    async def turn_year(self, name: str, year: str) -> Shard:
        """Close the active shard and begin `name/year`: its first entry, kind `log`, holds the last sealed checkpoint of the
        one before. Nothing happens where `year` is active already."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry. `number` None: durable, not yet sequenced."""

    id: str
    entry: bytes
    leaf_hash: bytes
    shard: str | None = None
    number: int | None = None


LOOKED_AT = 4096
"""How many entries a filter looks at: whoever finds fewer than asked for goes on below that many."""


class LedgerReader(Protocol):
    """The reading side, for every process."""

    async def shards(self) -> Sequence[Shard]:
        """Newest first."""
        ...

    async def keys(self, shard: str) -> Sequence[VerifierKey]: ...

    async def tile(self, shard: str, tile: Tile) -> bytes | None:
        """The bytes of a hash tile or entry bundle, exactly as wide as asked; None where the committed tree does not reach."""
        ...

    async def find(self, entry_id: str) -> Placed | None:
        """Where an entry stands by now; None for an id nobody recorded."""
        ...

    async def entries(
        self, shard: str, *, before: int | None, limit: int, kind: str | None, actor: str | None
    ) -> Sequence[Placed]:
        """Newest first, looking at LOOKED_AT entries at most."""
        ...

    async def checkpoint(self, shard: str, *, at_least: int = 0, sealed: bool = False) -> KeptCheckpoint | None:
        """The smallest kept checkpoint that covers `at_least` entries (and is sealed)."""
        ...

    async def published(self, shard: str) -> KeptCheckpoint | None:
        """What /checkpoint gives out."""
        ...

    async def checkpoints(self, shard: str, *, before: int | None, limit: int) -> Sequence[KeptCheckpoint]:
        """Newest first."""
        ...

    async def unsealed_since(self, shard: str) -> datetime | None:
        """When the oldest entry was made that no sealed checkpoint covers, with or without an index; None where there is
        none."""
        ...

    async def inclusion(self, shard: str, number: int, size: int) -> Sequence[bytes]: ...

    async def consistency(self, shard: str, old: int, new: int) -> Sequence[bytes]: ...

    async def witnesses(self) -> Sequence[WitnessHealth]: ...

    async def exhibits(self, limit: int) -> Sequence[tuple[str, datetime, Exhibit]]:
        """Id, when, what; newest first."""
        ...
