"""`yimen sources check`: every fault of a directory of manifests, and how each source answers its sample key."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from adapters.clock import Now, utc_now
from adapters.egress import Egress
from adapters.errors import AdapterError, ManifestInvalid, Reason
from adapters.kind import Kind
from adapters.manifest import AnswerSpec, Fault, SourceManifest
from adapters.manifest_reader import ManifestSet, read_manifests
from adapters.manifest_rules import KnownNouns
from adapters.registry import KINDS, OpenSource, host_of, open_source
from adapters.secrets import SecretMissing, Secrets, is_reference
from adapters.source import Answer, Failed, Found, Lookup, Match, Quality

_PATIENCE_S = 6.0  # a source without a server (a directory) must first be read
_PAUSE_S = 0.25
_TROUBLE = frozenset(reason.value for reason in Reason if reason is not Reason.CLOSED)


@dataclass(frozen=True, slots=True)
class Probe:
    """How one answer of a source did with its sample key. Names fields, never values.

    `state`: FOUND, REVIEW (only rows that would need a human), ABSENT, a Reason, NOT_PROBED without a sample key, or WITHHELD:
    another gateway knows us, recorded the question and has no ground to answer it; a probe is asked in no case.
    """

    noun: str
    by: tuple[str, ...]
    state: str
    took_ms: float = 0.0
    rows: int = 0
    unmapped: tuple[str, ...] = ()  # fields with codes or values the mapping does not know
    empty: tuple[str, ...] = ()  # fields that no row of the answer filled; record_id too
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SourceReport:
    code: str
    kind: str
    probes: tuple[Probe, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """`faults` is everything that should be mended, by file and line; `sources` is empty where the form is broken."""

    faults: tuple[Fault, ...]
    sources: tuple[SourceReport, ...] = ()
    version: str = ""

    @property
    def ok(self) -> bool:
        return not self.faults


async def check_sources(
    directory: Path,
    known: KnownNouns,
    *,
    egress: Egress,
    environ: Mapping[str, str],
    probe: bool,
    state_dir: Path,
    now: Now = utc_now,
    kinds: Mapping[str, Kind] = KINDS,
) -> Report:
    """Form, mapping, kinds' own parts and references; with `probe`, hosts and sample keys too, all sources at once.

    `state_dir` should be a fresh one: a source being checked must not touch what a running gateway keeps.
    Being CLOSED is a state and no fault. Never raises for anything a manifest or a department does.
    """
    try:
        manifests = read_manifests(directory, known, kinds)
    except ManifestInvalid as invalid:
        return Report(tuple(fault for fault in invalid.faults if isinstance(fault, Fault)))
    faults = list(_reference_faults(manifests, Secrets(environ, directory)))
    broken = {fault.file for fault in faults}
    reports: Sequence[tuple[SourceReport, Sequence[Fault]]] = []
    if probe:
        sound = [manifest for manifest in manifests.sources if manifest.file not in broken]
        checks = [_Check(manifests, one, egress, environ, directory, state_dir, now, kinds) for one in sound]
        reports = await asyncio.gather(*(check.run() for check in checks))
    for _, more in reports:
        faults.extend(more)
    ordered = sorted(faults, key=lambda fault: (fault.file, fault.line, fault.message))
    return Report(tuple(ordered), tuple(report for report, _ in reports), manifests.version)


@dataclass(frozen=True, slots=True)
class _Check:
    manifests: ManifestSet
    manifest: SourceManifest
    egress: Egress
    environ: Mapping[str, str]
    directory: Path
    state_dir: Path
    now: Now
    kinds: Mapping[str, Kind]

    async def run(self) -> tuple[SourceReport, Sequence[Fault]]:
        manifest = self.manifest
        faults: list[Fault] = []
        probes: list[Probe] = []
        try:
            await self._reach()
            # What it does when asked once: neither a retry nor an open breaker may colour the picture.
            limits = replace(manifest.limits, retries=0, hedge_after_s=None, cache_s=0.0, breaker_failures=1000)
            opened = open_source(
                replace(manifest, limits=limits),
                egress=self.egress,
                environ=self.environ,
                base_dir=self.directory,
                state_dir=self.state_dir,
                now=self.now,
                kinds=self.kinds,
            )
        except (AdapterError, ValueError, OSError) as error:
            faults.append(self.manifests.fault(manifest, "source.endpoint", f"cannot be opened: {_said(error)}"))
        else:
            try:
                for number, answer in enumerate(manifest.answers):
                    done = await self._probe(opened, answer)
                    probes.append(done)
                    if done.state in _TROUBLE:
                        message = f"probe: {done.state} after {done.took_ms:.0f} ms" + f" ({done.detail})" * bool(
                            done.detail
                        )
                        faults.append(self.manifests.fault(manifest, f"answers.{number}.probe", message))
            finally:
                await opened.close()
        return SourceReport(manifest.code, manifest.kind, tuple(probes)), faults

    async def _reach(self) -> None:
        """A connection to the endpoint's port, so that a wrong host is told apart from a wrong path."""
        if not self.kinds[self.manifest.kind].uses_http:
            return
        endpoint = Secrets(self.environ, self.directory).plain_or_reference(self.manifest.endpoint)
        place = host_of(self.manifest, endpoint)
        host, _, port = place.rpartition(":")
        try:
            async with asyncio.timeout(self.manifest.limits.connect_timeout_s + 1):
                _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        except (OSError, TimeoutError):
            raise AdapterError(f"{place} cannot be reached") from None
        writer.transport.abort()

    async def _probe(self, opened: OpenSource, answer: AnswerSpec) -> Probe:
        if not answer.probe:
            return Probe(answer.noun, answer.by, "NOT_PROBED")
        fields = frozenset(mapping.name for mapping in answer.fields)
        lookup = Lookup(answer.noun, answer.by, (answer.probe,), fields)
        patient_until = 0.0 if opened.channel is not None else time.monotonic() + _PATIENCE_S
        while True:
            began = time.monotonic()
            (said,) = await opened.source.fetch(lookup, timeout_s=self.manifest.limits.timeout_s)
            took_ms = (time.monotonic() - began) * 1000
            not_yet = isinstance(said, Failed) and said.reason is Reason.DOWN
            if not not_yet or time.monotonic() > patient_until:
                return _told(answer, said, took_ms)
            await asyncio.sleep(_PAUSE_S)


def _told(answer: AnswerSpec, said: Answer, took_ms: float) -> Probe:
    if isinstance(said, Failed):
        if said.reason is Reason.REFUSED and said.receipt is not None and not said.receipt.note:
            return Probe(answer.noun, answer.by, "WITHHELD", took_ms, detail=said.detail[:200])
        return Probe(answer.noun, answer.by, said.reason.value, took_ms, detail=said.detail[:200])
    if not isinstance(said, Found):
        return Probe(answer.noun, answer.by, "ABSENT", took_ms)
    if said.incomplete is not None and not said.rows:
        return Probe(answer.noun, answer.by, said.incomplete.value, took_ms, detail="no row could be read")
    sure = [row for row in said.rows if row.match is Match.AUTO]
    flags = {name for row in sure for name, flag in row.quality if flag is Quality.CODE_UNMAPPED}
    empty = {
        mapping.name for mapping in answer.fields if sure and all(row.values.get(mapping.name) is None for row in sure)
    }
    if answer.record_id and sure and not any(row.record_id for row in sure):
        empty.add("record_id")
    return Probe(
        answer.noun,
        answer.by,
        "FOUND" if sure else "REVIEW",
        took_ms,
        len(said.rows),
        tuple(sorted(flags)),
        tuple(sorted(empty - flags)),
        f"incomplete: {said.incomplete}" if said.incomplete else "",
    )


def _reference_faults(manifests: ManifestSet, secrets: Secrets) -> Iterator[Fault]:
    for manifest in manifests.sources:
        for place, reference in _references(manifest):
            try:
                if place.startswith(("source.tls.", "source.options.")) and reference.startswith("file:"):
                    secrets.path(reference)
                else:
                    secrets(reference)
            except SecretMissing as missing:
                yield manifests.fault(manifest, place, str(missing))


def _references(manifest: SourceManifest) -> Iterator[tuple[str, str]]:
    parts: Mapping[str, Any] = {
        "endpoint": manifest.endpoint,
        "auth": manifest.auth,
        "tls": manifest.tls,
        "options": manifest.options,
    }
    waiting: list[tuple[str, Any]] = [("source", parts)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, Mapping):
            waiting.extend((f"{place}.{name}", inner) for name, inner in value.items())
        elif isinstance(value, str) and is_reference(value):
            yield place, value


def _said(error: Exception) -> str:
    """The reason without what a foreign exception may repeat of a URL or a password."""
    return str(error) if isinstance(error, AdapterError) else type(error).__name__
