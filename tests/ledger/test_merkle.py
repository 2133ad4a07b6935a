"""The tree in all its sizes, against its definition in RFC 6962, which is written out here a second time."""

from __future__ import annotations

from functools import cache
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import InvalidProof
from ledger.merkle import (
    EMPTY_ROOT,
    Frontier,
    Node,
    Range,
    consistency_ranges,
    fold,
    inclusion_ranges,
    leaf_hash,
    nodes_of,
    proof_hashes,
    root_of,
    verify_consistency,
    verify_inclusion,
)

LARGEST = 600
LEAVES = [leaf_hash(b"%d" % number) for number in range(LARGEST)]
FOREIGN = sha256(b"foreign").digest()


@cache
def mth(start: int, end: int) -> bytes:
    """MTH(D[start:end]), as the RFC defines it."""
    if end - start == 1:
        return LEAVES[start]
    k = 1
    while k * 2 < end - start:
        k *= 2
    return sha256(b"\1" + mth(start, start + k) + mth(start + k, end)).digest()


def path(index: int, start: int, end: int) -> list[bytes]:
    """PATH(index, D[start:end]), as the RFC defines it; `index` counts from 0."""
    if end - start == 1:
        return []
    k = 1
    while k * 2 < end - start:
        k *= 2
    if index < start + k:
        return [*path(index, start, start + k), mth(start + k, end)]
    return [*path(index, start + k, end), mth(start, start + k)]


def subproof(old: int, start: int, end: int, *, whole: bool) -> list[bytes]:
    """SUBPROOF(old - start, D[start:end], whole), as the RFC defines it."""
    if old == end:
        return [] if whole else [mth(start, end)]
    k = 1
    while k * 2 < end - start:
        k *= 2
    if old <= start + k:
        return [*subproof(old, start, start + k, whole=whole), mth(start + k, end)]
    return [*subproof(old, start + k, end, whole=False), mth(start, start + k)]


def ours(ranges: list[Range]) -> list[bytes]:
    return proof_hashes(ranges, lambda nodes: [mth(n << h, (n + 1) << h) for h, n in nodes])


def spoiled(hashes: list[bytes]) -> list[list[bytes]]:
    """Every list that differs in one hash removed, added, swapped with its neighbour, replaced, or in order."""
    found = [hashes[:at] + hashes[at + 1 :] for at in range(len(hashes))]
    found += [[*hashes[:at], FOREIGN, *hashes[at:]] for at in range(len(hashes) + 1)]
    found += [[*hashes[:at], hashes[at], *hashes[at:]] for at in range(len(hashes))]
    found += [[*hashes[:at], FOREIGN, *hashes[at + 1 :]] for at in range(len(hashes))]
    found += [[*hashes[:at], hashes[at + 1], hashes[at], *hashes[at + 2 :]] for at in range(len(hashes) - 1)]
    found += [hashes[::-1], [], [*hashes, *hashes]]
    return [one for one in found if one != hashes]


sizes = st.integers(1, LARGEST)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[int, int]:
    second = draw(sizes)
    return draw(st.integers(0, second - 1)), second


def test_every_size_has_the_root_of_the_definition() -> None:
    frontier = Frontier()
    assert frontier.root() == EMPTY_ROOT
    for size, leaf in enumerate(LEAVES, 1):
        frontier = frontier.extended([leaf])
        assert frontier.root() == mth(0, size)
        assert list(frontier.hashes) == [mth(n << h, (n + 1) << h) for h, n in nodes_of(Range(0, size))]


@given(pairs())
def test_a_tree_grown_in_two_steps_is_the_tree(pair: tuple[int, int]) -> None:
    first, size = pair
    grown = Frontier().extended(LEAVES[:first]).extended(LEAVES[first:size])
    assert grown == Frontier().extended(LEAVES[:size])
    assert grown.root() == root_of(LEAVES[:size]) == mth(0, size)


@given(pairs(), st.sampled_from([1, 2, 8]))
def test_each_subtree_is_told_once_as_it_becomes_perfect(pair: tuple[int, int], every: int) -> None:
    first, size = pair
    told: dict[Node, bytes] = {}

    def completed(node: Node, found: bytes) -> None:
        assert node not in told
        told[node] = found

    Frontier().extended(LEAVES[:first]).extended(LEAVES[first:size], completed, every=every)
    expected = {
        Node(height, number): mth(number << height, (number + 1) << height)
        for height in range(every, 10, every)
        for number in range(first >> height, size >> height)
    }
    assert told == expected


def test_all_paths_of_all_small_trees() -> None:
    for size in range(1, 70):
        for index in range(size):
            found = ours(inclusion_ranges(index, size))
            assert found == path(index, 0, size)
            verify_inclusion(LEAVES[index], index, size, found, mth(0, size))


@settings(max_examples=200, deadline=None)
@given(pairs())
def test_a_path_verifies_and_nothing_near_it_does(pair: tuple[int, int]) -> None:
    index, size = pair
    found, root, leaf = ours(inclusion_ranges(index, size)), mth(0, size), LEAVES[index]
    assert found == path(index, 0, size)
    verify_inclusion(leaf, index, size, found, root)
    for wrong in spoiled(found):
        with pytest.raises(InvalidProof):
            verify_inclusion(leaf, index, size, wrong, root)
    wrongs = [(FOREIGN, index, root), (leaf, index, FOREIGN), (leaf, size, root), (leaf, -1, root)]
    wrongs += [(leaf, other, root) for other in (index - 1, index + 1) if 0 <= other < size]
    for other_leaf, other_index, other_root in wrongs:
        with pytest.raises(InvalidProof):
            verify_inclusion(other_leaf, other_index, size, found, other_root)


@settings(max_examples=200, deadline=None)
@given(pairs())
def test_a_consistency_proof_verifies_and_nothing_near_it_does(pair: tuple[int, int]) -> None:
    old, new = pair[0] + 1, pair[1]
    proof = ours(consistency_ranges(old, new))
    assert proof == subproof(old, 0, new, whole=True)
    verify_consistency(old, new, mth(0, old), mth(0, new), proof)
    wrongs = [(mth(0, old), mth(0, new), wrong) for wrong in spoiled(proof)]
    wrongs += [(FOREIGN, mth(0, new), proof), (mth(0, old), FOREIGN, proof)]
    for old_root, new_root, wrong in wrongs:
        with pytest.raises(InvalidProof):
            verify_consistency(old, new, old_root, new_root, wrong)


def test_all_consistency_proofs_of_all_small_trees() -> None:
    for new in range(1, 50):
        for old in range(1, new + 1):
            proof = ours(consistency_ranges(old, new))
            assert proof == subproof(old, 0, new, whole=True)
            verify_consistency(old, new, mth(0, old), mth(0, new), proof)


def test_every_tree_continues_the_empty_one_and_itself() -> None:
    verify_consistency(0, 5, EMPTY_ROOT, mth(0, 5), [])
    verify_consistency(5, 5, mth(0, 5), mth(0, 5), [])
    assert consistency_ranges(0, 5) == consistency_ranges(5, 5) == consistency_ranges(0, 0) == []
    for old, new, old_root, new_root, proof in [
        (0, 5, EMPTY_ROOT, mth(0, 5), [FOREIGN]),
        (0, 5, FOREIGN, mth(0, 5), []),
        (5, 5, mth(0, 5), FOREIGN, []),
        (5, 5, mth(0, 5), mth(0, 5), [FOREIGN]),
        (5, 5, b"short", b"short", []),
        (6, 5, mth(0, 6), mth(0, 5), []),
        (-1, 5, EMPTY_ROOT, mth(0, 5), []),
    ]:
        with pytest.raises(InvalidProof):
            verify_consistency(old, new, old_root, new_root, proof)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_hash_is_32_bytes(length: int) -> None:
    with pytest.raises(InvalidProof):
        verify_inclusion(LEAVES[0], 0, 2, [b"\0" * length], mth(0, 2))
    with pytest.raises(InvalidProof):
        verify_consistency(1, 2, LEAVES[0], mth(0, 2), [b"\0" * length])
    with pytest.raises(InvalidProof):
        Frontier(1, (b"\0" * length,))


@pytest.mark.parametrize(("size", "hashes"), [(1, 0), (3, 1), (4, 2), (-1, 1), (0, 1)])
def test_a_frontier_has_one_hash_for_each_bit_of_its_size(size: int, hashes: int) -> None:
    with pytest.raises(InvalidProof):
        Frontier(size, (FOREIGN,) * hashes)


def test_there_is_no_path_outside_a_tree_and_no_proof_of_a_tree_that_shrank() -> None:
    for index, size in [(0, 0), (7, 7), (-1, 7)]:
        with pytest.raises(InvalidProof):
            inclusion_ranges(index, size)
    for old, new in [(8, 7), (-1, 7)]:
        with pytest.raises(InvalidProof):
            consistency_ranges(old, new)
    with pytest.raises(InvalidProof):
        nodes_of(Range(1, 4))


def test_hashes_that_do_not_come_are_an_error_of_ours() -> None:
    with pytest.raises(InvalidProof):
        proof_hashes(inclusion_ranges(0, 7), lambda nodes: [FOREIGN] * (len(nodes) - 1))


def test_a_range_is_the_fold_of_its_subtrees() -> None:
    for start, end in [(0, 7), (64, 100), (512, 600)]:
        assert fold([mth(n << h, (n + 1) << h) for h, n in nodes_of(Range(start, end))]) == mth(start, end)
