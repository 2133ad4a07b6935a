"""The wallet's files as they are sent: its scripts joined to one, packed once, each with its ETag, the page with its policy.

No build step makes them: the parts are joined as they stand, but for indentation, whole-line comments and blanks about
signs, which would be a third of what an old phone fetches. Nothing in a text, a name or the order of things is touched.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

SCRIPT, WORKER, PAGE = "app.js", "sw.js", "index.html"
PARTS = (
    "base.js", "texts.js", "store.js", "jose.js", "x509.js", "trust.js", "status.js", "sdjwt.js", "types.js", "issuing.js",
    "keeping.js", "dcql.js", "presenting.js", "qr.js", "pages.js", "receive_page.js", "cards_page.js", "show_page.js",
    "offline_page.js", "app.js",
)  # fmt: skip
"""In the order they run: each builds on those before it."""
_KINDS = {
    "js": b"text/javascript; charset=utf-8",
    "css": b"text/css; charset=utf-8",
    "svg": b"image/svg+xml",
    "png": b"image/png",
    "webmanifest": b"application/manifest+json",
    "html": b"text/html; charset=utf-8",
}
_PACKED = frozenset({"js", "css", "svg", "webmanifest", "html"})
_FILES = (SCRIPT, "wallet.css", "manifest.webmanifest", "icon.svg", "icon-192.png", "icon-512.png")
_COMMENTS = re.compile(r"^[ \t]*(?://[^\n]*|/\*.*?\*/[ \t]*)(?:\n|$)", re.MULTILINE | re.DOTALL)
_INDENT = re.compile(r"^[ \t]+|^\n", re.MULTILINE)
_TEXT = re.compile(r"('(?:\\.|[^'\\])*')")
_SIGNS = re.compile(r" ?(=>|&&|\|\||[=,;{}?:<>]) ?")


@dataclass(frozen=True, slots=True)
class WalletFile:
    """`packed` None where packing is not worth it."""

    kind: bytes
    tag: bytes
    body: bytes
    packed: bytes | None


@cache
def wallet_files() -> dict[str, WalletFile]:
    """By name: everything `/wallet/{file}` serves, the page, and the service worker, whose version is that of all others."""
    found = {name: _file(name, joined() if name == SCRIPT else _read(name)) for name in (*_FILES, PAGE)}
    version = hashlib.sha256(b"".join(found[name].tag for name in sorted(found))).hexdigest()[:16]
    found[WORKER] = _file(WORKER, _read(WORKER).replace(b"{{version}}", version.encode()))
    return found


def joined(parts: Sequence[str] = PARTS) -> bytes:
    """All parts as one script. A part is its own function, so joining changes nothing in it."""
    whole = "".join(_INDENT.sub("", _COMMENTS.sub("", _read(part).decode())) for part in parts)
    return "\n".join(_closer(line) for line in whole.split("\n")).encode()


def _closer(line: str) -> str:
    """Without blanks about signs, outside of texts; a line whose quotes do not pair (one in a pattern) stays as it is."""
    pieces = _TEXT.split(line)
    if any("'" in piece for piece in pieces[::2]):
        return line
    return "".join(piece if place % 2 else _SIGNS.sub(r"\1", piece) for place, piece in enumerate(pieces))


def _file(name: str, body: bytes) -> WalletFile:
    ending = name.rpartition(".")[2]
    tag = b'"%b"' % hashlib.sha256(body).hexdigest()[:32].encode()
    return WalletFile(_KINDS[ending], tag, body, gzip.compress(body, 9, mtime=0) if ending in _PACKED else None)


def _read(name: str) -> bytes:
    return resources.files("gateway.web").joinpath("static", "wallet", name).read_bytes()
