"""A log as files below a directory, in the paths of tlog-tiles, and a server that gives out files and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from ledger.checkpoint import Checkpoint
from ledger.merkle import (
    Frontier,
    Node,
    consistency_ranges,
    inclusion_ranges,
    leaf_hash,
    proof_hashes,
)
from ledger.note import Note, Signer, sign_note
from ledger.proof import TlogProof
from ledger.tiles import HEIGHT, WIDTH, bundles_of, encode_bundle, span_of, tile_at, tiles_of


@dataclass
class StaticLog:
    """`logs` sign each checkpoint, `witnesses` cosign it at `at`."""

    directory: Path
    origin: str
    logs: Sequence[Signer]
    witnesses: Sequence[Signer] = ()
    at: int = 1700000000
    entries: list[bytes] = field(default_factory=list)
    frontier: Frontier = field(default_factory=Frontier)
    leaves: list[bytes] = field(default_factory=list)
    upper: dict[Node, bytes] = field(default_factory=dict)

    def append(self, entries: Sequence[bytes]) -> Note:
        """Write what is new, the checkpoint last."""
        before, hashes = self.frontier.size, [leaf_hash(one) for one in entries]
        self.frontier = self.frontier.extended(hashes, self.upper.__setitem__)
        self.leaves += hashes
        self.entries += entries
        for tile in tiles_of(self.frontier.size, after=before):
            self._write(tile.path, self._tile(tile.level, tile.n, tile.width))
        for tile in bundles_of(self.frontier.size, after=before):
            self._write(tile.path, encode_bundle(self.entries[tile.n * WIDTH :][: tile.width]))
        note = self.note()
        self._write("checkpoint", bytes(note))
        return note

    def note(self) -> Note:
        text = Checkpoint(self.origin, self.frontier.size, self.frontier.root()).text
        return sign_note(text, self.logs).with_signatures(one.sign(text, self.at) for one in self.witnesses)

    def proof(self, index: int) -> TlogProof:
        path = proof_hashes(inclusion_ranges(index, self.frontier.size), self.read)
        return TlogProof(index, tuple(path), self.note())

    def consistency(self, old: int) -> tuple[bytes, ...]:
        return tuple(proof_hashes(consistency_ranges(old, self.frontier.size), self.read))

    def read(self, nodes: Sequence[Node]) -> list[bytes]:
        """From the files, as any reader would."""
        found = []
        for span in map(span_of, nodes):
            tile = tile_at(span.level, span.n, self.frontier.size)
            assert tile is not None
            found.append(span.hash_in((self.directory / tile.path).read_bytes()))
        return found

    def _tile(self, level: int, n: int, width: int) -> bytes:
        numbers = range(n * WIDTH, n * WIDTH + width)
        if level == 0:
            return b"".join(self.leaves[number] for number in numbers)
        return b"".join(self.upper[Node(level * HEIGHT, number)] for number in numbers)

    def _write(self, path: str, data: bytes) -> None:
        file = self.directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


class _Files(SimpleHTTPRequestHandler):
    def guess_type(self, path: object) -> str:
        return "text/plain; charset=utf-8" if str(path).endswith("/checkpoint") else "application/octet-stream"

    def log_message(self, *args: object) -> None:
        return


@contextmanager
def served(directory: Path) -> Iterator[str]:
    """The base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=str(directory)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
