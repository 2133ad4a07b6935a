"""The keys credentials are signed with: which sign now, which verify still, and from when one is not believed any more.

Where keys live is a backend's matter: encrypted files (`key_files`), or a PKCS#11 module (`key_module`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from credentials.jose import PublicKey, Signer


class KeyState(StrEnum):
    NEXT = "NEXT"  # published, signs nothing yet
    CURRENT = "CURRENT"
    RETIRED = "RETIRED"  # signs nothing more; what it signed verifies
    COMPROMISED = "COMPROMISED"  # what it signed from `cut_off` on is not believed


class KeyUse(StrEnum):
    """One ring each: whoever may ask persons to show something cannot sign credentials with the same key."""

    ISSUER = "issuer"  # credentials, status lists, metadata
    VERIFIER = "verifier"  # request objects of OpenID4VP


@dataclass(frozen=True, slots=True)
class RingKey:
    """One key as everybody may see it. `x5c` is leaf first and without the root."""

    kid: str
    alg: str
    public: PublicKey = field(repr=False)
    x5c: tuple[str, ...] = field(repr=False)
    state: KeyState = KeyState.CURRENT
    created_at: datetime | None = None
    cut_off: datetime | None = None

    def public_jwk(self) -> dict[str, Any]:
        """As a JWKS publishes it (RFC 7517 5)."""
        jwk: dict[str, Any] = {**self.public.jwk, "kid": self.kid, "alg": self.alg, "use": "sig"}
        return jwk | ({"x5c": list(self.x5c)} if self.x5c else {})


class KeyRing(Protocol):
    """The keys of one use. Looked at anew every few seconds, so a rotation elsewhere is noticed while we run."""

    async def signer(self) -> Signer:
        """What signs now. Raises KeysUnavailable."""
        ...

    async def keys(self) -> Sequence[RingKey]:
        """Every key that is or was published, the current one first. Raises KeysUnavailable."""
        ...

    async def find(self, kid: str) -> RingKey | None: ...


def believed(key: RingKey, signed_at: datetime) -> bool:
    """Whether what `key` signed at this moment, as the signed thing itself says (`iat`), may be believed.

    Of a compromised key only what is older than its cut-off. A thief can write an older date, so whoever can also asks the
    status list: what was never issued has no place there of its own.
    """
    return key.state is not KeyState.COMPROMISED or (key.cut_off is not None and signed_at < key.cut_off)
