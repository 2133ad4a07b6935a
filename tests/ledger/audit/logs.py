"""A log as files, made with the library, and the hands of somebody who tampers with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from ledger.checkpoint import Checkpoint
from ledger.entry import Entry
from ledger.merkle import Frontier, Node, leaf_hash
from ledger.note import COSIGNATURE, ED25519, Note, Signer, sign_note
from ledger.policy import Policy, parse_policy
from ledger.tiles import ENTRIES, HEIGHT, WIDTH, Tile, encode_bundle, tiles_of

ORIGIN = "ledger.example/2026a"
BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LOG = Signer(ORIGIN, ED25519, bytes(range(32)))
AGENCIES = ("ga", "jcy", "fy", "sfj", "jy")
WITNESSES = tuple(Signer(f"{name}.example/w", COSIGNATURE, sha256(name.encode()).digest()) for name in AGENCIES)


def policy_text(quorum: int = 4, witnesses: Sequence[Signer] = WITNESSES) -> str:
    lines = [f"log {LOG.key}"]
    lines += [f"witness {name} {signer.key}" for name, signer in zip(AGENCIES, witnesses, strict=False)]
    return "\n".join([*lines, f"group Q {quorum} {' '.join(AGENCIES[: len(witnesses)])}", "quorum Q", ""])


def policy(quorum: int = 4) -> Policy:
    return parse_policy(policy_text(quorum))


def entry(number: int, *, actor: str = "GA", at: datetime | None = None) -> bytes:
    kind = ("query", "refusal", "consent", "alert")[number % 4]
    when = at or BEGAN + timedelta(seconds=7 * number)
    return bytes(Entry(kind, actor, when, sha256(str(number).encode()).digest()))


def entries(count: int, start: int = 0) -> list[bytes]:
    return [entry(number) for number in range(start, start + count)]


def signed(checkpoint: Checkpoint, witnesses: Iterable[Signer] = WITNESSES, log: Signer = LOG) -> Note:
    note = sign_note(checkpoint.text, [log])
    return note.with_signatures(one.sign(checkpoint.text, 1_767_000_000) for one in witnesses)


@dataclass
class Files:
    """A log of `held` entries at `path`. `publish` writes all its files anew, as an honest log would."""

    path: Path
    held: list[bytes] = field(default_factory=list)
    witnesses: Sequence[Signer] = WITNESSES

    def publish(self, *, checkpoint: bool = True) -> Files:
        self.write_bundles()
        self.write_tiles()
        if checkpoint:
            self.write("checkpoint", bytes(signed(self.checkpoint(), self.witnesses)))
        return self

    def checkpoint(self) -> Checkpoint:
        frontier = Frontier().extended(map(leaf_hash, self.held))
        return Checkpoint(ORIGIN, frontier.size, frontier.root())

    def write_bundles(self) -> None:
        for n in range(-(-len(self.held) // WIDTH)):
            self.write_bundle(n, self.held[n * WIDTH : (n + 1) * WIDTH])

    def write_bundle(self, n: int, held: Sequence[bytes]) -> None:
        width = min(WIDTH, len(self.held) - n * WIDTH)
        self.write(Tile(ENTRIES, n, width).path, encode_bundle(held))

    def write_tiles(self, levels: Callable[[int], bool] = lambda level: True) -> None:
        nodes = {Node(0, number): leaf_hash(one) for number, one in enumerate(self.held)}
        Frontier().extended(map(leaf_hash, self.held), nodes.__setitem__)
        for tile in tiles_of(len(self.held)):
            if levels(tile.level):
                numbers = range(tile.n * WIDTH, tile.n * WIDTH + tile.width)
                self.write(tile.path, b"".join(nodes[Node(tile.level * HEIGHT, number)] for number in numbers))

    def write(self, path: str, data: bytes) -> None:
        whole = self.path / path
        whole.parent.mkdir(parents=True, exist_ok=True)
        whole.write_bytes(data)

    def tile(self, level: int, n: int) -> Path:
        """The file of a tile or bundle as the log stands now."""
        hashes = len(self.held) >> (HEIGHT * max(level, 0))
        return self.path / Tile(level, n, min(WIDTH, hashes - n * WIDTH)).path

    def all_files(self) -> list[Path]:
        return sorted(one for one in self.path.rglob("*") if one.is_file())


def flip(path: Path, at: int, bits: int = 1) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= bits
    path.write_bytes(bytes(data))
