"""What a verifier knows before it is shown anything: whom it believes, which types it knows, which status lists it holds.

All of it is handed in. Nothing here fetches, so an address inside a credential is never followed while it is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from credentials.jose import PublicKey


@dataclass(frozen=True, slots=True)
class KnownType:
    """A type whose metadata was read before. `integrity`: `sha256-<base64>` of those bytes, as `vct#integrity` names it."""

    vct: str
    integrity: str
    metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class HeldStatus:
    """A Status List Token as it was fetched; what it says is checked when it is used. `fetched_at` None: not known."""

    token: str = field(repr=False)
    fetched_at: datetime | None = None


class StatusSource(Protocol):
    def held(self, uri: str) -> HeldStatus | None:
        """The token held for this address; None where there is none. Asks nobody."""
        ...


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom to believe.

    `anchors`: root certificates, DER. `issuers`: identifier -> kid -> key, from JWT VC issuer metadata fetched before.
    `types`: vct -> what is known of it; None where any type will do (somebody else looks at it).
    `cut_offs`: thumbprint of a compromised key -> the moment from which nothing it signed is believed.
    """

    anchors: Sequence[bytes] = field(default=(), repr=False)
    issuers: Mapping[str, Mapping[str, PublicKey]] = field(default_factory=dict, repr=False)
    types: Mapping[str, KnownType] | None = field(default=None, repr=False)
    cut_offs: Mapping[str, datetime] = field(default_factory=dict)


class Statuses:
    """Implements `StatusSource` over what is in memory: address -> token."""

    def __init__(self, held: Mapping[str, HeldStatus]) -> None:
        self._held = dict(held)

    def held(self, uri: str) -> HeldStatus | None:
        return self._held.get(uri)
