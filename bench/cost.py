"""What a process and everything it started have cost: CPU time in nanoseconds, resident memory in bytes."""

from __future__ import annotations

import contextlib
import time

import psutil


def cpu_s(pid: int) -> float:
    """CPU seconds of `pid` and its living descendants so far. Raises psutil.NoSuchProcess where `pid` is gone."""
    total = _cpu_of(pid)
    for child in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += _cpu_of(child.pid)
    return total


def rss_mib(pid: int) -> float:
    """Resident memory of `pid` and its living descendants, in MiB."""
    process = psutil.Process(pid)
    total = process.memory_info().rss
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += child.memory_info().rss
    return float(total) / (1 << 20)


def largest_rss_mib(pid: int) -> float:
    """Resident memory of the largest among `pid` and its living descendants, in MiB: of one worker."""
    process = psutil.Process(pid)
    found = [process.memory_info().rss]
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(child.memory_info().rss)
    return float(max(found)) / (1 << 20)


def _cpu_of(pid: int) -> float:
    """The process's CPU clock where there is one (nanoseconds, ended threads included), else /proc's hundredths."""
    try:
        return time.clock_gettime(_clock_of(pid))
    except OSError:
        times = psutil.Process(pid).cpu_times()
        return float(times.user + times.system)


def _clock_of(pid: int) -> int:
    """clock_getcpuclockid(3) of Linux: the complement of the pid, three bits of kind, 2 = scheduled time."""
    return (~pid << 3) | 2
