"""A directory of TOML files into frozen manifests, or into every fault there is, each with file and line."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters import toml_lines
from adapters.errors import ManifestInvalid
from adapters.kind import Kind
from adapters.manifest import Fault, SourceManifest
from adapters.manifest_answers import read_answer, read_noun
from adapters.manifest_files import Unreadable, manifest_files, parse, read_text
from adapters.manifest_form import Table
from adapters.manifest_rules import KnownNouns, Loaded, broken_rules
from adapters.manifest_source import read_catalogue, read_source


@dataclass(frozen=True, slots=True)
class ManifestSet:
    """All manifests of a directory as they stood at one moment; nothing in it can change.

    `version` is a hash over the files' contents, whatever their names and order.
    """

    sources: tuple[SourceManifest, ...]
    version: str
    lines: Mapping[str, toml_lines.Index] = field(default_factory=dict, repr=False, compare=False)

    def fault(self, manifest: SourceManifest, place: str, message: str) -> Fault:
        """A fault at the dotted `place` ("answers.0.request.mode") of `manifest`'s file."""
        return Fault(manifest.file, _line(self.lines.get(manifest.file, {}), place), message)


def read_manifests(directory: Path, known: KnownNouns, kinds: Mapping[str, Kind] | None = None) -> ManifestSet:
    """The manifests of `directory` (*.toml, not below it; names that begin with a dot are skipped).

    `known` are the nouns that exist without manifests. With `kinds` each kind checks its own part too.
    Raises ManifestInvalid with all faults, ordered by file and line; opens no source and resolves no reference.
    """
    faults: list[Fault] = []
    loaded: list[Loaded] = []
    lines: dict[str, toml_lines.Index] = {}
    digests: list[bytes] = []
    try:
        paths = manifest_files(directory)
    except Unreadable as error:
        raise ManifestInvalid((Fault(str(directory), 0, error.message),)) from None
    for path in paths:
        try:
            text = read_text(directory, path)
            data = parse(text)
        except Unreadable as error:
            faults.append(Fault(path.name, error.line, error.message))
            continue
        digests.append(hashlib.sha256(text.encode()).digest())
        index = lines[path.name] = toml_lines.line_index(text)
        before = len(faults)
        one = _manifest(path.name, data, index, faults)
        loaded.append(one)
        kind = (kinds or {}).get(one.manifest.kind)
        if kind is not None and len(faults) == before:
            found = kind.check(one.manifest)
            faults.extend(Fault(path.name, _line(index, place), message) for place, message in found)
    for file, place, message in broken_rules(loaded, known):
        faults.append(Fault(file, toml_lines.nearest(lines[file], place), message))
    if faults:
        in_order = sorted(set(faults), key=_place)
        raise ManifestInvalid(tuple(in_order))
    version = hashlib.sha256(b"".join(sorted(digests))).hexdigest()
    return ManifestSet(tuple(one.manifest for one in loaded), version, lines)


def _manifest(file: str, data: Mapping[str, Any], index: toml_lines.Index, faults: list[Fault]) -> Loaded:
    def complain(place: toml_lines.Path, message: str) -> None:
        faults.append(Fault(file, toml_lines.nearest(index, place), message))

    top = Table(data, (), complain)
    source = read_source(top.table("source", required=True))
    catalogue = read_catalogue(top.table("catalogue", required=True))
    answers = tuple((table.path, read_answer(table)) for table in top.tables("answers"))
    nouns = tuple((table.path, read_noun(table)) for table in top.tables("nouns"))
    if not answers and "answers" not in data:
        top.fault(None, "answers is missing: a source must answer some noun, say [[answers]]")
    top.done()
    manifest = SourceManifest(
        code=source.code,
        title=source.title,
        kind=source.kind,
        endpoint=source.endpoint,
        catalogue=catalogue,
        answers=tuple(answer for _, answer in answers),
        nouns=tuple(noun for _, noun in nouns),
        auth=source.auth,
        tls=source.tls,
        allow_hosts=source.allow_hosts,
        allow_plain_http=source.allow_plain_http,
        limits=source.limits,
        hours=source.hours,
        options=source.options,
        file=file,
    )
    return Loaded(file, manifest, answers, nouns)


def _place(fault: Fault) -> tuple[str, int, str]:
    return fault.file, fault.line, fault.message


def _line(index: toml_lines.Index, place: str) -> int:
    """The line of a dotted place; whole numbers in it count elements, unless a key is called so."""
    path: toml_lines.Path = ()
    for part in place.split("."):
        by_number = (*path, int(part)) if part.isascii() and part.isdigit() and len(part) < 9 else None
        path = by_number if by_number in index and (*path, part) not in index and by_number else (*path, part)
    return toml_lines.nearest(index, path)
