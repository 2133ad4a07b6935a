"""What a figure was measured on."""

from __future__ import annotations

import platform
import subprocess
import sys
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
    system = f"{platform.system()} {platform.release()}"
    return f"{name}, {psutil.cpu_count()} CPUs, {memory:.0f} GiB, {system}, {interpreter()}{node}"


def interpreter() -> str:
    """With whose it is: the same version built in two ways takes a tenth more or less (docs/guides/scale.md)."""
    return f"{platform.python_implementation()} {platform.python_version()} of {sys.base_prefix}"


def commit() -> str:
    """Where the working tree stands, as git describes it."""
    try:
        said = subprocess.run(
            ("git", "describe", "--always", "--dirty", "--abbrev=10"), capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "an unknown commit"
    return said.stdout.strip()
