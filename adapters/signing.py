"""How a REST or GraphQL request proves who sends it: TIF headers, appkey with HMAC, or a bearer token. What must ask an
authorization server first (style "oauth") is in `adapters.oauth_source`; its form is checked from here like the others.

Every request gets a fresh nonce and the present time; a retried request is signed again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets as random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import quote

from adapters.oauth_manifest import STYLE as OAUTH
from adapters.oauth_manifest import oauth_faults


class Outgoing(NamedTuple):
    """What a signature covers: the request as it goes over the wire. `path` is escaped; `query` is not."""

    method: str
    path: str
    query: Sequence[tuple[str, str]]
    body: bytes


class Signer(Protocol):
    """Makes the headers that prove who sends a request."""

    def headers(self, request: Outgoing, now: datetime) -> dict[str, str]: ...


def query_string(query: Sequence[tuple[str, str]]) -> str:
    """name=value pairs joined by "&", each escaped but for letters, digits and -._~ (RFC 3986, section 2.3)."""
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query)


class Unsigned:
    """For sources that know us by client certificate or by network alone."""

    def headers(self, request: Outgoing, now: datetime) -> dict[str, str]:
        return {}


@dataclass(frozen=True, slots=True)
class Tif:
    """`x-tif-*` headers of the provincial interface platform: SHA256(timestamp + token + nonce + timestamp)."""

    paasid: str
    token: str = field(repr=False)

    def headers(self, request: Outgoing, now: datetime) -> dict[str, str]:
        timestamp, nonce = str(int(now.timestamp())), random.token_hex(16)
        signed = hashlib.sha256(f"{timestamp}{self.token}{nonce}{timestamp}".encode())
        return {
            "x-tif-paasid": self.paasid,
            "x-tif-timestamp": timestamp,
            "x-tif-nonce": nonce,
            "x-tif-signature": signed.hexdigest().upper(),
        }


@dataclass(frozen=True, slots=True)
class AppKeyHmac:
    """appkey, timestamp (ms), nonce and base64 HMAC-SHA256 over the whole request.

    The query is sorted as escaped name=value texts, so that both sides sort the bytes they see.
    """

    appkey: str
    secret: str = field(repr=False)

    def headers(self, request: Outgoing, now: datetime) -> dict[str, str]:
        timestamp, nonce = str(int(now.timestamp() * 1000)), random.token_hex(16)
        text = "\n".join(
            (
                request.method,
                request.path,
                "&".join(sorted(query_string(request.query).split("&"))),
                timestamp,
                nonce,
                hashlib.sha256(request.body).hexdigest(),
            )
        )
        digest = hmac.digest(self.secret.encode(), text.encode(), "sha256")
        return {
            "appkey": self.appkey,
            "timestamp": timestamp,
            "nonce": nonce,
            "signature": base64.b64encode(digest).decode("ascii"),
        }


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token in the Authorization header (RFC 6750, section 2.1)."""

    token: str = field(repr=False)

    def headers(self, request: Outgoing, now: datetime) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}


_PARTS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {  # style -> (plain entries, secret entries)
    "none": ((), ()),
    "tif": (("paasid",), ("token",)),
    "hmac": (("appkey",), ("secret",)),
    "bearer": ((), ("token",)),
    "oauth": ((), ()),  # adapters/oauth_manifest.py knows its entries
}


def check_auth(auth: Mapping[str, Any], styles: Sequence[str] = tuple(_PARTS)) -> list[tuple[str, str]]:
    """The faults of `[source.auth]`: (dotted path, what to mend). A secret that stands inline is one."""
    style = auth.get("style", "none")
    if not isinstance(style, str) or style not in styles:
        return [("source.auth.style", f"one of {', '.join(styles)}")]
    if style == OAUTH:
        return oauth_faults(auth)
    plain, secret = _PARTS[style]
    faults = [
        (f"source.auth.{n}", f"style {style} knows no such entry") for n in auth if n not in (*plain, *secret, "style")
    ]
    for name in (*plain, *secret):
        value = auth.get(name)
        if not isinstance(value, str) or not value:
            faults.append((f"source.auth.{name}", f"missing: style {style} needs it"))
        elif name in secret and not _is_reference(value):
            faults.append((f"source.auth.{name}", "a secret never stands in the file: write env:NAME or file:PATH"))
    return faults


def open_signer(auth: Mapping[str, Any], secrets: Callable[[str], str]) -> Signer:
    """The signer of a checked `[source.auth]`, its references resolved. Raises what `secrets` raises."""

    def entry(name: str) -> str:
        value = str(auth[name])
        return secrets(value).strip() if _is_reference(value) else value

    match auth.get("style", "none"):
        case "tif":
            return Tif(entry("paasid"), entry("token"))
        case "hmac":
            return AppKeyHmac(entry("appkey"), entry("secret"))
        case "bearer":
            return Bearer(entry("token"))
        case _:
            return Unsigned()


def _is_reference(value: str) -> bool:
    return value.startswith(("env:", "file:"))
