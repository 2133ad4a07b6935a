"""The Go client of tests/interop/go, which has none of our code: built once, run against any base URL."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ledger.note import VerifierKey

SOURCES = Path(__file__).parent / "go"
GO_PATH = Path("/usr/share/gocode")
PACKAGES = "golang-go golang-golang-x-mod-dev"


class Refused(Exception):
    """The client ended with status 1; the message is what it said."""


@dataclass(frozen=True, slots=True)
class GoClient:
    """Runs the built program."""

    program: Path

    def __call__(
        self,
        base_url: str,
        logs: Sequence[VerifierKey],
        witnesses: Sequence[VerifierKey] = (),
        *,
        quorum: int = 0,
        old: Sequence[Path] = (),
        proofs: Sequence[Path] = (),
        requests: Sequence[Path] = (),
    ) -> dict[str, Any]:
        """What it found: origin, size, witnesses, and how many tiles, bundles and proofs it checked. Raises Refused."""
        flags = {
            "log": logs,
            "witness": witnesses,
            "old": old,
            "proof": proofs,
            "request": requests,
            "quorum": [quorum],
        }
        arguments = [part for name, values in flags.items() for one in values for part in (f"-{name}", str(one))]
        done = subprocess.run([self.program, *arguments, base_url], capture_output=True, text=True, timeout=60)
        if done.returncode == 1:
            raise Refused(done.stderr.strip())
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def judge(self, cases: Sequence[Mapping[str, Any]]) -> list[bool]:
        """Of each note or proof, as tests/interop/go/judge.go reads them, whether Go takes it."""
        lines = "".join(json.dumps(one) + "\n" for one in cases)
        done = subprocess.run([self.program, "-judge"], input=lines, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return [line == "true" for line in done.stdout.splitlines()]


def build(directory: Path) -> GoClient:
    """Skips the test where Go or its packages are missing; fails it there in CI."""
    if shutil.which("go") is None or not (GO_PATH / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"there is no Go here with x/mod (apt-get install {PACKAGES})")
        pytest.skip(f"there is no Go here with x/mod (apt-get install {PACKAGES})")
    program = directory / "client"
    environment = os.environ | {
        "GO111MODULE": "off", "GOPATH": str(GO_PATH), "GOFLAGS": "", "GOCACHE": str(directory / "cache"),
        "GOPROXY": "off", "GOTOOLCHAIN": "local",
    }  # fmt: skip
    done = subprocess.run(
        ["go", "build", "-o", program, *sorted(SOURCES.glob("*.go"))], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return GoClient(program)
