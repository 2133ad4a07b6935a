"""Kind "rest": a department that answers over HTTP in JSON or XML, per key, per batch or page by page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from time import monotonic
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from adapters.asking import Deadline, together
from adapters.body_writer import as_json
from adapters.egress import Reply
from adapters.errors import Reason, SourceUnavailable
from adapters.kind import Opening, spec_of
from adapters.limits import Turns
from adapters.manifest import AnswerSpec, SourceManifest
from adapters.prompt import Begun, PromptSending
from adapters.records import Garbage, Record, pick
from adapters.rest_answer import Records, read_reply
from adapters.rest_batch import Asked, sort_into_keys
from adapters.rest_pages import gather_pages
from adapters.rest_request import RestRequest, read_request
from adapters.sending import open_sending
from adapters.signing import Outgoing, check_auth, query_string
from adapters.source import (
    NO_LINKS,
    Absent,
    Answer,
    Failed,
    Found,
    FoundDraft,
    Key,
    Lookup,
    Match,
    Row,
    RowDraft,
    found,
    raw_row,
)
from adapters.templates import KeyPartMissing
from adapters.whole_source import Whole

_JSON: Final = MappingProxyType({"accept": "application/json"})
_JSON_BODY_ONLY: Final = MappingProxyType({"content-type": "application/json"})
_JSON_BODY: Final = MappingProxyType({**_JSON, **_JSON_BODY_ONLY})
_XML: Final = MappingProxyType({"accept": "application/xml, text/xml"})
_XML_BODY: Final = MappingProxyType({**_XML, **_JSON_BODY_ONLY})


class RestKind:
    """See docs/guides/manifest.md, "rest"."""

    name = "rest"
    uses_http = True

    def check(self, manifest: SourceManifest) -> list[tuple[str, str]]:
        faults = check_auth(manifest.auth)
        faults += [(f"source.options.{entry}", "kind rest knows no such option") for entry in manifest.options]
        for position, answer in enumerate(manifest.answers):
            faults += read_request(answer, f"answers.{position}.request")[1]
        return faults

    def open(self, opening: Opening) -> RestSource:
        return RestSource(opening)

    def per_key(self, answer: AnswerSpec) -> bool:
        return bool(answer.request.get("mode", "key") != "batch")


class RestSource:
    """Asks one department. Knows nothing of retries and limits; bounds only what it has under way at once."""

    def __init__(self, opening: Opening) -> None:
        if opening.channel is None:
            raise ValueError("kind rest needs a channel")
        self._manifest, self._now = opening.manifest, opening.now
        parts = urlsplit(opening.endpoint)
        self._origin, self._base = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
        self._sending = open_sending(opening)
        self._prompt = self._sending if isinstance(self._sending, PromptSending) else None
        self._turns = Turns(opening.manifest.limits.concurrency, None, monotonic=monotonic)
        self._requests = {(answer.noun, answer.by): read_request(answer, "")[0] for answer in opening.manifest.answers}

    async def fetch(self, lookup: Lookup, *, timeout_s: float) -> Sequence[Answer]:
        request = self._requests.get((lookup.noun, lookup.by))
        if request is None:
            spec_of(self._manifest, lookup)
            raise AssertionError("every answer spec has its request")
        deadline = Deadline.after(timeout_s)
        if request.mode == "batch":
            return await self._batch(request, lookup, deadline)
        ask = self._pages if request.mode == "pages" else self._one
        distinct = list(dict.fromkeys(lookup.keys))
        answers = dict(
            zip(distinct, await together(lambda key: ask(request, key, lookup, deadline), distinct), strict=True)
        )
        return [answers[key] for key in lookup.keys]

    async def fetch_whole(self, lookup: Lookup, whole: Whole, *, timeout_s: float) -> tuple[Sequence[Answer], bool]:
        """As `adapters.kind.ReadsWhole` says: a batch whose records repeat the ID number alone."""
        request, keys = self._requests.get((lookup.noun, lookup.by)), lookup.keys
        if request is None or request.echoes != whole.id_no or not _can_be_sent(request, keys):
            raw = Lookup(lookup.noun, lookup.by, keys, whole.raw_fields, lookup.page, lookup.onward)
            return await self.fetch(raw, timeout_s=timeout_s), False
        got = await self._ask(request, keys, Deadline.after(timeout_s))
        return self._read_whole(request, lookup, whole, got, self._now())

    def begin_whole(
        self,
        lookup: Lookup,
        whole: Whole,
        *,
        timeout_s: float,
        told: Callable[[Sequence[Answer] | Exception | None, bool], None],
    ) -> Begun | None:
        """As `fetch_whole`; see `adapters.prompt`."""
        request, keys, prompt = self._requests.get((lookup.noun, lookup.by)), lookup.keys, self._prompt
        if prompt is None or request is None or request.echoes != whole.id_no or not _can_be_sent(request, keys):
            return None
        outgoing = self._outgoing(request, keys, None)
        if not self._turns.try_take():
            return None
        asking = _Asking(self, request, lookup, whole, told)
        begun = None
        try:
            begun = prompt.begin(outgoing, self._url(outgoing), _headers(request, outgoing), timeout_s, asking.heard)
        finally:
            if begun is None:
                self._turns.give_back()
        if begun is None:
            return None
        asking.begun = begun
        return asking

    def _read_whole(
        self, request: RestRequest, lookup: Lookup, whole: Whole, got: Records | Failed, now: datetime
    ) -> tuple[Sequence[Answer], bool]:
        keys = lookup.keys
        if isinstance(got, Failed):
            return [got] * len(keys), False
        answers = None if got.short else whole(got.records, now)
        if answers is not None:
            return answers, True
        return self._sorted_in(request, Asked(lookup, keys, {}), whole.raw_fields, got), False

    async def close(self) -> None:
        """The channel is not closed: it belongs to the registry."""
        await self._sending.close()

    async def _one(self, request: RestRequest, key: Key, lookup: Lookup, deadline: Deadline) -> Answer:
        got = await self._ask(request, (key,), deadline)
        if isinstance(got, Failed):
            return got
        return _answer(got.records, lookup.fields, self._now(), got.short, _is_flat(lookup.fields))

    async def _pages(self, request: RestRequest, key: Key, lookup: Lookup, deadline: Deadline) -> Answer:
        async def page(number: int) -> Records | Failed:
            return await self._ask(request, (key,), deadline, number)

        if request.page is None:
            raise ValueError("pages without paging")
        got, missing = await gather_pages(request.page, page)
        if isinstance(got, Failed):
            return got
        return _answer(got.records, lookup.fields, self._now(), missing, _is_flat(lookup.fields))

    async def _batch(self, request: RestRequest, lookup: Lookup, deadline: Deadline) -> Sequence[Answer]:
        asked = Asked.of(request, lookup)
        if not asked.keys:
            return asked.answers({})
        got = await self._ask(request, asked.keys, deadline)
        if isinstance(got, Failed):
            return asked.answers(dict.fromkeys(asked.keys, got))
        return self._sorted_in(request, asked, lookup.fields, got)

    def _sorted_in(self, request: RestRequest, asked: Asked, fields: frozenset[str], got: Records) -> Sequence[Answer]:
        """The raw answers of a batch."""
        sorted_in = sort_into_keys(request, asked.keys, asked.lookup.by, got)
        if isinstance(sorted_in, Failed):
            return asked.answers(dict.fromkeys(asked.keys, sorted_in))
        now, short, flat = self._now(), got.short, _is_flat(fields)
        if flat and not short:
            return asked.answers(_flat_answers(sorted_in, now))
        return asked.answers({key: _answer(records, fields, now, short, flat) for key, records in sorted_in.items()})

    async def _ask(
        self, request: RestRequest, keys: Sequence[Key], deadline: Deadline, page: int | None = None
    ) -> Records | Failed:
        try:
            outgoing = self._outgoing(request, keys, page)
        except KeyPartMissing as missing:
            return Failed(Reason.KEY_MISSING, detail=str(missing))
        url, headers = self._url(outgoing), _headers(request, outgoing)
        try:
            if not self._turns.try_take():
                # Waiting for a turn counts too: those before us may have later deadlines.
                async with asyncio.timeout_at(deadline.at):
                    await self._turns.take(self, deadline.at)
            try:
                reply = await self._sending.send(outgoing, url, headers, deadline.left_s)
            finally:
                self._turns.give_back()
        except SourceUnavailable as error:
            return Failed(error.reason, error.retry_at, error.detail)
        except TimeoutError:
            return Failed(Reason.TIMEOUT, detail="the deadline passed")
        return self._read(request, reply, self._now())

    def _read(self, request: RestRequest, reply: Reply, now: datetime) -> Records | Failed:
        limits, hours = self._manifest.limits, self._manifest.hours
        return read_reply(request, reply, now, hours.timezone, limits.max_response_bytes)

    def _url(self, outgoing: Outgoing) -> str:
        url = self._origin + outgoing.path
        return f"{url}?{query_string(outgoing.query)}" if outgoing.query else url

    def _outgoing(self, request: RestRequest, keys: Sequence[Key], page: int | None) -> Outgoing:
        first = keys[0]
        query = [(name, template.render(first)) for name, template in request.query] if request.query else []
        path = self._base + (request.path.render_path(first) if request.fixed_path is None else request.fixed_path)
        if page is None or request.page is None:
            return Outgoing(request.method, path, query, _body(request, keys))
        numbers = {request.page.number: page, request.page.size: request.page.rows}
        if request.method == "GET":
            query += [(name, str(number)) for name, number in numbers.items()]
            return Outgoing(request.method, path, query, b"")
        body: Any = request.body.render(keys) if request.body is not None else {}
        return Outgoing(request.method, path, query, as_json({**body, **numbers}))


class _Asking:
    """A batch that is out without anybody awaiting it; holds one turn of its source."""

    __slots__ = ("_lookup", "_request", "_source", "_told", "_whole", "begun")

    begun: Begun

    def __init__(
        self,
        source: RestSource,
        request: RestRequest,
        lookup: Lookup,
        whole: Whole,
        told: Callable[[Sequence[Answer] | Exception | None, bool], None],
    ) -> None:
        self._source, self._request, self._lookup, self._whole = source, request, lookup, whole
        self._told: Callable[[Sequence[Answer] | Exception | None, bool], None] | None = told

    def heard(self, outcome: Reply | SourceUnavailable | None) -> None:
        told, self._told = self._told, None
        if told is None:
            return
        source = self._source
        source._turns.give_back()
        if outcome is None:
            told(None, False)
            return
        try:
            got: Records | Failed
            now = source._now()
            if isinstance(outcome, SourceUnavailable):
                got = Failed(outcome.reason, outcome.retry_at, outcome.detail)
            else:
                got = source._read(self._request, outcome, now)
            answers, done = source._read_whole(self._request, self._lookup, self._whole, got, now)
        except Exception as error:  # whoever made the request says what it means
            told(error, False)
        else:
            told(answers, done)

    def cancel(self) -> None:
        if self._told is not None:
            self._told = None
            self.begun.cancel()
            self._source._turns.give_back()


def _headers(request: RestRequest, outgoing: Outgoing) -> Mapping[str, str]:
    if request.xml:
        return _XML_BODY if outgoing.body else _XML
    return _JSON_BODY if outgoing.body else _JSON


def _body(request: RestRequest, keys: Sequence[Key]) -> bytes:
    """Raises KeyPartMissing for the first key that cannot be sent."""
    if request.body is None or request.writer is None:
        return b""
    if request.mode != "batch" and not request.writer.all_sendable(keys):  # a batch's keys have been looked at
        request.body.render(keys)
    return request.writer.write(keys)


def _can_be_sent(request: RestRequest, keys: Sequence[Key]) -> bool:
    return request.writer is not None and request.writer.all_sendable(keys)


def _is_flat(fields: frozenset[str]) -> bool:
    return "." not in "".join(fields)


def _flat_answers(sorted_in: Mapping[Key, Sequence[Record]], now: datetime) -> dict[Key, Answer]:
    """What `_answer` says of each key of a whole answer with flat records."""
    absent = Absent(fetched_at=now)
    answers: dict[Key, Answer] = {}
    for key, records in sorted_in.items():
        if len(records) == 1:
            row = RowDraft(records[0], "", None, Match.AUTO, (), NO_LINKS, "", "")
            row.__class__ = Row
            answer = FoundDraft((row,), None, now, None, None, None)  # type: ignore[arg-type]  # a Row since the line above
            answer.__class__ = Found
            answers[key] = answer  # type: ignore[assignment]  # likewise
        else:
            answers[key] = found(tuple(map(raw_row, records)), None, now) if records else absent
    return answers


def _answer(records: Sequence[Record], fields: frozenset[str], now: datetime, missing: bool, flat: bool) -> Answer:
    """A record whose fields all stand at its top leaves as it came: `Mapped` takes from it only what was asked."""
    if not records:
        if missing:
            return Failed(Reason.INCOMPLETE, detail="fewer records than declared")
        return Absent(fetched_at=now)
    try:
        rows = tuple(map(raw_row, records) if flat else [pick(record, fields) for record in records])
    except Garbage as garbage:
        return Failed(Reason.GARBAGE, detail=str(garbage))
    return found(rows, None, now, Reason.INCOMPLETE if missing else None)
