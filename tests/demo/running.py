"""`python -m demo` in a process of its own, as a visitor runs it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from demo.serving import bind

ROOT = Path(__file__).parents[2]


def free() -> int:
    with bind() as probe:
        return int(probe.getsockname()[1])


def command(var: Path, *more: str) -> list[str]:
    ports = ("--port", str(free()), "--first-port", str(free()))
    return [sys.executable, "-m", "demo", "--var", str(var), "--latency", "0.2", "--count", "200", *ports, *more]


@contextmanager
def running_demo(
    var: Path, *more: str, within_s: float = 90
) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any], list[psutil.Process]]]:
    """A running demo, its card, and every process it started."""
    with (var / "out").open("wb") as out:
        demo = subprocess.Popen(command(var, *more), cwd=ROOT, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + within_s
        while not (var / "demo.json").exists():
            assert demo.poll() is None, (var / "out").read_text()
            assert time.monotonic() < deadline, (var / "out").read_text()
            time.sleep(0.1)
        yield demo, json.loads((var / "demo.json").read_text()), psutil.Process(demo.pid).children(recursive=True)
    finally:
        if demo.poll() is None:
            demo.send_signal(signal.SIGTERM)
            demo.wait(timeout=30)
