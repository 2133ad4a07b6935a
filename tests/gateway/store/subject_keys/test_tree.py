"""What is destroyed cannot be derived from anything that is kept, and nobody else loses anything."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.errors import CiphertextInvalid, SubjectErased
from gateway.store.subject_keys.ring import SubjectKeys
from gateway.store.subject_keys.tree import DEPTH, ROOT, Cover, leaf_of, new_tree, path_to

leaves = st.integers(0, 2**DEPTH - 1).map(lambda path: path | 1 << DEPTH)
LEFTMOST, RIGHTMOST = 1 << DEPTH, (1 << DEPTH + 1) - 1


def derivable(cover: Cover, leaf: int) -> bool:
    """By the book: some kept node stands above it."""
    return any(node in cover.seeds for node in path_to(leaf))


def test_a_known_tree_gives_known_keys() -> None:
    """Fixed for ever: other bytes would be other keys."""
    seed = bytes(32)
    for bit in f"{leaf_of('s1'):b}"[1:]:
        seed = hashlib.sha256(b"yimen/subject-key/" + bit.encode() + seed).digest()
    assert Cover({ROOT: bytes(32)}).key(leaf_of("s1")) == seed
    assert f"{leaf_of('s1'):x}" == "1" + hashlib.sha256(b"s1").hexdigest()[:16]


@given(
    st.lists(leaves | st.sampled_from([LEFTMOST, RIGHTMOST, LEFTMOST + 1]), max_size=6), st.lists(leaves, max_size=6)
)
def test_destroying_takes_these_and_no_others(gone: list[int], others: list[int]) -> None:
    whole = Cover(new_tree())
    cover = whole
    for number, leaf in enumerate(gone, 1):
        before = len(cover.seeds)
        cover = cover.without(leaf)
        assert len(cover.seeds) - before < DEPTH
        assert all(cover.key(one) is None and not derivable(cover, one) for one in gone[:number])
    for leaf in {*others, *(one ^ 1 for one in gone)} - set(gone):
        assert cover.key(leaf) == whole.key(leaf) is not None


@given(st.lists(leaves, min_size=2, max_size=5, unique=True), st.randoms())
def test_any_order_and_any_repetition_is_the_same(gone: list[int], random: object) -> None:
    start = Cover(new_tree())
    one, other, shuffled = start, start, [*gone, *gone]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for leaf in gone:
        one = one.without(leaf)
    for leaf in shuffled:
        other = other.without(leaf)
    assert one.seeds == other.seeds


@given(st.lists(leaves, min_size=2, max_size=20, unique=True))
def test_keys_differ(some: list[int]) -> None:
    cover = Cover(new_tree())
    assert len({cover.key(leaf) for leaf in some}) == len(some)


def test_what_was_sealed_opens_until_the_key_is_destroyed() -> None:
    cover = Cover(new_tree())
    ring = SubjectKeys(cover)
    sealed = {who: ring.seal(who, b"here", who.encode(), reader="org-1") for who in ("s1", "s2")}
    assert ring.unseal("s1", b"here", sealed["s1"]) == b"s1"
    ring.take(cover.without(leaf_of("s1")))
    assert (ring.exists("s1"), ring.exists("s2")) == (False, True)
    late = ring.seal("s1", b"here", b"late", reader="org-1")
    for one in (sealed["s1"], late):
        for _ in range(2):  # from the cache, too
            with pytest.raises(SubjectErased):
                ring.unseal("s1", b"here", one)
    assert len(late) == len(sealed["s1"]) + 2
    assert ring.unseal("s2", b"here", sealed["s2"]) == b"s2"


@pytest.mark.parametrize(
    "spoil", [lambda s: s[:-1], lambda s: b"", lambda s: b"\x02" + s[1:], lambda s: s[:-1] + bytes([s[-1] ^ 1])]
)
def test_what_was_altered_or_moved_does_not_open(spoil: object) -> None:
    ring = SubjectKeys(Cover(new_tree()))
    sealed = ring.seal("s1", b"here", b"word")
    with pytest.raises(CiphertextInvalid):
        ring.unseal("s1", b"here", spoil(sealed))  # type: ignore[operator]
    for who, place in (("s2", b"here"), ("s1", b"there")):
        with pytest.raises(CiphertextInvalid):
            ring.unseal(who, place, sealed)


def test_no_more_is_remembered_than_said() -> None:
    ring = SubjectKeys(Cover(new_tree()), remembered=3)
    for number in range(10):
        ring.seal(f"s{number}", b"", b"")
    assert len(ring._ready) == 3
