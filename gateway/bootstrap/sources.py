"""`yimen sources check | list` and `yimen schema`: what a set of manifests amounts to, for an operator's screen."""

from __future__ import annotations

import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from adapters.check import Report, SourceReport, check_sources
from adapters.egress_http import HttpEgress
from adapters.errors import ManifestInvalid
from adapters.manifest import NounDecl
from adapters.manifest_form import did_you_mean
from adapters.manifest_reader import ManifestSet
from adapters.toml_lines import line_index, nearest
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
    for hint in _hints(report):
        print(hint)
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
        if not report.faults:
            print(f"{directory}: 没有数据源 / no source is in it")
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
    egress = HttpEgress()
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
    nouns = known_nouns()
    if not any(directory.glob("*.toml")):
        faults.append(f"{directory}: 没有清单 / there is no manifest (*.toml) in it")
    try:
        manifests = read_sources(directory)
        nouns = {**nouns, **{noun.name: {item.name: None for item in noun.fields} for noun in _declared(manifests)}}
        schema_text(directory)
    except ManifestInvalid as error:
        faults += map(str, error.faults)
    except NounConflict as error:
        faults.append(str(error))
    files = sorted((directory / PURPOSES).glob("*.toml"))
    try:
        read_register(files)
    except SettingsInvalid as error:
        faults += [f"{PURPOSES}/{fault}" for fault in error.faults]
    else:
        faults += [f"{PURPOSES}/{file.name}:{fault}" for file in files for fault in _unknown_grants(file, nouns)]
    return faults


def _declared(manifests: ManifestSet) -> list[NounDecl]:
    return [noun for source in manifests.sources for noun in source.nouns]


def _unknown_grants(file: Path, nouns: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """Nouns and fields a purpose names that do not exist: they would grant nothing, and nobody would be told."""
    text = file.read_text("utf-8")
    lines = line_index(text)
    for code, table in tomllib.loads(text).items():
        for part in ("nouns", "mask"):
            for noun, fields in table.get(part, {}).items():
                line = nearest(lines, (code, part, noun))
                if noun not in nouns:
                    yield f"{line}: {code}: unknown noun {noun}{did_you_mean(noun, nouns)}"
                    continue
                for name in fields if isinstance(fields, list) else ():
                    if name not in nouns[noun]:
                        yield f"{line}: {code}: {noun} has no field {name}{did_you_mean(name, nouns[noun])}"


_HINTS = {
    "REVIEW": "对方的记录与样例人员不符 / the rows name another person than the probe does: look at `subject` and `probe`",
    "ABSENT": "样例人员无记录,字段未经核对 / no record for the sample person, so no field was tried: choose another `probe`",
    "WITHHELD": "对方网关认识我方并已留痕,但试查不属于任何案件,故不提供;连接和凭证均正常 / the other gateway knows us and recorded the question, but a probe is asked in no case: connection and credentials are in order, fields were not tried",
    "NOT_PROBED": "没有样例人员,未查询 / nobody was asked: give the answer a `probe`",
}
_UNMAPPED = (
    "unmapped: 值未能对应 / the department sent a value or code that the field's `type` or `codes` does not know"
)
_EMPTY = "empty: 应答中没有该字段的值 / no row held a value: is the raw field's name right, or does the sample person have none?"


def _hints(report: Report) -> Iterator[str]:
    """What to do about what is no fault, yet may be a mistake; each said once."""
    probes = [probe for source in report.sources for probe in source.probes]
    yield from (f"\n{state}: {hint}" for state, hint in _HINTS.items() if any(probe.state == state for probe in probes))
    if any(probe.unmapped for probe in probes):
        yield "\n" + _UNMAPPED
    if any(probe.empty for probe in probes):
        yield "\n" + _EMPTY


def _print_source(source: SourceReport) -> None:
    print(f"{source.code:10} {source.kind}")
    for probe in source.probes:
        said = (
            f"  {probe.noun:18} {'+'.join(probe.by):20} {probe.state:13} {probe.took_ms:7.0f} ms  {probe.rows} row(s)"
        )
        doubts = f"  unmapped: {', '.join(probe.unmapped)}" if probe.unmapped else ""
        doubts += f"  empty: {', '.join(probe.empty)}" if probe.empty else ""
        detail = f"  {probe.detail}" if probe.detail else ""
        print(said + doubts + detail)
