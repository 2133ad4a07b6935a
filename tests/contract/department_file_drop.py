"""The contract rows as dropped files: CSV in UTF-8 with a BOM, and XML said to be GBK."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from adapters.file_drop import FileDropKind
from tests.contract.departments import RAW_COLUMNS, RAW_ROWS, Department, department, manifest_for, opening_for

REQUEST = {"key_columns": {"idNo": "sfzh", "name": "xm"}}
TIMES = {"settle_s": 0.02, "poll_s": 0.05}
CSV_OPTIONS: dict[str, Any] = {
    "pattern": "LGB_*.csv",
    "format": "csv",
    "encoding": "utf-8",
    "end_marker": r"#END,(?P<count>\d+)",
    **TIMES,
}
XML_OPTIONS: dict[str, Any] = {
    "pattern": "LGB_*.xml",
    "format": "xml",
    "encoding": "gbk",
    "record": "ROW",
    "end_marker": "</BODY>",
    **TIMES,
}


def csv_drop() -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, RAW_COLUMNS)
    writer.writeheader()
    writer.writerows(RAW_ROWS)
    return text.getvalue().encode("utf-8-sig") + f"#END,{len(RAW_ROWS)}\r\n".encode()


def xml_drop() -> bytes:
    rows = (
        "<ROW><info>" + "".join(f"<{name}>{escape(row[name])}</{name}>" for name in RAW_COLUMNS) + "</info></ROW>\n"
        for row in RAW_ROWS
    )
    text = f'<?xml version="1.0" encoding="GBK"?>\n<PACKET><BODY>\n{"".join(rows)}</BODY></PACKET>'
    return text.encode("gb18030")


@asynccontextmanager
async def _department(
    tmp_path: Path, name: str, content: bytes, options: dict[str, Any], prefix: str
) -> AsyncIterator[Department]:
    drops = tmp_path / "drops"
    drops.mkdir()
    (drops / name).write_bytes(content)
    request = {"key_columns": {key: prefix + column for key, column in REQUEST["key_columns"].items()}}
    manifest = manifest_for("file_drop", endpoint="drops", request=request, options=options, prefix=prefix)
    assert FileDropKind().check(manifest) == []
    raw = FileDropKind().open(opening_for(manifest, base_dir=tmp_path))
    while not raw.health().newest:
        await asyncio.sleep(0.01)

    @asynccontextmanager
    async def outage() -> AsyncIterator[None]:
        """The directory is moved away, as by an unmounted share."""
        drops.rename(tmp_path / "away")
        while not raw.health().fault:
            await asyncio.sleep(0.01)
        yield
        (tmp_path / "away").rename(drops)
        while raw.health().fault:
            await asyncio.sleep(0.01)

    yield department(manifest, raw, outage=outage, silence=None)


def csv_department(tmp_path: Path) -> Any:
    return _department(tmp_path, "LGB_1.csv", csv_drop(), CSV_OPTIONS, "")


def xml_department(tmp_path: Path) -> Any:
    return _department(tmp_path, "LGB_1.xml", xml_drop(), XML_OPTIONS, "info.")
