"""Tiles and bundles: where they are, what they hold, and that the tree's hashes are found in them again."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import Malformed
from ledger.merkle import (
    Frontier,
    Node,
    Range,
    consistency_ranges,
    inclusion_ranges,
    leaf_hash,
    nodes_of,
    proof_hashes,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from ledger.tiles import (
    ENTRIES,
    WIDTH,
    Span,
    Tile,
    bundles_of,
    decode_bundle,
    encode_bundle,
    parse_path,
    span_of,
    split_hashes,
    tile_at,
    tiles_of,
)

LARGEST = 70_000
LEAVES = [leaf_hash(b"%d" % number) for number in range(LARGEST)]


def tiles_in(size: int) -> dict[Tile, bytes]:
    """Every tile of a tree, from its definition: hash i of tile (L, N) is the root over full subtrees of 256^L entries."""
    level, found = 0, {}
    hashes = LEAVES[:size]
    while hashes:
        for n in range(0, len(hashes), WIDTH):
            part = hashes[n : n + WIDTH]
            found[Tile(level, n // WIDTH, len(part))] = b"".join(part)
        hashes = [root_of(hashes[at : at + WIDTH]) for at in range(0, len(hashes) - WIDTH + 1, WIDTH)]
        level += 1
    return found


TILES = tiles_in(LARGEST)


def read(nodes: list[Node], size: int, tiles: dict[Tile, bytes]) -> list[bytes]:
    found = []
    for node in nodes:
        span = span_of(node)
        tile = tile_at(span.level, span.n, size)
        assert tile is not None
        found.append(span.hash_in(tiles[tile]))
    return found


def test_the_tiles_of_the_specifications_examples() -> None:
    paths = [one.path for one in tiles_of(70000)]
    assert len(paths) == 274 + 2 + 1
    assert paths[:2] == ["tile/0/000", "tile/0/001"]
    assert paths[272:] == ["tile/0/272", "tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"]
    assert [one.path for one in tiles_of(256)] == ["tile/0/000", "tile/1/000.p/1"]
    assert [one.path for one in bundles_of(257)] == ["tile/entries/000", "tile/entries/001.p/1"]
    assert list(tiles_of(0)) == list(bundles_of(0)) == []


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 999), "tile/0/999"),
        (Tile(63, 1000), "tile/63/x001/000"),
        (Tile(0, 2**55 - 1), "tile/0/x036/x028/x797/x018/x963/967"),
        (Tile(1, 1234067), "tile/1/x001/x234/067"),
        (Tile(0, 273, 112), "tile/0/273.p/112"),
        (Tile(ENTRIES, 1000, 1), "tile/entries/x001/000.p/1"),
        (Tile(ENTRIES, 0, 255), "tile/entries/000.p/255"),
    ],
)
def test_published_paths(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert parse_path(path) == tile


@given(
    st.builds(
        Tile, st.integers(-1, 63), st.one_of(st.integers(0, 2000), st.integers(0, 2**55 - 1)), st.integers(1, WIDTH)
    )
)
def test_a_path_is_read_back(tile: Tile) -> None:
    assert parse_path(tile.path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/1000",
        "tile/00/000",
        "tile/64/000",
        "tile/99/000",
        "tile/100/000",
        "tile/-1/000",
        "tile/+1/000",
        "tile/data/000",
        "tile/entries",
        "tile/Entries/000",
        "tile/0/x000/000",
        "tile/0/x001",
        "tile/0/001/000",
        "tile/0/x01/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000.p/-1",
        "tile/0/000.p/1\n",
        "tile/0/000\0",
        "tile/0/٠٠٠",
        "tile/0/../000",
        "tile/0/x036/x028/x797/x018/x963/968",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
        "tile/0/" + "x001/" * 1000 + "000",
    ],
)
def test_what_is_not_a_path(path: str) -> None:
    with pytest.raises(Malformed):
        parse_path(path)


@given(st.text(max_size=60) | st.from_regex(r"tile/[0-9a-z]{0,3}/[x0-9/]{0,12}(\.p/[0-9]{0,4})?"))
def test_whatever_is_read_is_written_the_same(path: str) -> None:
    try:
        tile = parse_path(path)
    except Malformed:
        return
    assert tile.path == path


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.integers(1, 1500), st.sampled_from([65535, 65536, 65537, 65792, LARGEST])))
def test_tiles_hold_what_the_definition_says(size: int) -> None:
    tiles = tiles_in(size)
    assert list(tiles_of(size)) == list(tiles)
    assert all(tile_at(tile.level, tile.n, size) == tile for tile in tiles)
    assert [tile_at(level, len(list(tiles)), size) for level in range(64)] == [None] * 64
    assert [tile.n for tile in bundles_of(size)] == [tile.n for tile in tiles if tile.level == 0]
    assert [tile.width for tile in bundles_of(size)] == [tile.width for tile in tiles if tile.level == 0]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, LARGEST), st.integers(0, LARGEST))
def test_what_is_new_since_a_smaller_tree(one: int, other: int) -> None:
    after, size = sorted((one, other))
    full = {tile for tile in tiles_of(after) if tile.width == WIDTH}
    assert [tile for tile in tiles_of(size) if tile not in full] == list(tiles_of(size, after=after))
    whole = {tile for tile in bundles_of(after) if tile.width == WIDTH}
    assert [tile for tile in bundles_of(size) if tile not in whole] == list(bundles_of(size, after=after))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 1100), st.data())
def test_proofs_are_made_from_tiles(size: int, data: st.DataObject) -> None:
    tiles, root = tiles_in(size), root_of(LEAVES[:size])
    assert read(nodes_of(Range(0, size)), size, tiles) == list(Frontier().extended(LEAVES[:size]).hashes)
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    path = proof_hashes(inclusion_ranges(index, size), lambda nodes: read(list(nodes), size, tiles))
    verify_inclusion(LEAVES[index], index, size, path, root)
    proof = proof_hashes(consistency_ranges(old, size), lambda nodes: read(list(nodes), size, tiles))
    verify_consistency(old, size, root_of(LEAVES[:old]), root, proof)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 16), st.integers(0, LARGEST))
def test_a_subtrees_hash_is_found_in_its_tile(height: int, number: int) -> None:
    number %= LARGEST >> height
    start, end = number << height, (number + 1) << height
    span = span_of(Node(height, number))
    assert span.first + span.count <= WIDTH
    assert read([Node(height, number)], LARGEST, TILES) == [root_of(LEAVES[start:end])]


@pytest.mark.parametrize("size", [255, 256, 257, 65535, 65536, 65537, LARGEST])
def test_what_the_frontier_tells_is_what_goes_into_upper_tiles(size: int) -> None:
    told: dict[Node, bytes] = {}
    Frontier().extended(LEAVES[:size], told.__setitem__)
    upper = [(tile.level, tile.n * WIDTH + at, one) for tile, data in tiles_in(size).items() if tile.level
             for at, one in enumerate(split_hashes(data))]  # fmt: skip
    assert {(node.height // 8, node.number): one for node, one in told.items()} == {(a, b): one for a, b, one in upper}
    assert all(node.height % 8 == 0 for node in told)


def test_a_tile_that_is_too_short_or_no_hashes() -> None:
    with pytest.raises(Malformed):
        Span(0, 0, 2, 2).hash_in(b"\0" * 32 * 3)
    with pytest.raises(Malformed):
        Span(0, 0, 0, 1).hash_in(b"\0" * 31)
    with pytest.raises(Malformed):
        split_hashes(b"\0" * 33)


@given(st.lists(st.binary(max_size=40), max_size=WIDTH), st.data())
def test_a_bundle_is_read_back_also_in_part(entries: list[bytes], data: st.DataObject) -> None:
    bundle = encode_bundle(entries)
    assert decode_bundle(bundle, len(entries)) == entries
    width = data.draw(st.integers(0, len(entries)))
    assert decode_bundle(bundle, width) == entries[:width]
    with pytest.raises(Malformed):
        decode_bundle(bundle, len(entries) + 1)
    if bundle:
        cut = data.draw(st.integers(1, len(bundle)))
        with pytest.raises(Malformed):
            decode_bundle(bundle[:-cut], len(entries))


def test_an_entry_has_at_most_65535_bytes() -> None:
    largest = b"\0" * 65535
    assert decode_bundle(encode_bundle([largest, b"", largest]), 3) == [largest, b"", largest]
    assert encode_bundle([b"ab", b""]) == b"\0\2ab\0\0"
    with pytest.raises(Malformed):
        encode_bundle([largest + b"\0"])


def test_a_bundle_of_more_than_256_entries_is_none() -> None:
    assert decode_bundle(b"\0\0" * 256, 256) == [b""] * 256
    with pytest.raises(Malformed):
        decode_bundle(b"\0\0" * 257, 256)


def test_one_byte_of_a_length_is_no_length() -> None:
    with pytest.raises(Malformed):
        decode_bundle(b"\0", 0)
    with pytest.raises(Malformed):
        decode_bundle(b"\0\1", 0)


def test_bundles_hash_to_level_0() -> None:
    entries = [b"%d" % number for number in range(256)]
    assert [leaf_hash(one) for one in decode_bundle(encode_bundle(entries), 256)] == split_hashes(TILES[Tile(0, 0)])
    assert TILES[Tile(2, 0, 1)] == root_of(LEAVES[:65536])
    assert sha256(TILES[Tile(1, 0)]).digest() == sha256(tiles_in(65536)[Tile(1, 0)]).digest()
