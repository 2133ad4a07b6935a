"""Kinds by name, and a manifest into a source that is open: reached by its own channel, mapped, guarded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

from adapters.clock import Now
from adapters.egress import Channel, Egress, Rule, Tls
from adapters.errors import AdapterError
from adapters.health import Health
from adapters.kind import Kind, Opening, spec_of
from adapters.manifest import SourceManifest
from adapters.mapping import Mapped
from adapters.oauth_manifest import hosts_of
from adapters.other_gateway import OtherGateway, other_gateway
from adapters.resilience import Guarded
from adapters.secrets import Secrets
from adapters.source import Lookup, Source

# A kind joins by one line. Its module is imported when a manifest first names it: no database driver in memory
# where no source is a database.
_PLACES: Mapping[str, str] = {
    "rest": "adapters.rest:RestKind",
    "soap": "adapters.soap:SoapKind",
    "sql": "adapters.sql:SqlKind",
    "file_drop": "adapters.file_drop:FileDropKind",
    "graphql": "adapters.graphql:GraphqlKind",
}

_DEFAULT_PORTS = {"http": 80, "https": 443}


class EndpointInvalid(AdapterError):
    """An endpoint that came by reference is no URL this gateway would call. The URL itself is not repeated."""


@cache
def _kind(place: str) -> Kind:
    module, _, name = place.partition(":")
    kind: Kind = getattr(import_module(module), name)()
    return kind


class _Kinds(Mapping[str, Kind]):
    def __getitem__(self, name: str) -> Kind:
        return _kind(_PLACES[name])

    def __iter__(self) -> Iterator[str]:
        return iter(_PLACES)

    def __len__(self) -> int:
        return len(_PLACES)


KINDS: Mapping[str, Kind] = _Kinds()


@dataclass(frozen=True, slots=True)
class OpenSource:
    """A source ready to be asked. `health` is a snapshot each time it is called."""

    manifest: SourceManifest
    source: Source
    health: Callable[[], Health]
    channel: Channel | None = None
    gateway: OtherGateway | None = None  # what makes it one of us, where it is one

    async def close(self) -> None:
        """Close the source, then its way out."""
        try:
            await self.source.close()
        finally:
            if self.channel is not None:
                await self.channel.close()


def open_source(
    manifest: SourceManifest,
    *,
    egress: Egress,
    environ: Mapping[str, str],
    base_dir: Path,
    state_dir: Path,
    now: Now,
    kinds: Mapping[str, Kind] = KINDS,
) -> OpenSource:
    """Guarded(Mapped(kind)); nothing is sent yet.

    `base_dir` is where relative paths of the manifest start, `state_dir` where sources keep their own files, each in a
    folder of its own (made here, for the owner only). Raises AdapterError: a reference that leads nowhere
    (SecretMissing), TLS files that do not load, an endpoint that is none.
    """
    kind = kinds[manifest.kind]
    secrets = Secrets(environ, base_dir)
    endpoint = secrets.plain_or_reference(manifest.endpoint)
    own_dir = state_dir / manifest.code.lower()
    own_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    channel = egress.open(rule_of(manifest, endpoint, secrets)) if kind.uses_http else None
    opening = Opening(manifest, channel, endpoint, secrets, now, own_dir, base_dir)

    def per_key(lookup: Lookup) -> bool:
        return kind.per_key(spec_of(manifest, lookup))

    guarded = Guarded(
        Mapped(manifest, kind.open(opening), now=now),
        code=manifest.code,
        limits=manifest.limits,
        hours=manifest.hours,
        per_key=per_key,
        now=now,
    )
    return OpenSource(manifest, guarded, guarded.health, channel, other_gateway(manifest, endpoint))


def rule_of(manifest: SourceManifest, endpoint: str, secrets: Secrets) -> Rule:
    """What the source's channel may reach: the endpoint's own host and port, the authorization server's that its
    `[source.auth]` names, and `allow_hosts`; nothing else."""
    tls = {name: str(secrets.path(reference)) for name, reference in manifest.tls.items()}
    limits = manifest.limits
    hosts = frozenset({host_of(manifest, endpoint), *manifest.allow_hosts, *hosts_of(manifest.auth)})
    return Rule(
        name=manifest.code,
        hosts=hosts,
        tls=Tls(tls.get("ca"), tls.get("cert"), tls.get("key")),
        connections=limits.concurrency,
        connect_timeout_s=limits.connect_timeout_s,
        read_timeout_s=limits.timeout_s,
        max_response_bytes=limits.max_response_bytes,
        allow_plain_http=manifest.allow_plain_http,
        plain_http_hosts=hosts if manifest.allow_plain_http else frozenset(),
    )


def host_of(manifest: SourceManifest, endpoint: str) -> str:
    """host:port of an http(s) endpoint. Raises EndpointInvalid."""
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if not host or port is None or parts.scheme not in _DEFAULT_PORTS:
        raise EndpointInvalid(f"source {manifest.code}: its endpoint is not an http(s) URL")
    if parts.scheme == "http" and not manifest.allow_plain_http:
        raise EndpointInvalid(
            f"source {manifest.code}: its endpoint is plain http, which its manifest does not allow: "
            "https, or allow_plain_http = true for loopback and private bridges"
        )
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
