"""The reference department: what the suite expects, with nothing between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.contract.departments import RAW_ROWS, Department, department, manifest_for, opening_for
from tests.fakes.memory_source import MemoryKind, MemorySource


@asynccontextmanager
async def memory_department(tmp_path: Path) -> AsyncIterator[Department]:
    manifest = manifest_for(
        "memory", endpoint="", request={"key_columns": {"idNo": "sfzh"}}, options={"rows": RAW_ROWS}
    )
    raw = MemoryKind().open(opening_for(manifest, base_dir=tmp_path))
    assert isinstance(raw, MemorySource)

    @asynccontextmanager
    async def outage() -> AsyncIterator[None]:
        raw.down = True
        yield
        raw.down = False

    @asynccontextmanager
    async def silence() -> AsyncIterator[None]:
        raw.silent = True
        yield
        raw.silent = False

    yield department(manifest, raw, outage=outage, silence=silence)
