"""A department in memory: a raw `Source` over a list of records, for tests that need one without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from adapters.errors import Reason, SourceUnavailable
from adapters.identity import id_forms
from adapters.kind import Opening
from adapters.manifest import AnswerSpec, SourceManifest
from adapters.source import Absent, Answer, Failed, Found, Key, Lookup, Row, Source, Value


@dataclass
class MemorySource:
    """Answers from `rows`; `key_columns` says which raw field holds which key part (of all given, all must agree).

    `down` raises DOWN, `silent` never answers; `asked` keeps every lookup that arrived.
    """

    rows: list[dict[str, Value]]
    key_columns: Mapping[str, str]
    code: str = "MEM"
    down: bool = False
    silent: bool = False
    asked: list[Lookup] = field(default_factory=list)
    closed: bool = False
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def fetch(self, lookup: Lookup, *, timeout_s: float) -> Sequence[Answer]:
        self.asked.append(lookup)
        if self.down:
            raise SourceUnavailable(self.code, Reason.DOWN)
        if self.silent:
            try:
                async with asyncio.timeout(timeout_s):
                    await asyncio.Event().wait()
            except TimeoutError:
                raise SourceUnavailable(self.code, Reason.TIMEOUT) from None
        return [self._answer(lookup, key) for key in lookup.keys]

    async def close(self) -> None:
        self.closed = True

    def _answer(self, lookup: Lookup, key: Key) -> Answer:
        now = self.now()
        parts = [(self.key_columns[n], v) for n, v in zip(lookup.by, key, strict=True) if n in self.key_columns and v]
        if not parts:
            return Failed(Reason.KEY_MISSING)
        rows = [row for row in self.rows if all(row.get(column) in id_forms(v) for column, v in parts)]
        picked = tuple(Row({name: row[name] for name in lookup.fields if name in row}) for row in rows)
        return Found(picked, fetched_at=now) if picked else Absent(fetched_at=now)


class MemoryKind:
    """The kind that opens a `MemorySource`; rows come by `options.rows`, columns by the answer's `key_columns`."""

    name = "memory"
    uses_http = False

    def check(self, manifest: SourceManifest) -> list[tuple[str, str]]:
        return [] if "rows" in manifest.options else [("source.options.rows", "say which records there are")]

    def open(self, opening: Opening) -> Source:
        options: Mapping[str, Any] = opening.manifest.options
        columns = opening.manifest.answers[0].request.get("key_columns", {})
        return MemorySource(list(options["rows"]), columns, opening.manifest.code)

    def per_key(self, answer: AnswerSpec) -> bool:
        return False
