"""`yimen verify --fetch-kit`: the one part of it that uses a network."""

from __future__ import annotations

import contextlib
import os
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from credentials.kit import LONGEST, Kit, read_kit

_TIMEOUT_S = 30
_OURSELVES = frozenset({"127.0.0.1", "localhost", "::1"})


class KitUnreached(Exception):
    """Nobody answered, or not with a kit."""


def fetch_kit(url: str, path: Path) -> Kit:
    """The kit of the issuer at `url`, written to `path` whole or not at all.

    A first one is believed because it came from that address by TLS; a later one must be signed under the one there was.
    Raises KitInvalid, KitUnreached.
    """
    address = url.rstrip("/")
    if not address.endswith("/credentials/kit"):
        address += "/credentials/kit"
    if not _safe(address):
        raise KitUnreached("https only")
    before = read_kit(path.read_text("utf-8")) if path.exists() else None
    try:
        with _OPENER.open(address, timeout=_TIMEOUT_S) as answer:
            text = answer.read(LONGEST + 1).decode("ascii")
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise KitUnreached(str(error)) from None
    kit = read_kit(text, before=before)
    if address != f"{kit.issuer}/credentials/kit":
        raise KitUnreached(f"{kit.issuer}")
    handle, name = tempfile.mkstemp(dir=path.parent or ".", prefix=path.name)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
        Path(name).replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise KitUnreached(str(error)) from None
    return kit


def _safe(address: str) -> bool:
    """By TLS, or without it from this very machine: a name that only begins like it is somebody else's."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _OURSELVES)


class _NotElsewhere(urllib.request.HTTPRedirectHandler):
    """An address is believed for being itself; where it points to is another."""

    def redirect_request(self, *_: object) -> None:
        return None


_OPENER = urllib.request.build_opener(_NotElsewhere)
