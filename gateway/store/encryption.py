"""Envelope encryption: columns are sealed with data keys, data keys are wrapped by the master key. Pure, no database.

AES-256-GCM with a random 96-bit nonce (NIST SP 800-38D, 8.2.2: fewer than 2^32 values a key). The associated data is
table, column and row, so a ciphertext means nothing anywhere else. Stored form: nonce || ciphertext || tag.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.store.errors import CiphertextInvalid

KEY_BYTES = 32
NONCE_BYTES = 12
_TAG_BYTES = 16


class Aead(Protocol):
    """An authenticated cipher under one key."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None, /) -> bytes: ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None, /) -> bytes: ...


ALGORITHMS: Mapping[str, Callable[[bytes], Aead]] = {"A256GCM": AESGCM}
"""Algorithm id, as stored beside every ciphertext -> cipher from a 32-byte key. SM4-GCM joins here."""

DEFAULT_ALGORITHM = "A256GCM"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a ciphertext belongs."""

    table: str
    column: str
    row_id: str

    def associated_data(self) -> bytes:
        return _joined("yimen/v1", self.table, self.column, self.row_id)


def seal(algorithm: str, key: bytes, place: Place, plaintext: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + _aead(algorithm, key).encrypt(nonce, plaintext, place.associated_data())


def unseal(algorithm: str, key: bytes, place: Place, sealed: bytes) -> bytes:
    """Raises CiphertextInvalid for anything `seal` did not make with this key for this place."""
    if len(sealed) < NONCE_BYTES + _TAG_BYTES:
        raise CiphertextInvalid("a sealed value is too short")
    aead = _aead(algorithm, key)
    try:
        return aead.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place.associated_data())
    except InvalidTag:
        raise CiphertextInvalid(f"a sealed value of {place.table}.{place.column} does not open") from None


def derive(secret: bytes, label: str) -> bytes:
    """32 bytes for one named use; different labels tell nothing about each other. Source: RFC 5869 with SHA-256."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"yimen/" + label.encode()).derive(secret)


def master_id(master_key: bytes) -> str:
    """Tells master keys apart in the open; 64 bits of a one-way derivation."""
    return derive(master_key, "master-id/v1")[:8].hex()


def _joined(*parts: str) -> bytes:
    """Unambiguous: no two lists of parts give the same bytes."""
    return b"".join(len(encoded).to_bytes(4, "big") + encoded for encoded in (part.encode() for part in parts))


def _aead(algorithm: str, key: bytes) -> Aead:
    try:
        return ALGORITHMS[algorithm](key)
    except (KeyError, ValueError):
        raise CiphertextInvalid(f"sealed with an algorithm we do not have: {algorithm[:16]!r}") from None
