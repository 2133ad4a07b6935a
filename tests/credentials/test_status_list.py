"""Status lists as bytes and as tokens: the draft's vectors, what must not be believed, round trips."""

from __future__ import annotations

import json
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.errors import CredentialsError, StatusInvalid
from credentials.jose import LocalSigner, base64url, dumps, sign
from credentials.status_list import (
    BITS,
    INVALID,
    LARGEST,
    SUSPENDED,
    TYP,
    VALID,
    compress,
    decompress,
    make_token,
    pack,
    put,
    read_token,
    status_at,
)

VECTORS = json.loads(Path("tests/vectors/status_list/draft.json").read_text("utf-8"))["vectors"]
NOW = datetime(2026, 11, 26, 2, 0, tzinfo=UTC)
URI = "https://issuer.example/credentials/status/1"
SIGNER = LocalSigner.generate()


def token(packed: bytes = bytes(32), uri: str = URI, expires: datetime = NOW + timedelta(hours=1)) -> str:
    return make_token(SIGNER, uri, packed, issued_at=NOW, expires_at=expires, ttl_s=30, aggregation_uri="https://a")


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector['bits']} bits of {vector['size']}")
def test_the_vectors_of_the_draft(vector: dict[str, object]) -> None:
    bits, size = int(str(vector["bits"])), int(str(vector["size"]))
    statuses = {int(index): value for index, value in dict(vector["statuses"]).items()}  # type: ignore[call-overload]  # JSON
    packed = decompress(str(vector["lst"]))
    assert packed == pack(size, statuses, bits=bits)
    assert base64url(zlib.compress(packed, 9)) == vector["lst"]
    assert decompress(compress(packed)) == packed
    for index in {*statuses, 1, 2, size - 1}:
        assert status_at(packed, index, bits=bits) == statuses.get(index, 0)


@given(st.data(), st.sampled_from(BITS), st.integers(1, 3000))
def test_what_is_put_in_comes_out_through_a_token(data: st.DataObject, bits: int, size: int) -> None:
    entries = st.dictionaries(st.integers(0, size - 1), st.integers(0, (1 << bits) - 1), max_size=40)
    first, later = data.draw(entries), data.draw(entries)
    packed = bytearray(pack(size, first, bits=bits))
    put(packed, later, size=size, bits=bits)
    assert bytes(packed) == pack(size, first | later, bits=bits)
    made = make_token(
        SIGNER, URI, bytes(packed), issued_at=NOW, expires_at=NOW + timedelta(hours=1), ttl_s=1, bits=bits
    )
    read = read_token(made, SIGNER.public, URI, now=NOW)
    for index in {0, size - 1, *first, *later}:
        assert read.at(index) == (first | later).get(index, 0)


@pytest.mark.parametrize(
    ("size", "statuses", "bits"),
    [(4, {4: 1}, 2), (4, {-1: 1}, 2), (4, {0: 4}, 2), (4, {0: -1}, 2), (4, {0: 2}, 1), (4, {}, 3), (4, {0: 256}, 8)],
)
def test_what_does_not_fit_is_refused_and_nothing_is_set(size: int, statuses: dict[int, int], bits: int) -> None:
    with pytest.raises(StatusInvalid):
        pack(size, statuses, bits=bits)


def test_a_fault_among_many_leaves_the_list_as_it_was() -> None:
    packed = bytearray(4)
    with pytest.raises(StatusInvalid):
        put(packed, {0: 1, 99: 1}, size=16)
    assert packed == bytes(4)


@pytest.mark.parametrize("index", [-1, 128, 129, 2**70])
def test_an_index_outside_the_list_says_nothing(index: int) -> None:
    read = read_token(token(), SIGNER.public, URI, now=NOW)
    assert read.at(127) == VALID
    with pytest.raises(StatusInvalid):
        read.at(index)


def test_another_lists_token_an_expired_one_and_another_keys_are_refused() -> None:
    with pytest.raises(CredentialsError):
        read_token(token(uri=URI + "2"), SIGNER.public, URI, now=NOW)
    with pytest.raises(CredentialsError):
        read_token(token(), SIGNER.public, URI, now=NOW + timedelta(hours=1))
    with pytest.raises(CredentialsError):
        read_token(token(), LocalSigner.generate().public, URI, now=NOW)


def bomb() -> str:
    return base64url(zlib.compress(bytes(16 * LARGEST), 9))


LISTS = {
    "bomb": lambda: {"bits": 2, "lst": bomb()},
    "cut off": lambda: {"bits": 2, "lst": base64url(zlib.compress(bytes(1000))[:-3])},
    "more behind it": lambda: {"bits": 2, "lst": base64url(zlib.compress(bytes(1000)) + b"more")},
    "not zlib": lambda: {"bits": 2, "lst": base64url(b"nothing")},
    "bare deflate": lambda: {"bits": 2, "lst": base64url(zlib.compress(bytes(10))[2:-4])},
    "no base64": lambda: {"bits": 2, "lst": "***"},
    "padded": lambda: {"bits": 2, "lst": compress(bytes(30)) + "=="},
    "3 bits": lambda: {"bits": 3, "lst": compress(bytes(30))},
    "bits as text": lambda: {"bits": "2", "lst": compress(bytes(30))},
    "true bits": lambda: {"bits": True, "lst": compress(bytes(30))},
    "no list": lambda: {"bits": 2},
    "a list": lambda: [],
}


@pytest.mark.parametrize("kind", LISTS)
def test_a_list_that_is_none_is_refused_and_costs_no_memory(kind: str) -> None:
    claims = {"sub": URI, "iat": int(NOW.timestamp()), "ttl": 30, "status_list": LISTS[kind]()}
    made = sign(SIGNER, {"typ": TYP}, dumps(claims))
    with pytest.raises(CredentialsError):
        read_token(made, SIGNER.public, URI, now=NOW)


@pytest.mark.parametrize("typ", ["JWT", "statuslist+cwt", "dc+sd-jwt", None])
def test_a_token_of_another_kind_is_refused(typ: str | None) -> None:
    claims = {"sub": URI, "iat": int(NOW.timestamp()), "status_list": {"bits": 2, "lst": compress(bytes(4))}}
    with pytest.raises(CredentialsError):
        read_token(sign(SIGNER, {"typ": typ}, dumps(claims)), SIGNER.public, URI, now=NOW)


def test_values_are_the_registered_ones() -> None:
    assert (VALID, INVALID, SUSPENDED) == (0, 1, 2)
