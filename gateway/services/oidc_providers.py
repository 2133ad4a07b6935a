"""OIDC providers officers may log in through, as the operator's file names them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.errors import SettingsInvalid

_NAME = re.compile(r"[a-z0-9-]{1,32}")
ALGORITHMS = frozenset({"ES256", "PS256", "RS256", "EdDSA"})
"""What an ID token may be signed with. RS256, because OIDC Core obliges providers to have it; never a shared secret."""
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_KNOWN = frozenset(
    {"name", "title_zh", "title_en", "issuer", "client_id", "key_file", "secret_file", "signing_algs", "scope", "level",
     "acr_levels", "acr_values", "max_age_s", "users", "hosts", "ca_file"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OidcProvider:
    """One provider. `level`: what a login there counts as; `acr_levels` where it says more. Secrets are files' contents."""

    name: str
    issuer: str
    client_id: str
    title_zh: str
    title_en: str
    private_key: str | None = field(default=None, repr=False)  # PEM; private_key_jwt
    secret: str | None = field(default=None, repr=False)  # client_secret_basic
    signing_algs: tuple[str, ...] = ("ES256", "PS256", "RS256")
    scope: str = "openid"
    level: int = 1
    acr_levels: Mapping[str, int] = field(default_factory=dict)
    acr_values: str | None = None  # asked for, and then one of them must come back
    max_age_s: int = 300  # how old a login over there may be
    users: str = "linked"  # linked: by (iss, sub) of our own table | external_id: `sub` is the officers' external id
    hosts: frozenset[str] = frozenset()  # host:port besides the issuer's
    ca_file: str | None = None

    @property
    def loopback(self) -> bool:
        return (urlsplit(self.issuer).hostname or "") in _LOOPBACK

    @property
    def reachable(self) -> frozenset[str]:
        """host:port pairs requests may go to."""
        return frozenset({host_port(self.issuer), *self.hosts})

    @property
    def origins(self) -> frozenset[str]:
        """Where a browser may be sent, as a Content-Security-Policy names it."""
        scheme = "http" if self.loopback else "https"
        return frozenset(f"{scheme}://{one.removesuffix(':443')}" for one in self.reachable)


def host_port(url: str) -> str:
    """As egress rules name it. Raises ValueError for a URL that has none."""
    address = urlsplit(url)
    port = address.port or {"https": 443, "http": 80}.get(address.scheme)
    if not address.hostname or port is None:
        raise ValueError("no host")
    host = f"[{address.hostname}]" if ":" in address.hostname else address.hostname
    return f"{host}:{port}"


def read_providers(path: Path) -> tuple[OidcProvider, ...]:
    """Every `[[providers]]` of a TOML file. Raises SettingsInvalid with all faults; no secret in any text."""
    try:
        entries = tomllib.loads(path.read_text("utf-8")).get("providers", [])
    except (OSError, ValueError) as error:
        raise SettingsInvalid((f"oidc_providers_file: {path}: {type(error).__name__}",)) from None
    faults: list[str] = []
    found: list[OidcProvider] = []
    for number, entry in enumerate(entries, 1):
        where = f"oidc_providers_file: {path}: provider {number}"
        try:
            found.append(_provider(entry, path.parent))
        except (ValueError, TypeError, KeyError) as error:
            faults.append(f"{where}: {error}")
        except OSError as error:
            faults.append(f"{where}: a file cannot be read ({type(error).__name__})")
    for what in ("name", "issuer"):
        values = [getattr(one, what) for one in found]
        if len(set(values)) != len(values):
            faults.append(f"oidc_providers_file: {path}: two providers of one {what}")
    if faults:
        raise SettingsInvalid(tuple(faults))
    return tuple(found)


def _provider(entry: Mapping[str, Any], folder: Path) -> OidcProvider:
    if unknown := set(entry) - _KNOWN:
        raise ValueError(f"unknown entries {sorted(unknown)}")
    if missing := {"name", "issuer", "client_id"} - set(entry):
        raise ValueError(f"lacks {sorted(missing)}")
    if not _NAME.fullmatch(entry["name"]):
        raise ValueError("name: 1 to 32 of a-z, 0-9 and -")
    issuer = urlsplit(entry["issuer"])
    plain_ok = issuer.scheme == "http" and issuer.hostname in _LOOPBACK
    if not (issuer.scheme == "https" or plain_ok) or issuer.query or issuer.fragment or not issuer.hostname:
        raise ValueError("issuer: an https address without query (http on loopback only)")
    if ("key_file" in entry) == ("secret_file" in entry):
        raise ValueError("give key_file or secret_file, one of them")
    algorithms = tuple(entry.get("signing_algs", ("ES256", "PS256", "RS256")))
    if not algorithms or not ALGORITHMS.issuperset(algorithms):
        raise ValueError(f"signing_algs: of {sorted(ALGORITHMS)}")
    levels = dict(entry.get("acr_levels", {}))
    if not all(isinstance(level, int) and 1 <= level <= 3 for level in (*levels.values(), entry.get("level", 1))):
        raise ValueError("level, acr_levels: 1, 2 or 3")
    if entry.get("users", "linked") not in ("linked", "external_id"):
        raise ValueError("users: linked or external_id")

    def content(name: str) -> str | None:
        return (folder / entry[name]).read_text("utf-8").strip() if name in entry else None

    return OidcProvider(
        name=entry["name"],
        issuer=entry["issuer"],
        client_id=entry["client_id"],
        title_zh=entry.get("title_zh", entry["name"]),
        title_en=entry.get("title_en", entry["name"]),
        private_key=content("key_file"),
        secret=content("secret_file"),
        signing_algs=algorithms,
        scope=entry.get("scope", "openid"),
        level=entry.get("level", 1),
        acr_levels=levels,
        acr_values=entry.get("acr_values"),
        max_age_s=int(entry.get("max_age_s", 300)),
        users=entry.get("users", "linked"),
        hosts=frozenset(entry.get("hosts", ())),
        ca_file=str(folder / entry["ca_file"]) if "ca_file" in entry else None,
    )
