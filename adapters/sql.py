"""Kind "sql": a view in a department's database; many keys one statement, read-only, every value bound.

See docs/guides/manifest.md, "sql".
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from datetime import time as clock_time
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Select, exc, make_url

from adapters.errors import Reason, SourceUnavailable
from adapters.kind import Opening, spec_of
from adapters.manifest import AnswerSpec, SourceManifest
from adapters.source import Absent, Answer, Failed, Found, Key, Lookup, Page, Row, Value
from adapters.sql_check import faults_of
from adapters.sql_database import Work, open_database
from adapters.sql_errors import reason_of
from adapters.sql_view import NoSuchColumn, Plan, Texts, View, positions, reflect, stored_text
from adapters.templates import KeyPartMissing

_FETCH: Final = 200  # rows taken from a cursor at once, between two looks at the size


class SqlKind:
    """See docs/guides/manifest.md, "sql"."""

    name = "sql"
    uses_http = False

    def check(self, manifest: SourceManifest) -> list[tuple[str, str]]:
        return faults_of(manifest)

    def open(self, opening: Opening) -> SqlSource:
        return SqlSource(opening)

    def per_key(self, answer: AnswerSpec) -> bool:
        return False


class _TooLarge(Exception):
    """The rows pass the cap."""


class _Unreadable(Exception):
    """A value that is none of ours; the message names the column."""


class SqlSource:
    """Asks one database. Its views are reflected at the first question and again when one has changed."""

    def __init__(self, opening: Opening) -> None:
        self._manifest, self._now = opening.manifest, opening.now
        self._plans = {(answer.noun, answer.by): Plan.of(answer) for answer in opening.manifest.answers}
        self._views: dict[Plan, View] = {}
        try:
            self._database = open_database(make_url(opening.endpoint), opening.manifest.limits, opening.base_dir)
        except (ValueError, ImportError, exc.ArgumentError, exc.InvalidRequestError) as error:
            # the text of such an error may quote the URL, password and all
            detail = f"its database URL cannot be used: {type(error).__name__}"
            raise SourceUnavailable(self._manifest.code, Reason.DOWN, detail) from None

    async def fetch(self, lookup: Lookup, *, timeout_s: float) -> Sequence[Answer]:
        spec = spec_of(self._manifest, lookup)
        plan = self._plans[(spec.noun, spec.by)]
        if lookup.page and (lookup.page.first < 1 or not plan.order_by):
            raise ValueError(f"{lookup.noun} by {', '.join(lookup.by)} has no such page")
        deadline = asyncio.get_running_loop().time() + timeout_s
        keys = list(dict.fromkeys(lookup.keys))
        fields = sorted(lookup.fields)
        answers: dict[Key, Answer] = {}
        size = 1 if lookup.page else max(1, self._manifest.limits.batch_size)
        for start in range(0, len(keys), size):
            some = keys[start : start + size]
            index, lacking = positions(plan, some)
            answers |= {some[at]: Failed(Reason.KEY_MISSING, detail=f"needs {part}") for at, part in lacking.items()}
            if not index:
                continue
            found = await self._ask(plan, index, fields, lookup.page, len(some), deadline)
            answers |= {key: found[at] for at, key in enumerate(some) if at not in lacking}
        return [answers[key] for key in lookup.keys]

    async def close(self) -> None:
        await self._database.close()

    async def _ask(
        self,
        plan: Plan,
        index: Mapping[Texts, list[int]],
        fields: Sequence[str],
        page: Page | None,
        count: int,
        deadline: float,
    ) -> list[Answer]:
        """One answer for each of `count` positions. Raises SourceUnavailable."""
        limit = page.first if page else plan.max_rows * count + 1

        def work(connection: Connection) -> list[Sequence[Any]]:
            view = self._views.get(plan) or reflect(connection, plan)
            self._views[plan] = view
            if page:
                statement = view.select_page(_together(index), fields, page)
            else:
                statement = view.select_keys([tuple((text,) for text in texts) for texts in index], fields, limit=limit)
            return self._taken(connection, statement, limit)

        rows = await self._run(plan, work, deadline - asyncio.get_running_loop().time())
        by_position: dict[int, list[Row]] = {}
        width = len(fields)
        for row in rows:
            stored = tuple(stored_text(value) for value in row[width:])
            values = {name: self._plain(value, name) for name, value in zip(fields, row[:width], strict=True)}
            for at in index.get(stored, ()):
                by_position.setdefault(at, []).append(Row(values))
        cut = page is None and len(rows) == limit
        return [self._answer(by_position.get(at, []), plan, cut, paged=page is not None) for at in range(count)]

    def _answer(self, rows: list[Row], plan: Plan, cut: bool, *, paged: bool) -> Answer:
        now = self._now()
        if not rows:
            # where the whole was cut, nobody knows whether this key's rows were behind the cut
            return Failed(Reason.TOO_LARGE, detail="too many rows") if cut else Absent(fetched_at=now)
        if not paged and len(rows) > plan.max_rows:
            return Found(tuple(rows[: plan.max_rows]), fetched_at=now, incomplete=Reason.INCOMPLETE)
        return Found(tuple(rows), fetched_at=now, incomplete=Reason.INCOMPLETE if cut else None)

    async def _run(self, plan: Plan, work: Work[list[Sequence[Any]]], timeout_s: float) -> list[Sequence[Any]]:
        if timeout_s <= 0:
            raise SourceUnavailable(self._manifest.code, Reason.TIMEOUT, "no time left to ask")
        try:
            return await self._database.run(work, timeout_s=timeout_s)
        except NoSuchColumn as missing:
            reason, detail = Reason.GARBAGE, str(missing)
        except KeyPartMissing as unusable:
            reason, detail = Reason.KEY_MISSING, str(unusable)
        except _TooLarge:
            reason, detail = Reason.TOO_LARGE, "too many bytes"
        except (exc.SQLAlchemyError, OSError) as error:  # TimeoutError is an OSError
            reason, detail = reason_of(error)
        if reason is Reason.GARBAGE:
            self._views.pop(plan, None)  # the view may have changed: look again next time
        # outside the handlers: a driver's error may hold the statement's values and must not hang on ours
        raise SourceUnavailable(self._manifest.code, reason, detail)

    def _taken(self, connection: Connection, statement: Select[Any], limit: int) -> list[Sequence[Any]]:
        size_left = self._manifest.limits.max_response_bytes
        rows: list[Sequence[Any]] = []
        with connection.execute(statement) as result:
            while len(rows) < limit and (some := result.fetchmany(min(_FETCH, limit - len(rows)))):
                size_left -= sum(len(value) if isinstance(value, str | bytes) else 8 for row in some for value in row)
                if size_left < 0:
                    raise _TooLarge
                rows.extend(some)
        return rows

    def _plain(self, value: Any, name: str) -> Value:
        try:
            return plain(value)
        except _Unreadable as error:
            detail = f"column {name} holds {error}"
            raise SourceUnavailable(self._manifest.code, Reason.GARBAGE, detail) from None


def plain(value: Any) -> Value:
    """A driver's value as one of ours; civil times without a zone stay texts, for only the mapping knows their zone."""
    match value:
        case None | str() | bool() | int() | float():
            return value
        case Decimal():
            return format(value, "f")
        case datetime():
            return value.isoformat(" ") if value.tzinfo is None else value.astimezone(UTC)
        case date():
            return value
        case clock_time() | UUID():
            return str(value)
        case list() | tuple():
            return [plain(one) for one in value]
        case dict():
            return {str(name): plain(one) for name, one in value.items()}
    raise _Unreadable(type(value).__name__)


def _together(index: Mapping[Texts, list[int]]) -> tuple[Texts, ...]:
    """The stored texts of one key, part by part."""
    return tuple(tuple(dict.fromkeys(texts)) for texts in zip(*index, strict=True))
