"""Status lists as they are now: our own from the store, others' from hosts the operator named, never from wherever a
credential points."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta

import structlog

from adapters.egress import Egress, Rule
from adapters.errors import SourceUnavailable
from credentials.errors import JoseInvalid
from credentials.jose import parse
from credentials.status_list import MEDIA_TYPE, TYP
from credentials.trust import HeldStatus
from gateway.clock import Clock
from gateway.services.credentials.ports import StatusLists

_log = structlog.get_logger(__name__)
LARGEST_FOREIGN = 2 * 1024 * 1024
_PATIENCE_S = 4.0
_MOST_HELD = 64
_LONGEST_HELD = timedelta(minutes=5)
_LONGEST_URI = 1_024


class NowStatus:
    """Implements `StatusTokens`. `hosts`: host:port of the issuers we trust besides ourselves; with none, nobody is asked.
    `uri_prefix`: what our own lists' addresses begin with; `lists` None where we keep none."""

    def __init__(
        self, lists: StatusLists | None, egress: Egress, clock: Clock, *, uri_prefix: str, hosts: frozenset[str]
    ) -> None:
        self._lists, self._clock, self._prefix = lists, clock, uri_prefix
        self._channel = None
        if hosts:
            rule = Rule(
                "credential-status",
                hosts,
                connections=4,
                read_timeout_s=_PATIENCE_S,
                max_response_bytes=LARGEST_FOREIGN,
                allow_plain_http=True,  # on loopback only, and only for hosts that are named
                redirects=0,
            )
            self._channel = egress.open(rule)
        self._held: OrderedDict[str, HeldStatus] = OrderedDict()

    async def token(self, uri: str) -> HeldStatus | None:
        """See the port."""
        if uri.startswith(self._prefix):
            return await self._own(uri.removeprefix(self._prefix))
        if self._channel is None or len(uri) > _LONGEST_URI or not uri.isascii() or not uri.isprintable():
            return None
        held = self._held.get(uri)
        if held is not None and held.fetched_at is not None and self._fresh(held.fetched_at, held.token):
            return held
        return await self._fetched(uri)

    def _fresh(self, fetched_at: datetime, token: str) -> bool:
        return self._clock.now() - fetched_at <= min(_LONGEST_HELD, _ttl(token))

    async def _own(self, list_id: str) -> HeldStatus | None:
        found = None if self._lists is None or not list_id.isalnum() else await self._lists.token(list_id)
        return None if found is None else HeldStatus(found[0], self._clock.now())

    async def _fetched(self, uri: str) -> HeldStatus | None:
        assert self._channel is not None  # noqa: S101  (asked by `token`)
        try:
            reply = await self._channel.send("GET", uri, headers={"accept": MEDIA_TYPE}, timeout_s=_PATIENCE_S)
        except SourceUnavailable as error:
            _log.warning("status_list_unavailable", reason=error.reason.value)
            return None
        kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
        if reply.status != 200 or kind != MEDIA_TYPE or not reply.body.isascii():
            return None
        held = HeldStatus(reply.body.decode("ascii").strip(), self._clock.now())
        self._held[uri] = held
        self._held.move_to_end(uri)
        while len(self._held) > _MOST_HELD:
            self._held.popitem(last=False)
        return held


def _ttl(token: str) -> timedelta:
    """What the token says of itself, which counts even before it is believed: it can only make us ask again."""
    try:
        ttl = parse(token, typ=TYP, limit=LARGEST_FOREIGN).claims.get("ttl")
    except JoseInvalid:
        return timedelta(0)
    if isinstance(ttl, bool) or not isinstance(ttl, int) or ttl < 0:
        return timedelta(seconds=30)
    return timedelta(seconds=min(ttl, 86_400))
