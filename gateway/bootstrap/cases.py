"""`yimen cases import DIR|FILE [--dry-run]`: the register of cases from CSV files."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from gateway.bootstrap.database import opened_store
from gateway.services.import_cases import ImportCases
from gateway.settings import Settings


async def import_cases(settings: Settings, path: Path, *, dry_run: bool) -> int:
    """1 where there are faults, each with file and line; then nothing was changed."""
    try:
        files = _read(path)
    except OSError as error:
        print(f"{path}: {type(error).__name__}", file=sys.stderr)
        return 1
    async with opened_store(settings) as store:
        done = await ImportCases(store.cases, store.subjects)(files, dry_run=dry_run)
    for fault in done.faults:
        print(fault, file=sys.stderr)
    if done.faults:
        print(f"{len(done.faults)} 处有误，未作任何更改 / faults, nothing was changed", file=sys.stderr)
        return 1
    told = "试运行，未作更改 / dry run, nothing changed" if done.changed is None else f"{done.changed} 项更改 / changed"
    print(f"{done.rows} 行 / rows; {told}")
    return 0


def _read(path: Path) -> Mapping[str, bytes]:
    paths = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    return {file.name: file.read_bytes() for file in paths}
