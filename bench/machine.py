"""What a figure was measured on."""

from __future__ import annotations

import platform
from pathlib import Path

import psutil

from bench.peers_node import NotInstalled, node_version


def machine() -> str:
    name = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            name = line.partition(":")[2].strip()
            break
    memory = psutil.virtual_memory().total / (1 << 30)
    try:
        node = f", Node {node_version()}"
    except NotInstalled:
        node = ""
    return f"{name}, {psutil.cpu_count()} CPUs, {memory:.0f} GiB, {platform.system()} {platform.release()}, Python {platform.python_version()}{node}"
