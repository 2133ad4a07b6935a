"""What is written down of one ring of keys: everything but the private keys themselves. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from credentials.errors import ChainInvalid, KeysUnavailable
from credentials.keys import KeyState, RingKey
from credentials.x5c import public_key, read_chain


@dataclass(frozen=True, slots=True)
class Kept:
    """One key. `name` is its private part's in the box; an `installed` certificate is a bureau's and never renewed here."""

    name: str
    key: RingKey
    installed: bool = False


@dataclass(frozen=True, slots=True)
class Root:
    """An anchor; `name` is its private key's in the box, None for a bureau's."""

    der: bytes = field(repr=False)
    name: str | None = None


@dataclass(frozen=True, slots=True)
class RingChange:
    """What the record of changes has yet to hear. `kind`: SIGNING_KEY_MADE | _ROTATED | _COMPROMISED | _CERTIFIED."""

    kind: str
    kid: str
    at: datetime
    by: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RingState:
    keys: tuple[Kept, ...] = ()
    roots: tuple[Root, ...] = ()
    pending: tuple[RingChange, ...] = ()

    def one(self, state: KeyState) -> Kept | None:
        return next((kept for kept in self.keys if kept.key.state is state), None)

    def find(self, kid: str) -> Kept | None:
        return next((kept for kept in self.keys if kept.key.kid == kid), None)

    def put(self, kept: Kept) -> RingState:
        """With this one in place of what has its kid, or beside the others."""
        others = tuple(one for one in self.keys if one.key.kid != kept.key.kid)
        return replace(self, keys=(*others, kept))

    def told(self, change: RingChange) -> RingState:
        return replace(self, pending=(*self.pending, change))


def encode(state: RingState) -> bytes:
    keys = [
        {
            "kid": kept.key.kid, "alg": kept.key.alg, "state": str(kept.key.state), "name": kept.name,
            "created_at": _text(kept.key.created_at), "cut_off": _text(kept.key.cut_off), "x5c": list(kept.key.x5c),
            "installed": kept.installed,
        }
        for kept in state.keys
    ]  # fmt: skip
    roots = [{"der": base64.b64encode(root.der).decode(), "name": root.name} for root in state.roots]
    pending = [
        {"kind": one.kind, "kid": one.kid, "at": _text(one.at), "by": one.by, "detail": dict(one.detail)}
        for one in state.pending
    ]
    return json.dumps({"version": 1, "keys": keys, "roots": roots, "pending": pending}, indent=1).encode()


def decode(raw: bytes) -> RingState:
    """Raises KeysUnavailable for anything `encode` did not make."""
    try:
        read = json.loads(raw)
        if read["version"] != 1:
            raise KeysUnavailable("version")
        return RingState(
            tuple(_kept(one) for one in read["keys"]),
            tuple(Root(base64.b64decode(one["der"], validate=True), one["name"]) for one in read["roots"]),
            tuple(
                RingChange(one["kind"], one["kid"], datetime.fromisoformat(one["at"]), one["by"], one["detail"])
                for one in read["pending"]
            ),
        )
    except (ValueError, KeyError, TypeError, ChainInvalid):
        raise KeysUnavailable("ring") from None


def _kept(one: Mapping[str, Any]) -> Kept:
    x5c = tuple(one["x5c"])
    public = public_key(read_chain(x5c)[0])
    if public.thumbprint != one["kid"]:
        raise KeysUnavailable("ring")
    created, cut_off = one["created_at"], one["cut_off"]
    key = RingKey(
        kid=one["kid"],
        alg=one["alg"],
        public=public,
        x5c=x5c,
        state=KeyState(one["state"]),
        created_at=None if created is None else datetime.fromisoformat(created),
        cut_off=None if cut_off is None else datetime.fromisoformat(cut_off),
    )
    return Kept(one["name"], key, bool(one["installed"]))


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
