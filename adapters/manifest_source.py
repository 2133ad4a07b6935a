"""The manifest's [source] and [catalogue]: who the department is, how it is reached, what it may be asked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from adapters.manifest import CatalogueEntry, Hours, Limits, Sensitivity, ShareClass, Text
from adapters.manifest_form import Table, shown
from adapters.secrets import is_reference

KINDS = ("rest", "soap", "sql", "file_drop", "graphql")
UPDATE_CYCLES = ("REALTIME", "DAILY", "WEEKLY", "MONTHLY")

_HTTP_KINDS = frozenset({"rest", "soap", "graphql"})
_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,31}", re.ASCII)
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00", re.ASCII)
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+):(\d{1,5})", re.ASCII)
_REFERENCE_RULE = 'a reference, "env:NAME" or "file:PATH", never the secret itself'

# What may stand in [source.auth] as plain text; anything else there is taken for a secret.
_NOT_SECRET = frozenset(
    {
        *("style", "paasid", "appkey", "client_id", "username", "header", "realm", "scheme", "algorithm"),
        *("issuer", "scope", "resource", "token_endpoint"),
    }
)
_SECRET_NAME = re.compile(
    r"(.*_)?(token|secret|password|passwd|pwd|passphrase|credential|api_?key|private_?key|authorization)", re.IGNORECASE
)

_EMPTY_TEXT = Text("", "")


@dataclass(frozen=True, slots=True)
class SourcePart:
    """[source], read; the fields are those of SourceManifest."""

    code: str
    title: Text
    kind: str
    endpoint: str
    auth: Mapping[str, Any]
    tls: Mapping[str, str]
    allow_hosts: tuple[str, ...]
    allow_plain_http: bool
    limits: Limits
    hours: Hours
    options: Mapping[str, Any]


def read_source(table: Table) -> SourcePart:
    code = table.word("code", _CODE, "capital letters, digits and _, beginning with a letter")
    title = table.both("title") or _EMPTY_TEXT
    kind = table.choice("kind", KINDS) or ""
    plain = table.flag("allow_plain_http", False)
    endpoint = table.text("endpoint")
    for message in _endpoint_faults(endpoint, kind, plain):
        table.fault("endpoint", message)
    hosts = table.texts("allow_hosts", ())
    for number, host in enumerate(hosts):
        match = _HOST.fullmatch(host)
        if match is None or not 0 < int(match[2]) < 65536:
            inner = Table({}, (*table.path, "allow_hosts"), table.complain)
            inner.fault(number, f"{shown(host)} must be host:port, in lower case")
    part = SourcePart(
        code,
        title,
        kind,
        endpoint,
        _auth(table.table("auth")),
        _tls(table.table("tls")),
        hosts,
        plain,
        _limits(table.table("limits")),
        _hours(table.table("hours")),
        frozen(no_secrets(table.table("options"))),
    )
    table.done()
    return part


def read_catalogue(table: Table) -> CatalogueEntry:
    provider = table.both("provider") or _EMPTY_TEXT
    items = table.both("items") or _EMPTY_TEXT
    cycle = table.choice("update_cycle", UPDATE_CYCLES) or ""
    share_class = table.choice("share_class", ShareClass)
    condition = table.both("condition", required=False)
    legal_ground = table.both("legal_ground", required=False)
    if share_class is ShareClass.C and not table.has("condition"):
        table.fault("share_class", 'share_class "C" needs a condition = { zh = "...", en = "..." }')
    if share_class is ShareClass.N and not table.has("legal_ground"):
        table.fault("share_class", 'share_class "N" needs a legal_ground = { zh = "...", en = "..." }')
    sensitivity = table.choice("sensitivity", Sensitivity, Sensitivity.PERSONAL) or Sensitivity.SENSITIVE
    table.done()
    return CatalogueEntry(provider, items, cycle, share_class or ShareClass.N, condition, legal_ground, sensitivity)


def no_secrets(table: Table) -> Mapping[str, Any]:
    """The free-form contents of `table`, with a fault for each entry whose name says secret and whose text is one."""
    for path, name, value in _entries(table.data, ()):
        if _SECRET_NAME.fullmatch(name) and isinstance(value, str) and not is_reference(value) and "{" not in value:
            Table({}, (*table.path, *path[:-1]), table.complain).fault(name, f"{name} must be {_REFERENCE_RULE}")
    return table.data


def frozen(value: Any) -> Any:
    """TOML data that nobody can change: read-only mappings and tuples all the way down."""
    if isinstance(value, Mapping):
        return MappingProxyType({key: frozen(inner) for key, inner in value.items()})
    return tuple(frozen(inner) for inner in value) if isinstance(value, list) else value


def _entries(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield (*path, key), key, inner
            yield from _entries(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _entries(inner, (*path, number))


def _endpoint_faults(endpoint: str, kind: str, plain: bool) -> Iterator[str]:
    if not endpoint or is_reference(endpoint):
        return
    if any(character.isspace() or ord(character) < 32 for character in endpoint) and kind != "file_drop":
        yield "endpoint holds a blank or a control character"
        return
    try:
        parts = urlsplit(endpoint)
        password, port_ok = parts.password, parts.port != 0
    except ValueError:
        yield "endpoint is not a URL"
        return
    if password is not None:
        yield 'endpoint holds a password; write the whole URL elsewhere and refer to it, "env:NAME" or "file:PATH"'
    if kind in _HTTP_KINDS:
        if parts.scheme not in ("http", "https") or not parts.hostname or not port_ok:
            yield "endpoint must be an http(s) URL"
        elif parts.scheme == "http" and not plain:
            yield "endpoint is plain http; use https, or allow_plain_http = true on loopback or a private bridge"
    elif kind == "sql" and "://" not in endpoint:
        yield "endpoint must be an SQLAlchemy URL"


def _auth(table: Table) -> Mapping[str, Any]:
    for name, value in table.data.items():
        table.raw(name)
        secret = name not in _NOT_SECRET and (isinstance(value, str) or _SECRET_NAME.fullmatch(name) is not None)
        if secret and not (isinstance(value, str) and is_reference(value)):
            table.fault(name, f"{name} must be {_REFERENCE_RULE}")
        elif isinstance(value, (list, dict)) and name != "authorization_details":
            table.fault(name, f"{name} must be a text or a number")
    return frozen(table.data)  # type: ignore[no-any-return]  # `frozen` keeps the shape it is given


def _tls(table: Table) -> Mapping[str, str]:
    paths = {name: table.text(name, "") for name in ("ca", "cert", "key")}
    for name, path in paths.items():
        if path and not (path.startswith("file:") and len(path) > 5):
            table.fault(name, f'{name} must name a PEM file, "file:PATH"')
    if bool(paths["cert"]) != bool(paths["key"]):
        table.fault("cert" if paths["cert"] else "key", "cert and key belong together: one of them is missing")
    table.done()
    return MappingProxyType({name: path for name, path in paths.items() if path})


def _limits(table: Table) -> Limits:
    usual = Limits()
    limits = Limits(
        timeout_s=table.number("timeout_s", usual.timeout_s, 0.01, 120),
        connect_timeout_s=table.number("connect_timeout_s", usual.connect_timeout_s, 0.01, 60),
        concurrency=table.number("concurrency", usual.concurrency, 1, 1000, whole=True),
        rate_per_s=table.number("rate_per_s", usual.rate_per_s, 0.001, 100_000),
        burst=table.number("burst", usual.burst, 1, 100_000, whole=True),
        batch_size=table.number("batch_size", usual.batch_size, 1, 1000, whole=True),
        max_response_bytes=table.number("max_response_bytes", usual.max_response_bytes, 1, 64 << 20, whole=True),
        retries=table.number("retries", usual.retries, 0, 5, whole=True),
        retry_ratio=table.number("retry_ratio", usual.retry_ratio, 0, 1),
        hedge_after_s=table.number("hedge_after_s", usual.hedge_after_s, 0.001, 120),
        cache_s=table.number("cache_s", usual.cache_s, 0, 86_400),
        breaker_failures=table.number("breaker_failures", usual.breaker_failures, 1, 1000, whole=True),
        breaker_open_s=table.number("breaker_open_s", usual.breaker_open_s, 0.01, 3600),
    )
    table.done()
    return limits


def _hours(table: Table) -> Hours:
    spans: list[tuple[str, str]] = []
    value = table.raw("open")
    if table.has("open") and not isinstance(value, list):
        table.fault("open", 'open must be a list of spans, say [["05:00", "23:00"]]')
        value = None
    for number, span in enumerate(value or ()):
        inner = Table({}, (*table.path, "open"), table.complain)
        if not isinstance(span, list) or len(span) != 2 or not all(isinstance(end, str) for end in span):
            inner.fault(number, 'a span must be two times, say ["05:00", "23:00"]')
        elif not all(_CLOCK.fullmatch(end) for end in span):
            inner.fault(number, f"{shown(span[0])} to {shown(span[1])} are not times HH:MM")
        elif span[0] == span[1] or span[0] == "24:00":
            inner.fault(number, "a span must have a length; leave hours out for a source that is always open")
        else:
            spans.append((span[0], span[1]))
    zone = table.text("timezone", Hours().timezone)
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        table.fault("timezone", f"{shown(zone)} is no time zone of the IANA list")
    table.done()
    return Hours(tuple(spans), zone)
