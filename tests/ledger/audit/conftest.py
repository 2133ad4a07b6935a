"""What the audit's tests share: a place for logs, and an audit as an auditor runs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.audit.http import Http
from ledger.audit.run import Asked, Report, audit
from ledger.audit.source import Directory, Source
from tests.ledger.audit.logs import Files, entries, policy

Audit = Callable[..., Report]


def opened(where: str) -> Source:
    return Http(where, timeout_s=5.0) if where.startswith("http") else Directory(Path(where))


@pytest.fixture
def run() -> Audit:
    """`run(where, state=..., new_only=..., also=..., quorum=...)`."""

    def run(where: Path | str, *, quorum: int = 4, **asked: object) -> Report:
        source = opened(str(where))
        try:
            return audit(source, Asked(policy(quorum), **asked), opened)  # type: ignore[arg-type]
        finally:
            source.close()

    return run


@pytest.fixture
def log(tmp_path: Path) -> Files:
    """700 entries: two full bundles and one of 188."""
    return Files(tmp_path / "log", entries(700)).publish()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "2026.state"
