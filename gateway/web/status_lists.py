"""`/credentials/status/{list_id}` and `/credentials/status-lists`: signed bytes for whoever verifies, from any site."""

from __future__ import annotations

import gzip
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import parse_qs

import orjson
from starlette.types import Receive, Scope, Send

from credentials.errors import KeysUnavailable
from credentials.status_list import MEDIA_TYPE
from gateway.services.credentials.ports import StatusLists
from gateway.web.problems import JSON, Refusal, Reply

_TYPE = MEDIA_TYPE.encode()
_FOR_EVER = b"public, max-age=86400"
_MOST_PACKED = 64
_MOST_LOOKING_BACK = 4
"""A list of the past is put together and signed for whoever asks, so few may ask at once."""


class StatusListFile:
    """One list's token as it is now, or with `?time=<unix seconds>` as it was. Nothing says who asks about whom."""

    def __init__(self, lists: StatusLists, ttl_s: int) -> None:
        self._lists, self._fresh = lists, b"public, max-age=%d" % ttl_s
        self._packed: OrderedDict[str, bytes] = OrderedDict()
        self._looking_back = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            raise Refusal("METHOD_NOT_ALLOWED", [(b"allow", b"GET, HEAD, OPTIONS")])
        list_id = scope["path_params"]["list_id"]
        asked = query_of(scope)
        try:
            token, tag, cache = await self._found(list_id, asked.get("time"))
        except KeysUnavailable:
            raise Refusal("NOT_READY") from None
        given = dict(scope["headers"])
        packed = b"gzip" in given.get(b"accept-encoding", b"")
        etag = (tag[:-1] + '-gz"' if packed else tag).encode()
        headers = [
            (b"etag", etag), (b"cache-control", cache), (b"vary", b"accept-encoding"),
            (b"x-content-type-options", b"nosniff"),
        ]  # fmt: skip
        if etag in [one.strip().removeprefix(b"W/") for one in given.get(b"if-none-match", b"").split(b",")]:
            await Reply(304, b"", _TYPE, headers)(scope, receive, send)
            return
        body = token.encode()
        if packed:
            body = self._pack(tag, body)
            headers.append((b"content-encoding", b"gzip"))
        await Reply(200, body, _TYPE, headers)(scope, receive, send)

    async def _found(self, list_id: str, times: list[str] | None) -> tuple[str, str, bytes]:
        now = await self._lists.token(list_id) if times is None else None
        if now is not None:
            return now[0], now[1], self._fresh
        if times is None:
            raise Refusal("NOT_FOUND")
        moment = _moment(times)
        if self._looking_back >= _MOST_LOOKING_BACK:
            raise Refusal("OVERLOADED")
        self._looking_back += 1
        try:
            past = await self._lists.history(list_id, moment)
        finally:
            self._looking_back -= 1
        if past is None:
            # Nothing for that time, or no such list: the first is what the draft wants 406 for (section 8.4).
            raise Refusal("NOT_ACCEPTABLE" if list_id in await self._lists.lists() else "NOT_FOUND")
        return past, '"' + hashlib.sha256(past.encode()).hexdigest()[:32] + '"', _FOR_EVER

    def _pack(self, tag: str, body: bytes) -> bytes:
        """Once a token: base64 of compressed bytes still gives back a quarter."""
        found = self._packed.get(tag)
        if found is None:
            found = self._packed[tag] = gzip.compress(body, 1, mtime=0)
            while len(self._packed) > _MOST_PACKED:
                self._packed.popitem(last=False)
        return found


class Aggregation:
    """The addresses of all lists, so that whoever goes offline can take them along."""

    def __init__(self, lists: StatusLists, uri_of: Callable[[str], str], ttl_s: int) -> None:
        self._lists, self._uri_of, self._cache = lists, uri_of, b"public, max-age=%d" % ttl_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            raise Refusal("METHOD_NOT_ALLOWED", [(b"allow", b"GET, HEAD, OPTIONS")])
        body = orjson.dumps({"status_lists": [self._uri_of(one) for one in await self._lists.lists()]})
        headers = [(b"cache-control", self._cache), (b"x-content-type-options", b"nosniff")]
        await Reply(200, body, JSON, headers)(scope, receive, send)


def query_of(scope: Scope) -> dict[str, list[str]]:
    """Raises Refusal where more is asked than anybody has to ask."""
    try:
        return parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        raise Refusal("INVALID_REQUEST") from None


def _moment(times: list[str]) -> datetime:
    """Raises Refusal for anything but one whole number of seconds."""
    if len(times) != 1 or not (times[0].isascii() and times[0].isdigit() and len(times[0]) <= 11):
        raise Refusal("INVALID_REQUEST")
    return datetime.fromtimestamp(int(times[0]), UTC)
