"""The room of offline verification: the kit and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from starlette.routing import BaseRoute

from credentials.credential_type import CredentialType
from gateway.bootstrap.credential_keys import Rings
from gateway.bootstrap.credential_status import status_uri
from gateway.clock import Clock
from gateway.services.credentials.offline_kit import OfflineKit
from gateway.services.credentials.ports import StatusLists
from gateway.settings import Settings
from gateway.web.verifying import verifying_routes


def verifying_room(
    settings: Settings, rings: Rings, lists: StatusLists, types: Mapping[str, CredentialType], clock: Clock
) -> Sequence[BaseRoute]:
    fresh_s = settings.credentials.status_ttl_s
    kit = OfflineKit(
        settings.base_url,
        rings.issuer,
        lambda: rings.issuer.roots,
        lists,
        lambda list_id: status_uri(settings, list_id),
        types,
        clock,
        fresh=timedelta(seconds=fresh_s),
    )
    return verifying_routes(kit, fresh_s)
