"""The bytes of a request: how many, how soon, and the JSON in them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.types import Receive

from gateway.web.negotiation import media_type
from gateway.web.problems import Refusal
from gateway.web.strict_json import loads


class ClientGone(Exception):
    """The client left before its request was complete; there is nobody to answer."""


def check_content_type(headers: Mapping[bytes, bytes]) -> None:
    """Raises Refusal UNSUPPORTED_MEDIA_TYPE for anything but uncompressed UTF-8 application/json."""
    if headers.get(b"content-type") == b"application/json" and b"content-encoding" not in headers:
        return
    kind, parameters = media_type(headers.get(b"content-type", b"").decode("latin-1"))
    if kind != "application/json" or parameters.get("charset", "utf-8") not in ("utf-8", "utf8"):
        raise Refusal("UNSUPPORTED_MEDIA_TYPE")
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise Refusal("UNSUPPORTED_MEDIA_TYPE")


async def read_json(
    receive: Receive, headers: Mapping[bytes, bytes], *, limit: int, depth: int, seconds: float = 10.0
) -> Any:
    """The JSON value of a body. Raises Refusal, whatever is wrong with it, or ClientGone."""
    check_content_type(headers)
    return loads(await read_body(receive, headers, limit=limit, seconds=seconds), depth=depth)


async def read_body(receive: Receive, headers: Mapping[bytes, bytes], *, limit: int, seconds: float) -> bytes:
    """The whole body. Raises Refusal BODY_TOO_LARGE (announced or streamed) or BODY_TIMEOUT, or ClientGone."""
    announced = headers.get(b"content-length")
    if announced is not None and (not announced.isdigit() or len(announced) > 15 or int(announced) > limit):
        raise Refusal("BODY_TOO_LARGE")
    whole = getattr(getattr(receive, "__self__", None), "whole_body", None)  # of `http_cycle`, where all is there
    if whole is not None and (body := whole()) is not None:
        _grown(0, body, limit)
        return body  # type: ignore[no-any-return]
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                part = message.get("body", b"")
                size = _grown(size, part, limit)
                parts.append(part)
                if not message.get("more_body", False):
                    return parts[0] if len(parts) == 1 else b"".join(parts)
    except TimeoutError:
        raise Refusal("BODY_TIMEOUT") from None


def _grown(size: int, part: bytes, limit: int) -> int:
    size += len(part)
    if size > limit:
        raise Refusal("BODY_TOO_LARGE")
    return size
