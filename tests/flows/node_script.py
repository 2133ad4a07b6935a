"""A client of somebody else's making, run as a script of Node.js: a line of JSON in with its settings, a line out per step."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from tests.gateway.web.test_audits import node

AT_MOST_S = 60


async def run_script(
    script: Path, packages: Path, said: Mapping[str, Any], browser: Callable[[str], Awaitable[str]] | None = None
) -> dict[str, dict[str, Any]]:
    """Its steps by name, once it ended well. `browser`: given the URL of the step `par`, the URL a browser is sent back to."""
    child = await asyncio.create_subprocess_exec(
        node(), str(script), str(packages),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdin.write(json.dumps(said).encode() + b"\n")
    steps: dict[str, dict[str, Any]] = {}
    try:
        async with asyncio.timeout(AT_MOST_S):
            async for line in child.stdout:
                step = json.loads(line)
                name = step.pop("step")
                steps[name] = step
                if name == "par" and browser is not None:
                    child.stdin.write((await browser(step["url"])).encode() + b"\n")
            assert await child.wait() == 0, (steps, (await child.stderr.read()).decode())
    finally:
        if child.returncode is None:
            child.kill()
    return steps
