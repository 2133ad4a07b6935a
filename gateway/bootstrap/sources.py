"""`yimen sources check | list` and `yimen schema`: what a set of manifests amounts to, for an operator's screen."""

from __future__ import annotations

import tempfile
from pathlib import Path

from adapters.check import Report, SourceReport, check_sources
from adapters.egress_aiohttp import AiohttpEgress
from adapters.errors import ManifestInvalid
from gateway.errors import SettingsInvalid
from gateway.policy.purposes import read_register
from gateway.services.load_sources import PURPOSES, known_nouns, noun_of, read_sources
from gateway.settings import environment
from schema.build import build_schema
from schema.errors import NounConflict


async def check_manifests(directory: Path, *, probe: bool) -> int:
    """Prints every fault with file and line, then how each source answered its sample key. 1 where there are faults."""
    report = await _report(directory, probe=probe)
    extra = _beyond_the_floor(directory) if not report.faults or report.sources else []
    for fault in [*map(str, report.faults), *extra]:
        print(fault)
    for source in report.sources:
        _print_source(source)
    count = len(report.faults) + len(extra)
    if count:
        print(f"\n{count} 处问题 {count} fault(s)")
    else:
        print(f"\n清单可用 The manifests are sound ({report.version[:12]})")
    return 1 if count else 0


async def list_manifests(directory: Path) -> int:
    """A line per source and per noun it answers, with a live probe."""
    report = await _report(directory, probe=True)
    if not report.sources:
        for fault in report.faults:
            print(fault)
        return 1
    for source in sorted(report.sources, key=lambda item: item.code):
        _print_source(source)
    return 0


def schema_text(directory: Path | None) -> str:
    """The SDL of the built-in schema, or of the one the manifests of `directory` make."""
    if directory is None:
        return build_schema().sdl
    manifests = read_sources(directory)
    return build_schema([noun_of(noun) for source in manifests.sources for noun in source.nouns]).sdl


async def _report(directory: Path, *, probe: bool) -> Report:
    egress = AiohttpEgress()
    try:
        with tempfile.TemporaryDirectory(prefix="yimen-check-") as state:
            return await check_sources(
                directory, known_nouns(), egress=egress, environ=environment(), probe=probe, state_dir=Path(state)
            )
    finally:
        await egress.close()


def _beyond_the_floor(directory: Path) -> list[str]:
    """What only the gateway can see: names the schema has already, purposes that name what does not exist."""
    faults: list[str] = []
    try:
        schema_text(directory)
    except ManifestInvalid as error:
        faults += map(str, error.faults)
    except NounConflict as error:
        faults.append(str(error))
    try:
        read_register(sorted((directory / PURPOSES).glob("*.toml")))
    except SettingsInvalid as error:
        faults += [f"{PURPOSES}/{fault}" for fault in error.faults]
    return faults


def _print_source(source: SourceReport) -> None:
    print(f"{source.code:10} {source.kind}")
    for probe in source.probes:
        said = (
            f"  {probe.noun:18} {'+'.join(probe.by):20} {probe.state:13} {probe.took_ms:7.0f} ms  {probe.rows} row(s)"
        )
        doubts = f"  unmapped: {', '.join(probe.unmapped)}" if probe.unmapped else ""
        detail = f"  {probe.detail}" if probe.detail else ""
        print(said + doubts + detail)
