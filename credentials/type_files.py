"""From folders of type files to the types in force, or to every fault there is, each with file and line.

A type is `<name>.toml` with its card `<name>.svg` beside it. What a file may say: docs/guides/credential-types.md. Versions that
are issued no more lie under `older/<version>/`: as long as somebody holds one, its metadata is read.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

from credentials.card_file import card_faults
from credentials.credential_type import Card, ClaimType, CredentialType, Disclosed, Text
from credentials.errors import TypeInvalid
from credentials.rule_file import read_rule
from credentials.sd_jwt import NEVER_SELECTIVE
from credentials.toml_form import Form, line_index, nearest

SHIPPED = Path(__file__).with_name("types")
CASE_STATES = frozenset({
    "DECIDED", "NOTIFIED", "DOCS_SERVED", "REPORTED_IN", "ENROLLED", "SUPERVISED", "ON_LEAVE", "TRANSFERRING",
    "OUT_OF_CONTACT", "REVOCATION_PENDING", "DETAINED", "DISCHARGED", "AFTERCARE", "NOT_ENROLLED",
})  # fmt: skip
"""The states of a case that can make a holder; one that is over gives nobody a ground."""
_LARGEST = 200_000
_ID = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_VERSION = re.compile(r"[1-9][0-9]{0,3}(?:\.[0-9]{1,4}){0,2}")
_CLAIM = re.compile(r"[a-z][A-Za-z0-9]{0,63}")
_SVG_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_FIELD = re.compile(r"[a-z][A-Za-z0-9]{0,63}")
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_CODE = re.compile(r"local:[A-Za-z0-9-]{1,40}|[0-9A-Z]{18}[0-9]{3}")
_RESERVED = frozenset({"iat", "sub", "jti", "aud", "nonce", "_sd", "_sd_alg"}) | NEVER_SELECTIVE


def load_types(dirs: Sequence[Path] = ()) -> Mapping[str, CredentialType]:
    """The types that come with yimen and those of `dirs`, by id, in order. Raises TypeInvalid with every fault at once."""
    faults: list[tuple[str, int, str]] = []
    found: dict[str, CredentialType] = {}
    homes: dict[str, str] = {}
    for directory in [SHIPPED, *dirs]:
        paths = sorted(path for path in directory.glob("*.toml") if not path.name.startswith("."))
        if not directory.is_dir():
            faults.append((str(directory), 0, "there is no such folder"))
        for path in paths:
            one = _read(path, faults)
            if one is None:
                continue
            if one.id in found:
                faults.append((path.name, 1, f"the type {one.id} is already in {homes[one.id]}"))
            found[one.id], homes[one.id] = one, path.name
    _raise(faults)
    return MappingProxyType(found)


def load_older(current: Mapping[str, CredentialType], dirs: Sequence[Path] = ()) -> tuple[CredentialType, ...]:
    """What was issued before the versions in force, in order. Raises TypeInvalid with every fault at once."""
    faults: list[tuple[str, int, str]] = []
    found: dict[tuple[str, str], CredentialType] = {}
    paths = [path for one in (SHIPPED, *dirs) for path in sorted(one.glob("older/*/*.toml"))]
    for path in paths:
        one = _read(path, faults)
        if one is None:
            continue
        if one.version != path.parent.name:
            faults.append((path.name, 1, f"the folder {path.parent.name} is to hold version {path.parent.name}"))
        if (one.id, one.version) in found or (one.id in current and current[one.id].version == one.version):
            faults.append((path.name, 1, f"version {one.version} of {one.id} is there already"))
        found[one.id, one.version] = one
    _raise(faults)
    return tuple(found.values())


def _raise(faults: Sequence[tuple[str, int, str]]) -> None:
    if faults:
        raise TypeInvalid(
            tuple(f"{file}:{line}: {why}" if line else f"{file}: {why}" for file, line, why in sorted(set(faults)))
        )


def _read(path: Path, faults: list[tuple[str, int, str]]) -> CredentialType | None:
    """None where it has a fault, or is none of TOML."""
    try:
        text = _text_of(path)
        data = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        place = re.search(r"line (\d+)", str(error))
        faults.append((path.name, int(place[1]) if place else 0, f"this is no TOML: {error}" if place else str(error)))
        return None
    index, before = line_index(text), len(faults)

    def complain(where: tuple[str | int, ...], why: str) -> None:
        faults.append((path.name, nearest(index, where), why))

    made = _type(Form(data, (), complain), path, faults)
    return made if len(faults) == before else None


def _text_of(path: Path) -> str:
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"more than {_LARGEST} bytes are no type a person can review")
    return path.read_text("utf-8").replace("\r\n", "\n")


def _type(top: Form, path: Path, faults: list[tuple[str, int, str]]) -> CredentialType:
    about = top.table("type", required=True)
    id_ = about.word("id", _ID, "small letters and digits, with hyphens between")
    version = about.word("version", _VERSION, 'a version such as "1" or "1.2"')
    name, description = about.both("name"), about.both("description")
    catalogue = about.word(
        "catalogue_code", _CODE, 'a code of the licence catalogue (21 characters), or "local:..." where it is ours'
    )
    paper = about.both("paper", required=False)
    holders = about.texts("holders")
    for holder in set(holders) - CASE_STATES:
        about.fault(
            "holders", f'"{holder[:60]}" is no state of a case that can make a holder: {", ".join(sorted(CASE_STATES))}'
        )
    valid = about.number("valid_days", None, 1, 3660)
    recheck = about.number("recheck_hours", 24, 1, 24 * 90)
    if id_ and id_ != path.stem:
        about.fault("id", f"the file {path.name} is to hold the type {path.stem}")
    about.done()
    facts = _facts(top.table("facts", required=True))
    claims = tuple(_claim(form) for form in top.tables("claims", required=True))
    for number, claim in enumerate(claims):
        if claim.name in [one.name for one in claims[:number]]:
            top.fault("claims", f'the claim "{claim.name}" stands twice')
    rule = read_rule(top, claims, facts)
    card = _card(top.table("card", required=True), path, claims, faults)
    top.done()
    return CredentialType(
        id_, version, name or Text("", ""), description or Text("", ""), claims, facts, rule, card,
        timedelta(days=valid), timedelta(hours=recheck), frozenset(holders), catalogue, paper,
    )  # fmt: skip


def _facts(form: Form) -> Mapping[str, tuple[str, ...]]:
    found = {noun: form.texts(noun) for noun in form.data}
    if not found and not form.path:
        form.fault(None, "facts must name a noun at least")
    for noun, fields in found.items():
        if not all(_FIELD.fullmatch(word) for word in (noun, *fields)) or len(set(fields)) != len(fields):
            form.fault(noun, f"{noun[:60]} must be a list of field names of the schema, each once")
    return MappingProxyType(found)


def _claim(form: Form) -> ClaimType:
    name = form.word("name", _CLAIM, "a name like residentSince")
    if name in _RESERVED:
        form.fault("name", f'"{name}" has a meaning of its own in a credential')
    label = form.both("label") or Text("", "")
    disclosed = Disclosed(form.choice("disclosed", [one.value for one in Disclosed], Disclosed.ALLOWED.value))
    mandatory = form.flag("mandatory", True)
    svg_id = form.word("svg_id", _SVG_ID, "letters, digits and _", "") or None
    description = form.both("description", required=False)
    form.done()
    return ClaimType(name, label, disclosed, mandatory, svg_id, description)


def _card(form: Form, path: Path, claims: Sequence[ClaimType], faults: list[tuple[str, int, str]]) -> Card:
    rule = "a colour like #1f4e79"
    background, colour = form.word("background", _COLOUR, rule), form.word("text", _COLOUR, rule)
    form.done()
    beside = path.with_suffix(".svg")
    try:
        svg = _text_of(beside)
    except (OSError, ValueError) as error:
        faults.append((beside.name, 0, f"the card cannot be read: {type(error).__name__}"))
        return Card(background, colour, "")
    faults += [(beside.name, line, why) for line, why in card_faults(svg, {one.svg_id for one in claims if one.svg_id})]
    return Card(background, colour, svg)
