"""What seals and opens under one person's key, from the nodes held in memory."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.store.errors import CiphertextInvalid, SubjectErased
from gateway.store.subject_keys.tree import ROOT, SEED_BYTES, Cover, descend, leaf_of

_REMEMBERED = 20_000  # ciphers ready to use; about 10 MB
NONCE_BYTES = 12
_A256GCM = b"\x01"  # in front of what is sealed; SM4-GCM joins here


class SubjectKeys:
    """Seals under the key of a person, known or not: nothing is looked up, made or written for either.

    Ready ciphers are remembered for each reader apart: whom others ask about must not be answered sooner.
    """

    def __init__(self, cover: Cover, *, remembered: int = _REMEMBERED) -> None:
        self._cover, self._remembered = cover, remembered
        self._ready: OrderedDict[tuple[str, str], tuple[AESGCM, bool]] = OrderedDict()

    def seal(
        self, subject_id: str, place: bytes, plaintext: bytes, *, reader: str = "", nonce: bytes | None = None
    ) -> bytes:
        """nonce, ciphertext and tag behind a byte that names the algorithm; `place` says where it belongs.

        Where the key is destroyed it is sealed all the same, under a key nobody keeps. `nonce`: random and never used
        before, from whoever draws many at once.
        """
        cipher, _ = self._cipher(subject_id, reader)
        nonce = nonce or os.urandom(NONCE_BYTES)
        return _A256GCM + nonce + cipher.encrypt(nonce, plaintext, place)

    def seal_each(
        self,
        subjects: Sequence[str],
        place: bytes,
        plaintexts: Sequence[bytes],
        nonces: Sequence[bytes],
        *,
        reader: str,
    ) -> list[bytes]:
        """`seal` for each, at `place` and their own id."""
        known, used, sealed = self._ready.get, self._ready.move_to_end, []
        for subject_id, plaintext, nonce in zip(subjects, plaintexts, nonces, strict=True):
            found = known(key := (reader, subject_id))
            if found is None:
                found = self._cipher(subject_id, reader)
            else:
                used(key)
            sealed.append(_A256GCM + nonce + found[0].encrypt(nonce, plaintext, place + subject_id.encode()))
        return sealed

    def unseal(self, subject_id: str, place: bytes, sealed: bytes) -> bytes:
        """Raises SubjectErased where the key is destroyed, CiphertextInvalid."""
        cipher, exists = self._cipher(subject_id, "")
        if not exists:
            raise SubjectErased("this person's key is destroyed")
        if sealed[:1] != _A256GCM:
            raise CiphertextInvalid("sealed with an algorithm we do not have")
        try:
            return cipher.decrypt(sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :], place)
        except (InvalidTag, ValueError):
            raise CiphertextInvalid("a value sealed for a person does not open") from None

    def exists(self, subject_id: str) -> bool:
        """Whether the key is not destroyed."""
        return self._cover.above(leaf_of(subject_id)) is not None

    def take(self, cover: Cover) -> None:
        """Another cover, after something was destroyed: what was ready is forgotten."""
        self._cover = cover
        self._ready.clear()

    def _cipher(self, subject_id: str, reader: str) -> tuple[AESGCM, bool]:
        """And whether it is the person's; where that is destroyed it is another, at the same cost."""
        ready = self._ready.get((reader, subject_id))
        if ready is not None:
            self._ready.move_to_end((reader, subject_id))
            return ready
        leaf = leaf_of(subject_id)
        key = self._cover.key(leaf)
        exists = key is not None
        ready = AESGCM(key or descend(os.urandom(SEED_BYTES), ROOT, leaf)), exists
        self._ready[reader, subject_id] = ready
        if len(self._ready) > self._remembered:
            self._ready.popitem(last=False)
        return ready
