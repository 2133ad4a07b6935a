"""From files or JSON to cells: where each value stood, so that every fault can say so. No value is judged here."""

from __future__ import annotations

import csv
import difflib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_LARGEST = 64 << 20
_LONGEST_CELL = 65_536

COLUMNS: Mapping[str, Mapping[str, str]] = {
    "organisations": {
        "org_id": "机构代码", "name_zh": "名称", "name_en": "英文名称", "uscc": "统一社会信用代码", "kind": "类别",
        "jurisdiction": "行政区划", "parent_id": "上级机构", "purposes": "登记用途", "agency_keys": "机构公钥",
        "active": "启用",
    },
    "posts": {
        "org_id": "机构代码", "code": "岗位代码", "title_zh": "岗位名称", "title_en": "英文名称", "roles": "角色",
        "purposes": "可用用途", "from": "起", "to": "止",
    },
    "officers": {
        "login": "登录名", "name": "姓名", "org_id": "机构代码", "posts": "岗位", "roles": "角色", "id_no": "身份号码",
        "external_id": "外部账号", "active": "启用",
    },
    "devices": {
        "device_id": "设备号", "kind": "类别", "org_id": "机构代码", "officer": "登录名", "person_id_no": "身份号码",
    },
}  # fmt: skip
"""Kind of record -> its columns, each by its code and its Chinese heading. Order is that of `examples` in the guide."""

REQUIRED: Mapping[str, frozenset[str]] = {
    "organisations": frozenset({"org_id", "name_zh", "kind"}),
    "posts": frozenset({"org_id", "code", "title_zh"}),
    "officers": frozenset({"login", "name", "org_id"}),
    "devices": frozenset({"device_id", "kind", "org_id"}),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong. `line` and `column` count from 1; 0 = the file as a whole. Never repeats a value."""

    file: str
    line: int
    column: int
    name: str  # of the column, '' where it is about the row
    code: str
    hint: str = ""  # a word of ours: a column's name, never something read


@dataclass(frozen=True, slots=True)
class Cells:
    """One record as it was given: text by column, and where each column stands. '' = not given."""

    file: str
    line: int
    values: Mapping[str, str] = field(repr=False)
    places: Mapping[str, int]

    def fault(self, name: str, code: str, hint: str = "") -> Fault:
        return Fault(self.file, self.line, self.places.get(name, 0), name, code, hint)


@dataclass(frozen=True, slots=True)
class Given:
    """Everything one import brings; a kind that is not in `kinds` was not given at all (which is not "none")."""

    rows: Mapping[str, Sequence[Cells]] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(self.rows)


def from_files(files: Mapping[str, bytes]) -> Given:
    """`organisations.csv`, `posts.csv`, `officers.csv`, `devices.csv`, any of them; other names are a fault each."""
    rows: dict[str, Sequence[Cells]] = {}
    faults: list[Fault] = []
    for file in sorted(files):
        kind = file.removesuffix(".csv")
        if kind not in COLUMNS or not file.endswith(".csv"):
            faults.append(Fault(file, 0, 0, "", "FILE_UNKNOWN"))
            continue
        rows[kind] = tuple(_csv(file, kind, files[file], faults))
    if not files:
        faults.append(Fault("", 0, 0, "", "NOTHING_GIVEN"))
    return Given(rows, tuple(faults))


def decoded(raw: bytes) -> str | None:
    """UTF-8 with or without BOM, else GB18030; None for what is neither (UTF-16 among it)."""
    if len(raw) > _LARGEST or raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return None
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        return None if "\0" in text else text
    return None


def _csv(file: str, kind: str, raw: bytes, faults: list[Fault]) -> Iterator[Cells]:
    text = decoded(raw)
    if text is None:
        faults.append(Fault(file, 0, 0, "", "ENCODING"))
        return
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    names: list[str] | None = None
    began = 1
    try:
        for cells in reader:
            line, began = began, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if names is None:
                names = _heading(file, kind, line, cells, faults)
                if names is None:
                    return
                continue
            if len(cells) != len(names):
                faults.append(Fault(file, line, min(len(cells), len(names)) + 1, "", "CELLS", str(len(names))))
                continue
            places = {name: number for number, name in enumerate(names, 1)}
            yield Cells(file, line, {name: cell.strip() for name, cell in zip(names, cells, strict=True)}, places)
    except csv.Error:
        faults.append(Fault(file, max(reader.line_num, 1), 0, "", "CSV"))
    if names is None:
        faults.append(Fault(file, 1, 0, "", "HEADING_MISSING"))


def _heading(file: str, kind: str, line: int, cells: Sequence[str], faults: list[Fault]) -> list[str] | None:
    """The columns' codes, whichever language the heading is in; None where it cannot be used."""
    chinese = {zh: name for name, zh in COLUMNS[kind].items()}
    names: list[str] = []
    before = len(faults)
    for number, cell in enumerate(cells, 1):
        said = cell.strip()
        name = chinese.get(said, said.lower())
        if name not in COLUMNS[kind]:
            close = difflib.get_close_matches(name, COLUMNS[kind], n=1, cutoff=0.6)
            faults.append(Fault(file, line, number, "", "COLUMN_UNKNOWN", close[0] if close else ""))
        elif name in names:
            faults.append(Fault(file, line, number, name, "COLUMN_TWICE"))
        names.append(name)
    faults += [Fault(file, line, 0, name, "COLUMN_MISSING") for name in sorted(REQUIRED[kind] - set(names))]
    return names if len(faults) == before else None


def from_json(value: Any) -> Given:
    """The same four kinds as arrays of objects; lists of codes may be arrays, `agency_keys` an object."""
    if not isinstance(value, dict):
        return Given({}, (Fault("", 0, 0, "", "NOT_AN_OBJECT"),))
    rows: dict[str, Sequence[Cells]] = {}
    faults: list[Fault] = []
    for kind, entries in value.items():
        if kind not in COLUMNS:
            faults.append(Fault("", 0, 0, "", "KIND_UNKNOWN"))
        elif not isinstance(entries, list):
            faults.append(Fault(kind, 0, 0, "", "NOT_AN_ARRAY"))
        else:
            rows[kind] = tuple(
                cells
                for number, entry in enumerate(entries, 1)
                if (cells := _object(kind, number, entry, faults)) is not None
            )
    if not value:
        faults.append(Fault("", 0, 0, "", "NOTHING_GIVEN"))
    return Given(rows, tuple(faults))


def _object(kind: str, number: int, entry: Any, faults: list[Fault]) -> Cells | None:
    if not isinstance(entry, dict):
        faults.append(Fault(kind, number, 0, "", "NOT_AN_OBJECT"))
        return None
    places = {name: place for place, name in enumerate(COLUMNS[kind], 1)}
    values: dict[str, str] = {}
    before = len(faults)
    for name, value in entry.items():
        text = _text(value) if name in places else None
        if name not in places:
            faults.append(Fault(kind, number, 0, "", "COLUMN_UNKNOWN"))
        elif text is None:
            faults.append(Fault(kind, number, places[name], name, "VALUE_TYPE"))
        else:
            values[name] = text
    return Cells(kind, number, values, places) if len(faults) == before else None


def _text(value: Any) -> str | None:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value.strip() if "\0" not in value and len(value) <= _LONGEST_CELL else None
    if isinstance(value, list):
        return ";".join(value) if all(isinstance(item, str) and ";" not in item for item in value) else None
    return json.dumps(value) if isinstance(value, dict) else None
