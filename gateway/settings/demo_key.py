"""The demo's master key: made once, on disk, for nobody else to read."""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
from pathlib import Path

from gateway.errors import SettingsInvalid
from gateway.settings import parsing


def demo_master_key(state_dir: Path) -> bytes:
    """The demo's own key, made once; two processes starting at the same time agree on one."""
    path = state_dir / "master.key"
    state_dir.mkdir(parents=True, exist_ok=True)
    draft = state_dir / f".master.key.{secrets.token_hex(8)}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(secrets.token_bytes(32)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)  # unlike rename, never replaces a key that others already use
    finally:
        draft.unlink()
    try:
        return parsing.key(path.read_text("ascii"))
    except parsing.Fault as fault:
        raise SettingsInvalid((f"{path}: {fault}",)) from None
