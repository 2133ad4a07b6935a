"""Processes that must not outlive whoever started them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Have the kernel send SIGTERM to this process when its parent dies; Linux only, elsewhere nothing happens."""
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it died between the two lines
        os.kill(os.getpid(), signal.SIGTERM)


class Children:
    """The processes one demo started; `stop` leaves none of them, nor what they started themselves."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[str, subprocess.Popen[str]] = {}
        self._stopping = threading.Lock()

    def start(
        self, name: str, command: Sequence[str], env: Mapping[str, str] | None = None, *, read: bool = True
    ) -> subprocess.Popen[str]:
        """Start `command` in a process group of its own; what it prints goes to the log `name`.

        With `read`, stdout is a pipe for `output_of` instead; a child that prints much must not be started so.
        """
        self._logs.mkdir(parents=True, exist_ok=True)
        with (self._logs / f"{name}.log").open("w") as log:
            child = subprocess.Popen(
                command,
                env=dict(env) if env is not None else None,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if read else log,
                stderr=log,
                text=True,
                process_group=0,
            )
        self._running[name] = child
        return child

    def output_of(self, name: str) -> IO[str]:
        output = self._running[name].stdout
        assert output is not None, "started without read"
        return output

    def log_of(self, name: str, lines: int = 15) -> str:
        """The last lines a child wrote to stderr."""
        with contextlib.suppress(OSError):
            return "\n".join((self._logs / f"{name}.log").read_text(errors="replace").splitlines()[-lines:])
        return ""

    def wait(self, name: str, timeout_s: float) -> int:
        """The exit code of a child that is meant to end; it is then no longer ours. TimeoutError's own code is 124."""
        child = self._running[name]
        try:
            code = child.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            return 124
        del self._running[name]
        return code

    def has(self, name: str) -> bool:
        """Whether it was started and neither waited for nor stopped."""
        return name in self._running

    def tell(self, name: str, number: signal.Signals) -> None:
        self._running[name].send_signal(number)

    def stop_one(self, name: str, grace_s: float = 5.0) -> None:
        """As `stop`, for one that is not needed any more, or ended by itself and may be started again."""
        child = self._running.pop(name)
        _stop_groups([child], grace_s)

    def ended(self) -> dict[str, int]:
        """Children that ended by themselves, with their exit codes."""
        return {name: code for name, child in self._running.items() if (code := child.poll()) is not None}

    def stop(self, grace_s: float = 5.0) -> None:
        """SIGTERM to every group, SIGKILL to what is left after `grace_s`. May be called twice."""
        with self._stopping:
            children = list(self._running.values())
            self._running.clear()
            _stop_groups(children, grace_s)


def _stop_groups(children: Sequence[subprocess.Popen[str]], grace_s: float) -> None:
    for child in children:
        _signal_group(child.pid, signal.SIGTERM)
    for child in children:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(timeout=grace_s)
        # Also when the leader ended: its own children are in the same group.
        _signal_group(child.pid, signal.SIGKILL)
        child.wait()
        if child.stdout is not None:
            child.stdout.close()


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
