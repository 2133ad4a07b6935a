"""Personal data at rest in the index: values sealed, keys only as HMAC. Without the key the file tells nothing."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from adapters.errors import AdapterError

SHORTEST_KEY: Final = 32  # characters of the secret
_MAC_BYTES: Final = 16
_NONCE_BYTES: Final = 12


class SealBroken(AdapterError):
    """A sealed value was made with another key, or altered."""


class Seal:
    """AES-256-GCM over values, HMAC-SHA-256 (128 bits kept) over keys; two keys derived from one secret.

    `context` (the source's code) is bound into both, so a value of one source cannot be put into another's index.
    """

    def __init__(self, secret: str, context: str) -> None:
        if len(secret) < SHORTEST_KEY:
            raise AdapterError(f"the index key of source {context} is shorter than {SHORTEST_KEY} characters")
        self._context = context.encode()
        self._aead = AESGCM(self._derived(secret, b"seal"))
        self._mac_key = self._derived(secret, b"mac")

    def mac(self, *parts: str) -> bytes:
        """The same 16 bytes for the same parts; lengths are part of it, so ("a", "bc") is not ("ab", "c")."""
        code = hmac.new(self._mac_key, self._context, hashlib.sha256)
        for part in parts:
            data = part.encode("utf-8", errors="surrogatepass")
            code.update(len(data).to_bytes(4, "big") + data)
        return code.digest()[:_MAC_BYTES]

    def seal(self, plain: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, plain, self._context)

    def open(self, sealed: bytes) -> bytes:
        """Raises SealBroken."""
        try:
            return self._aead.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], self._context)
        except (InvalidTag, ValueError):
            raise SealBroken("a stored value cannot be opened") from None

    def _derived(self, secret: str, purpose: bytes) -> bytes:
        info = b"yimen drop index " + purpose + b" " + self._context
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret.encode())


def own_secret(path: Path) -> str:
    """The secret kept at `path`, made at the first call: mode 0600, and never half written.

    Raises AdapterError where it cannot be read or made.
    """
    try:
        if not path.exists():
            fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(32))
                file.flush()
                os.fsync(handle)
            try:
                os.link(fresh, path)  # fails where another process was first, whose key then counts
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        return path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise AdapterError(f"the index key {path.name} cannot be kept: {type(error).__name__}") from error
