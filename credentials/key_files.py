"""Private keys as encrypted files: PKCS#8, one a key, readable by us alone."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from credentials.errors import KeysUnavailable


class KeyFiles:
    """Implements `KeyBox`. `secret` (32 bytes) is what the files are encrypted with, and comes from the master key."""

    def __init__(self, folder: Path, secret: bytes) -> None:
        self._folder, self._passphrase = folder, secret.hex().encode()

    def make(self, name: str) -> ec.EllipticCurvePrivateKey:
        private = ec.generate_private_key(ec.SECP256R1())
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(self._passphrase))
        try:
            write_once(self._folder / f"{name}.key", pem)
        except OSError:
            raise KeysUnavailable("write") from None
        return private

    def open(self, name: str) -> ec.EllipticCurvePrivateKey:
        try:
            private = load_pem_private_key((self._folder / f"{name}.key").read_bytes(), self._passphrase)
        except OSError:
            raise KeysUnavailable("read") from None
        except (ValueError, TypeError):  # another master key, or no longer what we wrote
            raise KeysUnavailable("decrypt") from None
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise KeysUnavailable("kind")
        return private


def write_once(path: Path, content: bytes) -> None:
    """A new file, on the disk when this returns. Raises OSError, also where there is one already."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    _sync_folder(path.parent)


def replace_file(path: Path, content: bytes) -> None:
    """Whoever reads sees the old file or the new one, also after a crash. Raises OSError."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        write_once(draft, content)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
