"""A directory, a manifest and a source over it, for the tests of this folder."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters.errors import SourceUnavailable
from adapters.file_drop import DropSource, FileDropKind
from adapters.kind import Opening
from adapters.manifest import AnswerSpec, CatalogueEntry, FieldMapping, ShareClass, SourceManifest, Subject, Text
from adapters.secrets import Secrets
from adapters.source import Answer, Failed, Found, Key, Lookup

ZHANG = ("440606199003070017", "张三")
OTHER_ZHANG = ("440606199003070033", "张三")
LI_MEI = ("44060419910518002X", "李梅")
ZHAO = ("440604196501010010", "赵强")
LI_YAN = ("440605198808150048", "李䶮")
ALI = ("653121199206010012", "买买提·艾力")
NOBODY = ("430121198502200015", "陈明")

COLUMNS = ("bh", "sfzh", "xm", "rq", "bz")
FIELDS = frozenset(COLUMNS)
TRAILER = r"#END,(?P<count>\d+)(,(?P<date>\d{8,14}))?"
CSV: Mapping[str, Any] = {"pattern": "*.csv", "format": "csv", "settle_s": 0.0, "poll_s": 0.05, "end_marker": TRAILER}
XML: Mapping[str, Any] = {
    "pattern": "*.xml", "format": "xml", "encoding": "gbk", "record": "ROW", "end_marker": "</BODY>", "settle_s": 0.0, "poll_s": 0.05,
}  # fmt: skip


def manifest(
    options: Mapping[str, Any], *, request: Mapping[str, Any] | None = None, prefix: str = ""
) -> SourceManifest:
    text = Text("测试", "test")
    answer = AnswerSpec(
        noun="aftercare",
        by=("idNo", "name"),
        request=request or {"key_columns": {"idNo": prefix + "sfzh", "name": prefix + "xm"}},
        fields=tuple(FieldMapping(name, prefix + name) for name in COLUMNS),
        record_id=prefix + "bh",
        subject=Subject(id_no=prefix + "sfzh", name=prefix + "xm"),
    )
    entry = CatalogueEntry(text, text, "DAILY", ShareClass.U)
    return SourceManifest("T", text, "file_drop", "in", entry, (answer,), options=options)


class Lab:
    """Opens sources over `home`/in with their state in `home`/state; `wait_for` bounds every wait."""

    def __init__(self, home: Path, *, fresh: bool = True) -> None:
        self.home = home
        self.inbox = home / "in"
        self.state = home / "state"
        if fresh:
            self.inbox.mkdir()
            self.state.mkdir()
        self.now = lambda: datetime.now(UTC)
        self._opened: list[DropSource] = []

    def open(
        self, options: Mapping[str, Any] = CSV, *, environ: Mapping[str, str] | None = None, **manifest_parts: Any
    ) -> DropSource:
        made = manifest(options, **manifest_parts)
        assert FileDropKind().check(made) == []
        secrets = Secrets(environ or {}, self.home)
        source = FileDropKind().open(Opening(made, None, "in", secrets, self.now, self.state, self.home))
        self._opened.append(source)
        return source

    async def close(self) -> None:
        for source in self._opened:
            await source.close()

    def put(self, name: str, content: bytes, *, mtime: float | None = None) -> Path:
        """Moved in whole, as a careful sender does it."""
        draft = self.inbox / f".{name}.part"
        draft.write_bytes(content)
        if mtime is not None:
            os.utime(draft, (mtime, mtime))
        draft.replace(self.inbox / name)
        return self.inbox / name


def csv_file(*rows: Sequence[str], header: Sequence[str] = COLUMNS, date: str = "", encoding: str = "utf-8") -> bytes:
    lines = [",".join(header), *(",".join(row) for row in rows), f"#END,{len(rows)}" + (f",{date}" if date else "")]
    return ("\r\n".join(lines) + "\r\n").encode(encoding)


def row(number: str, who: tuple[str, str], bz: str = "", rq: str = "2026-01-02") -> tuple[str, ...]:
    return (number, who[0], who[1], rq, bz)


def xml_row(number: str, who: tuple[str, str], bz: str = "", rq: str = "2026/3/7") -> str:
    return f"<ROW><A><bh>{number}</bh><sfzh>{who[0]}</sfzh><xm>{who[1]}</xm><rq>{rq}</rq><bz>{bz}</bz></A></ROW>\n"


def xml_file(*rows: str | bytes, encoding: str = "gb18030") -> bytes:
    body = b"".join(row if isinstance(row, bytes) else row.encode(encoding) for row in rows)
    return b'<?xml version="1.0" encoding="GBK"?>\n<PACKET><BODY>\n' + body + b"</BODY></PACKET>\n"


async def ask(source: DropSource, *keys: Key, prefix: str = "") -> list[Answer]:
    """As a caller sees it: a call that raised is Failed for every key."""
    lookup = Lookup("aftercare", ("idNo", "name"), keys, frozenset(prefix + name for name in COLUMNS))
    try:
        return list(await source.fetch(lookup, timeout_s=5))
    except SourceUnavailable as error:
        return [Failed(error.reason, error.retry_at, error.detail)] * len(keys)


def numbers(answer: Answer, prefix: str = "") -> list[object]:
    """The record numbers of what was found; [] for everything else."""
    return [one.values[prefix + "bh"] for one in answer.rows] if isinstance(answer, Found) else []


def wait_for(met: Callable[[], bool], timeout_s: float = 5.0) -> None:
    """Poll until `met`; the bound makes a fault a failure and not a hang."""
    ends_at = time.monotonic() + timeout_s
    while not met():
        assert time.monotonic() < ends_at, "did not happen in time"
        time.sleep(0.005)


def newest_is(source: DropSource, name: str) -> Callable[[], bool]:
    return lambda: source.health().newest == name


def reasons(source: DropSource) -> list[tuple[int, str]]:
    return [(entry.line, entry.reason) for entry in source.quarantine()]
