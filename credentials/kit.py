"""What an offline verifier carries: trust anchors, keys, type metadata with cards, status lists; in one file its issuer signed.

A compact JWS of `typ` KIT_TYP with `x5c`. The first one is believed because it came from the issuer's own address (or by
hand); every later one because it is signed under the anchors of the one before.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from credentials.errors import CredentialsError
from credentials.issuer_key import cut_off, issuer_key
from credentials.jose import PublicKey, Signer, dumps, json_object, parse, read_key, sign, verify
from credentials.keys import KeyState, RingKey
from credentials.trust import HeldStatus, KnownType, Statuses, Trust

KIT_TYP = "yimen-kit+jwt"
LONGEST = 64 * 1024 * 1024
"""Characters of a kit that are read at all: a million entries of status are a quarter of a megabyte."""


class KitInvalid(CredentialsError):
    """No kit, or none that may be believed."""


@dataclass(frozen=True, slots=True)
class Kit:
    """`made_at` is how old all of it is at least. `cards`: vct -> SVG template."""

    issuer: str
    made_at: datetime
    trust: Trust = field(repr=False)
    statuses: Statuses = field(repr=False)
    cards: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def audience(self) -> str:
        """`aud` of what a wallet shows to whoever has opened this issuer's verifier page."""
        return f"{self.issuer}/verify"

    def age_s(self, now: datetime) -> float:
        return max(0.0, (now - self.made_at).total_seconds())


def make_kit(
    signer: Signer,
    *,
    issuer: str,
    made_at: datetime,
    anchors: Sequence[bytes],
    keys: Sequence[RingKey],
    types: Sequence[tuple[bytes, bytes]],
    lists: Mapping[str, str],
) -> str:
    """`types`: metadata and card of each, the very bytes that are served. `lists`: address -> Status List Token."""
    believed = [key for key in keys if key.state is not KeyState.COMPROMISED or key.cut_off is not None]
    payload = {
        "iss": issuer,
        "iat": int(made_at.timestamp()),
        "anchors": [b64encode(one).decode() for one in anchors],
        "issuers": {issuer: [key.public_jwk() for key in believed]},
        "cut_offs": {
            key.public.thumbprint: int(key.cut_off.timestamp()) for key in believed if key.cut_off is not None
        },
        "types": [{"metadata": metadata.decode(), "card": card.decode()} for metadata, card in types],
        "status_lists": dict(lists),
    }
    header: dict[str, Any] = {"typ": KIT_TYP, "kid": signer.kid}
    if signer.x5c:
        header["x5c"] = list(signer.x5c)
    return sign(signer, header, dumps(payload))


def read_kit(text: str, *, before: Kit | None = None) -> Kit:
    """Raises KitInvalid. With `before`, only one signed under the anchors or keys of that and not older than it."""
    try:
        jws = parse(text.strip(), typ=KIT_TYP, limit=LONGEST)
        said = jws.claims
        kit = _kit(said)
        trust = kit.trust if before is None else before.trust
        key, _ = issuer_key(jws.header, kit.issuer, trust, kit.made_at)
        verify(jws, key)
        cut_off(key, kit.made_at, trust)
    except KitInvalid:
        raise
    except CredentialsError as error:
        raise KitInvalid(error.why) from None
    except (KeyError, TypeError, ValueError, OverflowError, OSError, AttributeError):
        raise KitInvalid("form") from None
    if before is not None and (kit.issuer != before.issuer or kit.made_at < before.made_at):
        raise KitInvalid("older" if kit.issuer == before.issuer else "issuer")
    return kit


def _kit(said: Mapping[str, Any]) -> Kit:
    made_at = datetime.fromtimestamp(said["iat"], UTC)
    keys: dict[str, dict[str, PublicKey]] = {
        str(issuer): {str(jwk["kid"]): read_key(jwk) for jwk in jwks} for issuer, jwks in said["issuers"].items()
    }
    known, cards = {}, {}
    for one in said["types"]:
        raw = one["metadata"].encode()
        metadata = json_object(raw)
        vct = str(metadata["vct"])
        known[vct] = KnownType(vct, "sha256-" + b64encode(sha256(raw).digest()).decode(), metadata)
        cards[vct] = str(one.get("card", ""))
    trust = Trust(
        anchors=tuple(b64decode(one, validate=True) for one in said["anchors"]),
        issuers=keys,
        types=known,
        cut_offs={str(key): datetime.fromtimestamp(at, UTC) for key, at in said["cut_offs"].items()},
    )
    held = {str(uri): HeldStatus(str(token), made_at) for uri, token in said["status_lists"].items()}
    return Kit(str(said["iss"]), made_at, trust, Statuses(held), cards)
