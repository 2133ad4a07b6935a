"""`[source.auth]` with style = "oauth": its form, and who we are by it (docs/guides/manifest.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from adapters.errors import AdapterError
from adapters.manifest_form import did_you_mean
from adapters.oauth_client import Registration
from adapters.oauth_jose import KeyInvalid, SigningKey, without_query
from adapters.secrets import is_reference

STYLE: Final = "oauth"
_NEEDED: Final = ("issuer", "client_id", "key")
_TEXTS: Final = (*_NEEDED, "scope", "resource", "token_endpoint")
_DETAILS: Final = "authorization_details"


def oauth_faults(auth: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The faults of a `[source.auth]` whose style is oauth: (dotted path, what to mend)."""
    known = ("style", *_TEXTS, _DETAILS)
    faults = [
        (f"source.auth.{name}", f"style oauth knows no such entry{did_you_mean(name, known)}")
        for name in auth
        if name not in known
    ]
    for name in _TEXTS:
        value = auth.get(name, "" if name not in _NEEDED else None)
        if not isinstance(value, str) or (name in _NEEDED and not value):
            faults.append((f"source.auth.{name}", "missing: style oauth needs it" if value is None else "a text"))
    if isinstance(key := auth.get("key"), str) and key and not is_reference(key):
        faults.append(("source.auth.key", "a secret never stands in the file: write env:NAME or file:PATH"))
    for name in ("issuer", "resource", "token_endpoint"):
        value = auth.get(name, "")
        if isinstance(value, str) and value and (fault := _url_fault(value)):
            faults.append((f"source.auth.{name}", fault))
    details = auth.get(_DETAILS, ())
    if not isinstance(details, list | tuple) or not all(_is_detail(detail) for detail in details):
        faults.append((f"source.auth.{_DETAILS}", "a list of tables, each with a type (RFC 9396)"))
    return faults


def registration_of(auth: Mapping[str, Any], secrets: Callable[[str], str], endpoint: str, code: str) -> Registration:
    """The client a checked manifest describes. Raises SecretMissing, or AdapterError for a key that is none."""
    try:
        key = SigningKey.read(secrets(str(auth["key"])))
    except KeyInvalid as invalid:
        raise AdapterError(f"source {code}: {auth['key']}: {invalid}") from None
    given = auth.get("token_endpoint", "")
    return Registration(
        issuer=str(auth["issuer"]),
        client_id=str(auth["client_id"]),
        key=key,
        scope=str(auth.get("scope", "")),
        resource=str(auth.get("resource", "")) or without_query(endpoint),
        details=tuple(thawed(detail) for detail in auth.get(_DETAILS, ())),
        endpoints={"token_endpoint": str(given)} if given else {},
    )


def hosts_of(auth: Mapping[str, Any]) -> frozenset[str]:
    """host:port of the authorization server a manifest names: its channel may reach it too."""
    if auth.get("style") != STYLE:
        return frozenset()
    found = set()
    for name in ("issuer", "token_endpoint"):
        parts = urlsplit(str(auth.get(name, "")))
        if parts.hostname:
            host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
            found.add(f"{host}:{parts.port or (80 if parts.scheme == 'http' else 443)}")
    return frozenset(found)


def thawed(value: Any) -> Any:
    """A frozen part of a manifest as JSON takes it."""
    if isinstance(value, Mapping):
        return {name: thawed(inner) for name, inner in value.items()}
    return [thawed(inner) for inner in value] if isinstance(value, list | tuple) else value


def _url_fault(url: str) -> str:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and not parts.username
    except ValueError:
        sound = False
    if not sound or any(character.isspace() for character in url):
        return "an http(s) URL"
    return "a URL without query or fragment" if parts.query or parts.fragment else ""


def _is_detail(detail: object) -> bool:
    return isinstance(detail, Mapping) and isinstance(detail.get("type"), str) and bool(detail["type"])
