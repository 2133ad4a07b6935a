"""The log over real HTTP, as C2SP tlog-tiles asks: what is there, for how long it may be kept, and that it hashes to the root."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest

from ledger.merkle import Frontier, leaf_hash, root_of, verify_consistency
from ledger.note import parse_note
from ledger.policy import parse_policy, verify_checkpoint
from ledger.tiles import bundles_of, decode_bundle, split_hashes, tiles_of
from tests.gateway.web.ledger_house import LedgerHouse, ledger_house

pytestmark = pytest.mark.anyio


@pytest.fixture
async def house() -> AsyncIterator[LedgerHouse]:
    async with ledger_house() as opened:
        yield opened


async def body(house: LedgerHouse, path: str) -> bytes:
    reply = await house.get(f"/ledger/2026/{path}")
    assert reply.status == 200, path
    found: bytes = await reply.read()
    return found


@pytest.mark.parametrize("size", [1, 255, 256, 257, 700])
async def test_the_whole_log_is_fetched_and_hashes_to_what_was_signed(house: LedgerHouse, size: int) -> None:
    house.ledger.grow(size)
    house.ledger.sign("GA", "JCY", "FY", "SFJ")
    policy = parse_policy(await house.walk.policy_text())
    believed = verify_checkpoint(parse_note(await body(house, "checkpoint")), policy)
    assert believed.satisfied
    assert believed.checkpoint.size == size
    leaves: list[bytes] = []
    for tile in bundles_of(size):
        leaves += map(leaf_hash, decode_bundle(await body(house, tile.path), tile.width))
    assert root_of(leaves) == believed.checkpoint.root
    hashes = {tile: split_hashes(await body(house, tile.path)) for tile in tiles_of(size)}
    assert [one for tile, found in sorted(hashes.items()) if tile.level == 0 for one in found] == leaves
    for tile, found in hashes.items():
        assert len(found) == tile.width
        if tile.level == 1:
            assert found == [root_of(leaves[at * 256 : at * 256 + 256]) for at in range(tile.width)]


async def test_partial_tiles_are_there_for_every_size_that_was_published(house: LedgerHouse) -> None:
    roots = []
    for _ in range(5):
        house.ledger.grow(3)
        roots.append(house.ledger.sign("GA"))
    for kept in roots:
        (tile,) = tiles_of(kept.size)
        assert Frontier().extended(split_hashes(await body(house, tile.path))).root() == kept.root
    old, new = roots[0], roots[-1]
    verify_consistency(
        old.size, new.size, old.root, new.root, await house.ledger.consistency("2026", old.size, new.size)
    )


@pytest.mark.parametrize(
    "path",
    [
        "2025/checkpoint", "2026/checkpoint/", "2026/tile/0/000.p/8", "2026/tile/0/000", "2026/tile/1/000.p/1",
        "2026/tile/entries/000.p/8", "2026/tile/entries/001", "2026/tile/0/001.p/1", "2026/tile/0/000.p/0",
        "2026/tile/0/000.p/256", "2026/tile/0/000.p/07", "2026/tile/00/000.p/7", "2026/tile/0/0.p/7",
        "2026/tile/0/x000/000.p/7", "2026/tile/64/000.p/1", "2026/tile/-1/000.p/1", "2026/tile/0/000.p/7/",
        "2026/tile/0/000.p%2F7", "2026/tile/%30/000.p/7", "%32026/checkpoint", "2026/tile/data/000.p/7",
        "2025/tile/0/000.p/7", "2026/tile/", "2026/tile/0/" + "x999/" * 40 + "000",
    ],
)  # fmt: skip
async def test_what_no_published_checkpoint_reaches_is_not_there(house: LedgerHouse, path: str) -> None:
    house.ledger.grow(7)
    house.ledger.sign("GA")
    house.ledger.grow(3)
    house.ledger.sign("GA", publish=False)  # kept, not given out yet
    assert (await house.get("/ledger/2026/tile/0/000.p/7")).status == 200
    reply = await house.get(f"/ledger/{path}")
    assert reply.status == 404
    assert "immutable" not in reply.headers.get("cache-control", "")
    house.ledger.sign("GA")
    assert (await house.get("/ledger/2026/tile/0/000.p/8")).status == 200  # once it is, it is there


async def test_nothing_is_there_before_the_first_checkpoint(house: LedgerHouse) -> None:
    house.ledger.grow(2)
    for path in ("checkpoint", "tile/0/000.p/1", "tile/entries/000.p/1"):
        assert (await house.get(f"/ledger/2026/{path}")).status == 404


async def test_how_long_it_may_be_kept_and_by_whom(house: LedgerHouse) -> None:
    house.ledger.grow(256)
    house.ledger.sign("GA")
    checkpoint = await house.get("/ledger/2026/checkpoint", origin="https://elsewhere.example")
    assert checkpoint.headers["content-type"] == "text/plain; charset=utf-8"
    assert checkpoint.headers["cache-control"] == "public, max-age=1"
    assert checkpoint.headers["access-control-allow-origin"] == "*"
    tile = await house.get("/ledger/2026/tile/0/000")
    assert tile.headers["content-type"] == "application/octet-stream"
    assert tile.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert tile.headers["access-control-allow-origin"] == "*"
    assert "set-cookie" not in tile.headers
    again = await house.get("/ledger/2026/tile/0/000", if_none_match=tile.headers["etag"])
    assert (again.status, await again.read()) == (304, b"")
    assert (await house.get("/ledger/2026/tile/0/000", method="POST")).status == 405


async def test_head_says_the_same_without_a_body(house: LedgerHouse) -> None:
    house.ledger.grow(3)
    house.ledger.sign("GA")
    for path in ("checkpoint", "tile/0/000.p/3", "tile/entries/000.p/3"):
        got = await house.get(f"/ledger/2026/{path}")
        head = await house.get(f"/ledger/2026/{path}", method="HEAD")
        assert (head.status, await head.read()) == (200, b"")
        assert head.headers["content-length"] == str(len(await got.read())) or "content-encoding" in got.headers


async def test_bundles_are_packed_where_that_is_welcome_and_tiles_never(house: LedgerHouse) -> None:
    house.ledger.grow(300)
    house.ledger.sign("GA")

    async def raw(path: str, accept: bytes) -> bytes:
        ask = b"GET %b HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\naccept-encoding: %b\r\n\r\n"
        return await house.web.talk(ask % (path.encode(), accept))

    for path in ("/ledger/2026/tile/entries/000", "/ledger/2026/tile/entries/001.p/44"):
        plain_head, _, plain = (await raw(path, b"identity")).partition(b"\r\n\r\n")
        for _ in range(2):  # made, and remembered
            head, _, packed = (await raw(path, b"gzip")).partition(b"\r\n\r\n")
            assert b"content-encoding: gzip" in head.lower()
            assert gzip.decompress(packed) == plain
        assert b"vary: accept-encoding" in head.lower()
        assert b"content-encoding" not in plain_head.lower()
    assert b"content-encoding" not in (await raw("/ledger/2026/tile/0/000", b"gzip")).partition(b"\r\n\r\n")[0].lower()


async def test_a_tile_costs_one_read(house: LedgerHouse) -> None:
    house.ledger.grow(256)
    house.ledger.sign("GA")
    await house.get("/ledger/2026/tile/0/000")
    before = house.ledger.reads
    replies = await asyncio.gather(*(house.get("/ledger/2026/tile/0/000") for _ in range(20)))
    assert {one.status for one in replies} == {200}
    assert house.ledger.reads == before + 20
    assert house.web.execute.requests == []  # nothing of this is a query
