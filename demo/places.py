"""Where a running demo keeps its things; all of it under one directory that git ignores."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

HERE = Path(__file__).parent
TEMPLATES = HERE / "manifests"
TEMPLATES_SD = HERE / "manifests_sd"


class DemoRunning(Exception):
    """Another demo holds this directory."""


@dataclass(frozen=True, slots=True)
class Places:
    """`var/demo.json` for scripts, `var/demo/...` for everything else."""

    var: Path

    @property
    def card(self) -> Path:
        return self.var / "demo.json"

    @property
    def home(self) -> Path:
        return self.var / "demo"

    def sub(self, name: str) -> Path:
        """A directory of the demo's own, made if it is not there: pki, secrets, manifests, state, drops, logs ..."""
        path = self.home / name
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o700)
        return path

    def hold(self) -> IO[str]:
        """Keep other demos out of this directory until the file is closed. Raises DemoRunning."""
        self.home.mkdir(parents=True, exist_ok=True)
        lock = (self.home / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise DemoRunning from None
        return lock


def write_private(path: Path, content: str) -> None:
    """Replace `path` in one step; it is 0600 from its first moment."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(content)
    draft.replace(path)


def read_card(places: Places) -> dict[str, Any]:
    """What the running demo wrote. Raises FileNotFoundError where none is running."""
    card: dict[str, Any] = json.loads(places.card.read_text(encoding="utf-8"))
    return card
