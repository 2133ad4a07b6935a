"""Sets of public keys (JWKS, RFC 7517 5): chosen from by `kid`, which selects and nothing more."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from gateway.oauth.jose import JoseInvalid, Jws, PublicKey, read_key

MOST_KEYS = 20
_KEPT = 512


class KeySet:
    """Keys to verify with."""

    def __init__(self, keys: Sequence[PublicKey]) -> None:
        self._keys = tuple(keys)

    def __len__(self) -> int:
        return len(self._keys)

    def select(self, jws: Jws) -> PublicKey:
        """The one key `jws` may be signed with: that of its `kid`, or without a `kid` the only one that fits its `alg`.

        Raises JoseInvalid where there is none, or more than one.
        """
        kid, alg = jws.kid, jws.header["alg"]
        fitting = [key for key in self._keys if alg in key.algorithms and (kid is None or key.kid == kid)]
        if len(fitting) != 1:
            raise JoseInvalid("no_key")
        return fitting[0]


def read_jwks(jwks: Mapping[str, Any]) -> KeySet:
    """Every key of `jwks` we can use; others are passed over, as RFC 7517 5 wants. Raises JoseInvalid for no JWKS."""
    keys = []
    for jwk in _listed(jwks):
        try:
            keys.append(read_key(jwk))
        except JoseInvalid:
            continue
    return KeySet(keys)


def check_jwks(jwks: Any) -> None:
    """For a registration, where nothing is passed over: at least one key, each one ours to use and public, `kid`s unique
    and, with more than one key, present. Raises JoseInvalid with `why`: jwks, key, key_use, kid, ..."""
    keys = [read_key(jwk) for jwk in _listed(jwks)]
    kids = [key.kid for key in keys]
    if not keys:
        raise JoseInvalid("jwks")
    if len(set(kids)) != len(kids) or (len(kids) > 1 and None in kids):
        raise JoseInvalid("kid")


class KeySets:
    """`read_jwks`, remembered by content: a client's keys are parsed once, not at every request."""

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept = kept
        self._sets: OrderedDict[bytes, KeySet] = OrderedDict()

    def of(self, jwks: Mapping[str, Any]) -> KeySet:
        """Raises JoseInvalid."""
        try:
            content = orjson.dumps(dict(jwks))
        except TypeError:
            raise JoseInvalid("jwks") from None
        found = self._sets.get(content)
        if found is None:
            found = self._sets[content] = read_jwks(jwks)
            if len(self._sets) > self._kept:
                self._sets.popitem(last=False)
        else:
            self._sets.move_to_end(content)
        return found


def _listed(jwks: Any) -> list[Any]:
    keys = jwks.get("keys") if isinstance(jwks, Mapping) else None
    if not isinstance(keys, list) or len(keys) > MOST_KEYS:
        raise JoseInvalid("jwks")
    return keys
