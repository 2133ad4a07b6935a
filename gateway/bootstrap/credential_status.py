"""The room of keys and status lists, put together from an open store."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from cryptography import x509
from starlette.routing import BaseRoute

from credentials.errors import KeysUnavailable
from credentials.keys import KeyState
from credentials.x5c import der_of
from gateway.bootstrap.credential_keys import Rings, open_rings
from gateway.clock import Clock
from gateway.errors import GatewayError, SettingsInvalid
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.credentials.key_changes import record_ring_changes
from gateway.store.credentials.status import StoredStatusLists
from gateway.web.credential_routes import STATUS, STATUS_LISTS, key_routes, status_routes

_log = structlog.get_logger(__name__)
_TELL_S = 60.0
_DAY = 24 * 60
_WARN = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class KeyRoom:
    rings: Rings
    lists: StoredStatusLists
    routes: Sequence[BaseRoute]


@asynccontextmanager
async def key_room(settings: Settings, store: Store, clock: Clock) -> AsyncIterator[KeyRoom]:
    """Open while the block runs. Raises SettingsInvalid."""
    try:
        rings = await open_rings(settings, store.keys, clock)
    except KeysUnavailable as error:
        raise SettingsInvalid(
            (f"credential keys: they cannot be used ({error.why}); see `yimen credentials keys`",)
        ) from None
    lists = status_lists(settings, store, rings, clock)
    await _tell(store, rings)
    telling = asyncio.create_task(_keep_telling(store, rings, clock), name="key changes")
    try:
        yield KeyRoom(rings, lists, _routes(settings, rings, lists))
    finally:
        telling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await telling


def status_lists(settings: Settings, store: Store, rings: Rings, clock: Clock) -> StoredStatusLists:
    given = settings.credentials
    return StoredStatusLists(
        store.database,
        rings.issuer,
        clock,
        uri_of=lambda list_id: status_uri(settings, list_id),
        aggregation_uri=settings.base_url + STATUS_LISTS,
        size=given.status_size,
        ttl_s=given.status_ttl_s,
    )


def status_uri(settings: Settings, list_id: str) -> str:
    """What a credential names as its list."""
    return f"{settings.base_url}{STATUS}/{list_id}"


def _routes(settings: Settings, rings: Rings, lists: StoredStatusLists) -> list[BaseRoute]:
    anchors = [
        ("issuer", rings.issuer, lambda: rings.issuer.roots),
        ("verifier", rings.verifier, lambda: rings.verifier.roots),
    ]
    return [
        *key_routes(settings.base_url, rings.issuer, anchors),
        *status_routes(lists, lambda list_id: status_uri(settings, list_id), settings.credentials.status_ttl_s),
    ]


async def _keep_telling(store: Store, rings: Rings, clock: Clock) -> None:
    round_ = 0
    while True:
        if round_ % _DAY == 0:
            await warn_of_ends(rings, clock.now())
        round_ += 1
        await asyncio.sleep(_TELL_S)
        await _tell(store, rings)


async def warn_of_ends(rings: Rings, now: datetime) -> None:
    """Our own certificates are renewed by themselves; a bureau's is not, so its end is said while there is time."""
    for ring in (rings.issuer, rings.verifier):
        with contextlib.suppress(KeysUnavailable):
            for kept in (await ring.state()).keys:
                ends = x509.load_der_x509_certificate(der_of(kept.key.x5c[0])).not_valid_after_utc
                if kept.installed and kept.key.state in (KeyState.CURRENT, KeyState.NEXT) and ends - now < _WARN:
                    _log.warning("credential_certificate_ends", kid=kept.key.kid, at=ends.isoformat())


async def _tell(store: Store, rings: Rings) -> None:
    """What cannot be written down now is remembered by the ring."""
    for ring in (rings.issuer, rings.verifier):
        try:
            await record_ring_changes(store.database, ring)
        except (GatewayError, KeysUnavailable) as error:
            _log.warning("key_changes_unrecorded", error=type(error).__name__)
