"""How whatever opens something is kept: as its SHA-256. Each is at least 256 random bits, so no salt is needed."""

from __future__ import annotations

import hashlib


def kept(secret: str) -> bytes:
    """32 bytes. Any text has one, also one no server ever issued."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
