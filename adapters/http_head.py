"""The head of a request: what one origin is told each time, and headers that cannot become two."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

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


class Origin(NamedTuple):
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
    try:
        if method not in _names:
            _look_at((method,))
        if headers is not None and headers.__class__ is MappingProxyType:
            lines = (_remembered.get(id(headers)) or _remember(headers))[1]
        else:
            lines = _lines(headers or {})
        return f"{method} {target}{origin.host_line}".encode("ascii") + lines + _length(method, body)
    except UnicodeEncodeError:
        raise NotAllowed from None


_remembered: dict[int, tuple[Mapping[str, str], bytes]] = {}
"""What callers send each time, by the mapping that can not be changed (and is kept here, so that its id stays its own)."""
_MOST_REMEMBERED: Final = 64


def _remember(headers: Mapping[str, str]) -> tuple[Mapping[str, str], bytes]:
    found = headers, _lines(headers)
    if len(_remembered) < _MOST_REMEMBERED:
        _remembered[id(headers)] = found
    return found


def _lines(headers: Mapping[str, str]) -> bytes:
    """Those of the headers, and of what is always sent."""
    if not _names.issuperset(headers):
        _look_at(headers)
    if _CONTROL("".join(headers.values())):
        raise NotAllowed
    low = {name.lower() for name in headers}
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    lines += [f"{line}\r\n" for name, line in _DEFAULTS.items() if name not in low]
    return "".join(lines).encode()


def _length(method: str, body: bytes | None) -> bytes:
    if body is not None or method not in ("GET", "HEAD", "OPTIONS", "DELETE"):
        return b"Content-Length: %d\r\n\r\n" % len(body or b"")
    return b"\r\n"


def _look_at(names: Iterable[str]) -> None:
    for name in names:
        if not _TOKEN(name) or name.lower() in _FRAMING:
            raise NotAllowed
        if len(_names) < _MOST_NAMES:
            _names.add(name)
