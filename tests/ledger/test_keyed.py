"""The quick HMAC writes what the standard library's does, at every length where the two could part."""

from __future__ import annotations

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.keyed import keyed, keyed_each

# RFC 4231, test cases 1, 2, 3 and 6.
VECTORS = [
    (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    (b"\xaa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
]


@pytest.mark.parametrize(("key", "message", "digest"), VECTORS)
def test_published_vectors(key: bytes, message: bytes, digest: str) -> None:
    assert keyed(key, message).hex() == digest


@given(st.binary(max_size=140), st.binary(max_size=200))
def test_the_same_as_the_standard_library(key: bytes, message: bytes) -> None:
    assert keyed(key, message) == hmac.digest(key, message, "sha256")


@pytest.mark.parametrize("length", [0, 55, 56, 63, 64, 65, 4095, 4096, 4097])
def test_at_the_edges(length: int) -> None:
    for size in (0, 1, 32, 63, 64, 65):
        key, message = b"k" * size, b"m" * length
        assert keyed(key, message) == hmac.digest(key, message, "sha256")


@given(st.lists(st.tuples(st.binary(min_size=32, max_size=32), st.binary(max_size=200)), max_size=8))
def test_each_under_its_own_key_is_what_one_by_one_gives(pairs: list[tuple[bytes, bytes]]) -> None:
    keys, messages = b"".join(key for key, _ in pairs), [message for _, message in pairs]
    assert keyed_each(keys, messages) == [hmac.digest(key, message, "sha256") for key, message in pairs]
