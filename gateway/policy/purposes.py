"""The register of purposes: which codes exist, on what ground, and what each may reach.

The built-in register is `purposes.toml` beside this file; a deployment adds its own files (say, for a declared noun),
which may add purposes and may add nouns to a purpose, never remove anything.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gateway.errors import SettingsInvalid

BUILT_IN = Path(__file__).with_name("purposes.toml")
EVERYTHING = "*"
_KEYS = {"title", "legal_basis", "case_required", "org_kinds", "nouns", "mask"}


@dataclass(frozen=True, slots=True)
class PurposeRule:
    """One purpose. `nouns` maps a noun to its fields, or to None for all of them."""

    code: str
    title_zh: str
    title_en: str
    basis_zh: str
    basis_en: str
    case_required: bool
    org_kinds: frozenset[str]
    nouns: Mapping[str, frozenset[str] | None]
    masks: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class PurposeRegister:
    """Every purpose by code, and the version (a hash) of the text they come from."""

    rules: Mapping[str, PurposeRule]
    version: str
    texts: tuple[tuple[str, str], ...] = ()  # (file name, text) in the order they were read
    built_in: frozenset[str] = frozenset()  # codes of the built-in register; the others came with an application

    def get(self, code: str) -> PurposeRule | None:
        return self.rules.get(code)


def read_register(extra: Sequence[Path] = ()) -> PurposeRegister:
    """The built-in register and `extra` files, in order. Raises SettingsInvalid with every fault."""
    faults: list[str] = []
    texts: list[tuple[str, str]] = []
    for path in [BUILT_IN, *extra]:
        try:
            texts.append((path.name, path.read_text("utf-8")))
        except (OSError, UnicodeDecodeError) as error:
            faults.append(f"{path.name}: {error}")
    return register_of(texts, faults)


def register_of(texts: Sequence[tuple[str, str]], faults: list[str] | None = None) -> PurposeRegister:
    """The register of these (file name, text), the built-in one first; `faults` are those found before."""
    faults = [] if faults is None else faults
    merged: dict[str, dict[str, Any]] = {}
    homes: dict[str, str] = {}
    digest = hashlib.sha256()
    built_in: frozenset[str] = frozenset()
    for number, (name, text) in enumerate(texts):
        digest.update(hashlib.sha256(text.encode()).digest())
        try:
            tables = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            faults.append(f"{name}: {error}")
            continue
        for code, table in tables.items():
            _merge(merged, code, table, name, faults)
            homes[code] = f"{name}:{_line(text, code)}"  # of several files the last: what is read first is sound
        if number == 0:
            built_in = frozenset(tables)
    known = [code for code, table in merged.items() if not _only_adds(table)]
    for code in sorted(merged.keys() - known):  # a misspelt name of one that should gain a noun, most likely
        close = difflib.get_close_matches(code, known, n=1, cutoff=0.6)
        meant = f"did you mean {close[0]}? " if close else ""
        wanted = "title, legal_basis, case_required and org_kinds"
        faults.append(f"{homes[code]}: purpose {code}: there is no such purpose; {meant}A new one needs {wanted}")
    rules = {code: _rule(code, table, homes[code], faults) for code, table in merged.items()}
    if faults:
        raise SettingsInvalid(tuple(faults))
    return PurposeRegister(MappingProxyType(rules), digest.hexdigest(), tuple(texts), built_in)


def _merge(merged: dict[str, dict[str, Any]], code: str, table: Any, file: str, faults: list[str]) -> None:
    if not isinstance(table, dict):
        faults.append(f"{file}: {code} must be a table")
        return
    faults += [f"{file}: {code}.{name} is not known" for name in table.keys() - _KEYS]
    held = merged.setdefault(code, {})
    for name in ("title", "legal_basis", "case_required", "org_kinds"):
        if name in table:
            if name in held and held[name] != table[name]:
                faults.append(f"{file}: {code}.{name} is already set; a later file may only add nouns")
            held[name] = table[name]
    for name in ("nouns", "mask"):
        given = table.get(name, {})
        if not isinstance(given, dict):
            faults.append(f"{file}: {code}.{name} must be a table of nouns")
            continue
        for noun, fields in given.items():
            if noun in held.setdefault(name, {}):
                faults.append(f"{file}: {code}.{name}.{noun} is already set")
            held[name][noun] = fields


def _only_adds(table: Mapping[str, Any]) -> bool:
    return not table.keys() - {"nouns", "mask"}


def _line(text: str, code: str) -> int:
    """Where the purpose begins in its file; 1 where it is written in some rarer way."""
    head = re.compile(rf"\s*\[\s*{re.escape(code)}\s*[.\]]|\s*{re.escape(code)}\s*[.=]")
    return next((number for number, line in enumerate(text.split("\n"), 1) if head.match(line)), 1)


def _rule(code: str, table: Mapping[str, Any], home: str, faults: list[str]) -> PurposeRule:
    missing: list[str] = [] if _only_adds(table) else faults  # of no purpose at all, read_register has said enough

    def text(name: str, language: str) -> str:
        found = table.get(name, {}).get(language) if isinstance(table.get(name), dict) else None
        if not isinstance(found, str):
            missing.append(f"{home}: purpose {code}: {name}.{language} is missing")
            return ""
        return found

    def fields(value: Any, noun: str) -> frozenset[str]:
        if not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
            faults.append(f'{home}: purpose {code}: {noun} must be "*" or a list of field names')
            return frozenset()
        return frozenset(value)

    nouns = {
        noun: None if value == EVERYTHING else fields(value, noun) for noun, value in table.get("nouns", {}).items()
    }
    masks = {noun: fields(value, noun) for noun, value in table.get("mask", {}).items()}
    if not isinstance(table.get("case_required"), bool):
        missing.append(f"{home}: purpose {code}: case_required must be true or false")
    org_kinds = table.get("org_kinds")
    if not (isinstance(org_kinds, list) and all(isinstance(item, str) for item in org_kinds)):
        missing.append(
            f"{home}: purpose {code}: org_kinds must be a list of the kinds of organisation that may claim it"
        )
        org_kinds = []
    return PurposeRule(
        code,
        text("title", "zh"),
        text("title", "en"),
        text("legal_basis", "zh"),
        text("legal_basis", "en"),
        bool(table.get("case_required", True)),
        frozenset(org_kinds),
        MappingProxyType(nouns),
        MappingProxyType(masks),
    )
