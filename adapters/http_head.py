"""The head of a request: what one origin is told each time, and headers that cannot become two."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from yarl import URL

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch  # RFC 9110, section 5.6.2
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]").search
_TARGET: Final = re.compile(r"/[!$-;=?-\[\]_a-z~]*").fullmatch  # no fragment, and nothing that had to be escaped
_FRAMING: Final = frozenset(("host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"))
_DEFAULTS: Final = {
    "user-agent": "User-Agent: yimen",
    "accept": "Accept: */*",
    "accept-encoding": "Accept-Encoding: gzip, deflate",
}
_MOST_NAMES: Final = 256
_names: set[str] = set()  # header names that were looked at; callers write a few dozen


class NotAllowed(ValueError):
    """A method or header HTTP does not allow, or that is ours to write."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request goes: as connected to, and as its Host header says."""

    host: str
    port: int
    secure: bool
    host_line: str

    @classmethod
    def of(cls, url: URL) -> Origin:
        host, port = url.raw_host or "", url.port or 0
        shown = f"[{host}]" if ":" in host else host
        secure = url.scheme == "https"
        pair = shown if port == (443 if secure else 80) else f"{shown}:{port}"
        return cls(host, port, secure, f" HTTP/1.1\r\nHost: {pair}\r\n")


def plain_target(url: str, end: int) -> str | None:
    """What stands behind the origin, which ends at `end`, if it can be sent as it is."""
    target = url[end:]
    return target if _TARGET(target) else None


def request_head(
    method: str, target: str, origin: Origin, headers: Mapping[str, str] | None, body: bytes | None
) -> bytes:
    """The bytes before the body. Raises NotAllowed."""
    headers = headers or {}
    if not _names.issuperset(headers) or method not in _names:
        _look_at(method, headers)
    values = "".join(headers.values())
    if _CONTROL(values):
        raise NotAllowed
    low = {name.lower() for name in headers}
    lines = [f"{name}: {value}" for name, value in headers.items()]
    lines += [line for name, line in _DEFAULTS.items() if name not in low]
    if body is not None or method not in ("GET", "HEAD", "OPTIONS", "DELETE"):
        lines.append(f"Content-Length: {len(body or b'')}")
    try:
        return f"{method} {target}{origin.host_line}".encode("ascii") + ("\r\n".join(lines) + "\r\n\r\n").encode()
    except UnicodeEncodeError:
        raise NotAllowed from None


def _look_at(method: str, headers: Mapping[str, str]) -> None:
    for name in (method, *headers):
        if not _TOKEN(name) or name.lower() in _FRAMING:
            raise NotAllowed
        if len(_names) < _MOST_NAMES:
            _names.add(name)
