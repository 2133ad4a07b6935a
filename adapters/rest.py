"""Kind "rest": a department that answers over HTTP in JSON or XML, per key, per batch or page by page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from adapters.asking import Deadline, together
from adapters.errors import Reason, SourceUnavailable
from adapters.kind import Opening, spec_of
from adapters.manifest import AnswerSpec, SourceManifest
from adapters.records import Garbage, pick
from adapters.rest_answer import Records, read_reply
from adapters.rest_batch import Asked, sort_into_keys
from adapters.rest_pages import gather_pages
from adapters.rest_request import RestRequest, read_request
from adapters.sending import open_sending
from adapters.signing import Outgoing, check_auth, query_string
from adapters.source import Absent, Answer, Failed, Found, Key, Lookup
from adapters.templates import KeyPartMissing


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
        self._gate = asyncio.Semaphore(max(1, opening.manifest.limits.concurrency))
        self._requests = {(answer.noun, answer.by): read_request(answer, "")[0] for answer in opening.manifest.answers}

    async def fetch(self, lookup: Lookup, *, timeout_s: float) -> Sequence[Answer]:
        spec = spec_of(self._manifest, lookup)
        request = self._requests[(spec.noun, spec.by)]
        deadline = Deadline.after(timeout_s)
        if request.mode == "batch":
            return await self._batch(request, lookup, deadline)
        ask = self._pages if request.mode == "pages" else self._one
        distinct = list(dict.fromkeys(lookup.keys))
        answers = dict(
            zip(distinct, await together(lambda key: ask(request, key, lookup, deadline), distinct), strict=True)
        )
        return [answers[key] for key in lookup.keys]

    async def close(self) -> None:
        """The channel is not closed: it belongs to the registry."""
        await self._sending.close()

    async def _one(self, request: RestRequest, key: Key, lookup: Lookup, deadline: Deadline) -> Answer:
        got = await self._ask(request, (key,), deadline)
        if isinstance(got, Failed):
            return got
        return self._answer(got, lookup, got.short)

    async def _pages(self, request: RestRequest, key: Key, lookup: Lookup, deadline: Deadline) -> Answer:
        async def page(number: int) -> Records | Failed:
            return await self._ask(request, (key,), deadline, number)

        if request.page is None:
            raise ValueError("pages without paging")
        got, missing = await gather_pages(request.page, page)
        return got if isinstance(got, Failed) else self._answer(got, lookup, missing)

    async def _batch(self, request: RestRequest, lookup: Lookup, deadline: Deadline) -> Sequence[Answer]:
        asked = Asked.of(request, lookup)
        if not asked.keys:
            return asked.answers({})
        got = await self._ask(request, asked.keys, deadline)
        if isinstance(got, Failed):
            return asked.answers(dict.fromkeys(asked.keys, got))
        sorted_in = sort_into_keys(request, asked.keys, lookup.by, got)
        if isinstance(sorted_in, Failed):
            return asked.answers(dict.fromkeys(asked.keys, sorted_in))
        return asked.answers({key: self._answer(Records(rows), lookup, got.short) for key, rows in sorted_in.items()})

    def _answer(self, got: Records, lookup: Lookup, missing: bool) -> Answer:
        now = self._now()
        if not got.records:
            if missing:
                return Failed(Reason.INCOMPLETE, detail="fewer records than declared")
            return Absent(fetched_at=now)
        try:
            rows = tuple(pick(record, lookup.fields) for record in got.records)
        except Garbage as garbage:
            return Failed(Reason.GARBAGE, detail=str(garbage))
        return Found(rows, fetched_at=now, incomplete=Reason.INCOMPLETE if missing else None)

    async def _ask(
        self, request: RestRequest, keys: Sequence[Key], deadline: Deadline, page: int | None = None
    ) -> Records | Failed:
        try:
            outgoing = self._outgoing(request, keys, page)
        except KeyPartMissing as missing:
            return Failed(Reason.KEY_MISSING, detail=str(missing))
        query = query_string(outgoing.query)
        url = f"{self._origin}{outgoing.path}" + (f"?{query}" if query else "")
        headers = {"accept": "application/xml, text/xml" if request.xml else "application/json"}
        if outgoing.body:
            headers["content-type"] = "application/json"
        try:
            # Waiting for the gate counts too: those before us may have later deadlines.
            async with asyncio.timeout_at(deadline.at), self._gate:
                reply = await self._sending.send(outgoing, url, headers, deadline.left_s)
        except SourceUnavailable as error:
            return Failed(error.reason, error.retry_at, error.detail)
        except TimeoutError:
            return Failed(Reason.TIMEOUT, detail="the deadline passed")
        limits, hours = self._manifest.limits, self._manifest.hours
        return read_reply(request, reply, self._now(), hours.timezone, limits.max_response_bytes)

    def _outgoing(self, request: RestRequest, keys: Sequence[Key], page: int | None) -> Outgoing:
        first = keys[0]
        query = [(name, template.render(first)) for name, template in request.query]
        body: Any = request.body.render(keys) if request.body is not None else None
        if page is not None and request.page is not None:
            numbers = {request.page.number: page, request.page.size: request.page.rows}
            if request.method == "GET":
                query += [(name, str(number)) for name, number in numbers.items()]
            else:
                body = {**(body or {}), **numbers}
        path = self._base + request.path.render_path(first)
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() if body is not None else b""
        return Outgoing(request.method, path, query, text)
