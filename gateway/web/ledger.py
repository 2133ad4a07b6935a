"""The log as C2SP tlog-tiles asks for it: `/ledger/{shard}/checkpoint` and `/ledger/{shard}/tile/...`, for anybody.

Public data: no token, and pages of other sites may read it. Only what a published checkpoint covers is there.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections import OrderedDict

from starlette.types import Receive, Scope, Send

from gateway.services.ledger.ports import LedgerReader
from gateway.services.ledger.receipts import note_of
from gateway.web.problems import Headers, Refusal, Reply
from ledger.errors import Malformed
from ledger.tiles import ENTRIES, WIDTH, Tile, parse_path, tile_at

SHARD = re.compile(r"[0-9a-z]{1,16}")
TEXT = b"text/plain; charset=utf-8"
BYTES = b"application/octet-stream"
PUBLIC: Headers = ((b"access-control-allow-origin", b"*"),)
FOR_EVER = b"public, max-age=31536000, immutable"
_A_MOMENT = b"public, max-age=1"
_MOST_PACKED = 8 << 20


def shard_of(scope: Scope) -> str:
    """Raises Refusal NOT_FOUND for what is no name of a shard, or is written with escapes."""
    found: str = scope["path_params"]["shard"]
    if not SHARD.fullmatch(found) or b"%" in scope.get("raw_path", b""):
        raise Refusal("NOT_FOUND")
    return found


class CheckpointFile:
    """What was published last, with the cosignatures it has by now."""

    def __init__(self, reader: LedgerReader) -> None:
        self._reader = reader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = await self._reader.published(shard_of(scope))
        if found is None:
            raise Refusal("NOT_FOUND")
        await Reply(200, bytes(note_of(found)), TEXT, [*PUBLIC, (b"cache-control", _A_MOMENT)])(scope, receive, send)


class TileFiles:
    """Tiles and entry bundles. What is published only grows, so how far it reaches is asked again for more only."""

    def __init__(self, reader: LedgerReader) -> None:
        self._reader = reader
        self._published: dict[str, int] = {}
        self._packed: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._packed_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        shard, tile = shard_of(scope), _tile(scope)
        body = await self._reader.tile(shard, tile) if await self._is_public(shard, tile) else None
        if body is None:
            raise Refusal("NOT_FOUND")
        given = dict(scope["headers"])
        packed = tile.level == ENTRIES and b"gzip" in given.get(b"accept-encoding", b"")
        tag = b'"%b%b"' % (hashlib.sha256(body).hexdigest()[:32].encode(), b"-gz" if packed else b"")
        headers = [*PUBLIC, (b"cache-control", FOR_EVER), (b"etag", tag)]
        if tile.level == ENTRIES:
            headers.append((b"vary", b"accept-encoding"))
        if given.get(b"if-none-match") == tag:
            await Reply(304, b"", BYTES, headers)(scope, receive, send)
            return
        if packed:
            body = self._pack(shard, tile, body)
            headers.append((b"content-encoding", b"gzip"))
        await Reply(200, body, BYTES, headers)(scope, receive, send)

    async def _is_public(self, shard: str, tile: Tile) -> bool:
        if _reaches(self._published.get(shard, 0), tile):
            return True
        found = await self._reader.published(shard)
        if found is None:
            return False
        self._published[shard] = found.size  # of shards there are, so it stays small
        return _reaches(found.size, tile)

    def _pack(self, shard: str, tile: Tile, body: bytes) -> bytes:
        """Full bundles are packed once, as long as there is room."""
        if tile.width < WIDTH:
            return gzip.compress(body, 1, mtime=0)
        key = shard, tile.n
        found = self._packed.get(key)
        if found is None:
            found = self._packed[key] = gzip.compress(body, 6, mtime=0)
            self._packed_bytes += len(found)
            while self._packed_bytes > _MOST_PACKED:
                self._packed_bytes -= len(self._packed.popitem(last=False)[1])
        else:
            self._packed.move_to_end(key)
        return found


def _tile(scope: Scope) -> Tile:
    try:
        return parse_path(f"tile/{scope['path_params']['tile']}")
    except Malformed:
        raise Refusal("NOT_FOUND") from None


def _reaches(size: int, tile: Tile) -> bool:
    there = tile_at(tile.level, tile.n, size)
    return there is not None and there.width >= tile.width
