"""A PKCS#11 token of SoftHSM2 for tests, where the machine has it."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

TOKEN, PIN = "yimen", "123456"
_PLACES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
)


def missing() -> str | None:
    """Why there is none here; None where there is."""
    if shutil.which("softhsm2-util") is None or module() is None:
        return "no SoftHSM2 here (Debian: apt-get install softhsm2)"
    try:
        import pkcs11  # noqa: F401  (whether the extra is installed)
    except ImportError:
        return "no python-pkcs11 here (the extra `pkcs11`)"
    return None


def module() -> Path | None:
    return next((Path(place) for place in _PLACES if Path(place).exists()), None)


_FOLDERS: list[Path] = []


def folder(factory: pytest.TempPathFactory) -> Path:
    """SoftHSM reads its settings once a process, hence one folder for all of its tests."""
    if not _FOLDERS:
        _FOLDERS.append(factory.mktemp("softhsm"))
    return _FOLDERS[0]


@cache
def prepared(folder: Path) -> Path:
    """The module, with a fresh token in `folder`."""
    tokens, conf = folder / "tokens", folder / "softhsm2.conf"
    tokens.mkdir()
    conf.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n", "utf-8")
    os.environ["SOFTHSM2_CONF"] = str(conf)
    command = ["softhsm2-util", "--init-token", "--free", "--label", TOKEN, "--pin", PIN, "--so-pin", "87654321"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    found = module()
    assert found is not None
    return found
