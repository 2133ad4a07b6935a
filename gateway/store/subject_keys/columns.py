"""Columns that hold what a person is called and reached by: sealed under the person's own key, and once more under a data key.

Destroying the person's key closes them in every backup; the data key keeps them closed to whoever has the persons' keys alone.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.store.encryption import Place
from gateway.store.keys import Keys, Sealed
from gateway.store.subject_keys.ring import SubjectKeys

_BOTH = "+SUBJECT"  # behind the algorithm's id; without it, sealed before there were persons' keys


class PersonalColumns:
    def __init__(self, keys: Keys, ring: SubjectKeys) -> None:
        self._keys, self.ring = keys, ring

    async def seal(self, subject_id: str, *values: tuple[Place, bytes]) -> tuple[Sealed, ...]:
        """All under one key, in order."""
        inner = [(place, self.ring.seal(subject_id, place.associated_data(), plaintext)) for place, plaintext in values]
        return tuple(replace(one, alg_id=one.alg_id + _BOTH) for one in await self._keys.seal(*inner))

    async def unseal(self, subject_id: str, place: Place, sealed: Sealed) -> bytes:
        """Raises SubjectErased, CiphertextInvalid."""
        inner = await self._keys.unseal(place, replace(sealed, alg_id=sealed.alg_id.removesuffix(_BOTH)))
        return self.ring.unseal(subject_id, place.associated_data(), inner) if is_personal(sealed.alg_id) else inner


def is_personal(alg_id: str) -> bool:
    """False for what was sealed under a data key alone, and should be sealed anew."""
    return alg_id.endswith(_BOTH)
