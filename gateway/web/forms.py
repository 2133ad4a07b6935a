"""Strict reading of `application/x-www-form-urlencoded` bodies: no parameter twice, nothing oversized, UTF-8 only."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.types import Receive

from gateway.web.body import read_body
from gateway.web.negotiation import media_type


class FormInvalid(Exception):
    """Not a form we read. `why` is a short code: type, utf8, duplicate, size, count."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


async def read_form(
    receive: Receive, headers: Mapping[bytes, bytes], *, limit: int = 65_536, seconds: float = 10.0, fields: int = 64
) -> dict[str, str]:
    """Name -> value, values never empty: by RFC 6749 3.1 a parameter without a value counts as not sent.

    Raises FormInvalid, and what `read_body` raises.
    """
    kind, parameters = media_type(headers.get(b"content-type", b"").decode("latin-1"))
    if kind != "application/x-www-form-urlencoded" or parameters.get("charset", "utf-8").lower() not in (
        "utf-8",
        "utf8",
    ):
        raise FormInvalid("type")
    raw = await read_body(receive, headers, limit=limit, seconds=seconds)
    return parse_form(raw, fields=fields)


def parse_form(raw: bytes, *, fields: int = 64) -> dict[str, str]:
    """Also for query strings. Raises FormInvalid."""
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=fields)
    except UnicodeDecodeError:
        raise FormInvalid("utf8") from None
    except ValueError:
        raise FormInvalid("count") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise FormInvalid("duplicate")
        found[name] = value
    return {name: value for name, value in found.items() if value}
