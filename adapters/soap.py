"""Kind "soap": one person a call, the envelope prepared once from the WSDL, the client's certificate by the channel.

Source: SOAP 1.1, section 6 (HTTP binding); docs/guides/manifest.md, "soap".
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit
from xml.sax.saxutils import escape

from adapters.errors import Reason, SourceUnavailable
from adapters.kind import Opening, spec_of
from adapters.manifest import AnswerSpec, SourceManifest
from adapters.outcomes import NO_TABLE, read_outcomes
from adapters.soap_check import fault_table, faults_of
from adapters.soap_reply import Reading, read_reply, walk
from adapters.source import Absent, Answer, Failed, Found, Key, Lookup, Row
from adapters.templates import KeyPartMissing, Template, compile_text
from adapters.wsdl import Operation, Wanted, Wsdl

LOAD_S: Final = 10.0
PAUSE_S: Final = 2.0  # between a failed load of the WSDL and the next
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class SoapKind:
    """See docs/guides/manifest.md, "soap"."""

    name = "soap"
    uses_http = True

    def check(self, manifest: SourceManifest) -> list[tuple[str, str]]:
        return faults_of(manifest)

    def open(self, opening: Opening) -> SoapSource:
        return SoapSource(opening)

    def per_key(self, answer: AnswerSpec) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class _Call:
    """One answer spec, prepared: what is said and how the reply is read."""

    wanted: Wanted
    arguments: Mapping[str, Template]
    reading: Reading

    def texts(self, key: Key) -> dict[str, str]:
        """Argument name -> text escaped for XML. Raises KeyPartMissing, also for what XML can not hold."""
        made: dict[str, str] = {}
        for name, template in self.arguments.items():
            text = template.render(key)
            if _NOT_XML.search(text):
                raise KeyPartMissing(name)
            made[name] = escape(text, {"\r": "&#13;"})
        return made


class SoapSource:
    """Asks one department's service; its WSDL is read as soon as it opens, and again for a question if that failed."""

    def __init__(self, opening: Opening) -> None:
        if opening.channel is None:
            raise ValueError("kind soap needs a channel")
        self._manifest, self._channel, self._now = opening.manifest, opening.channel, opening.now
        self._endpoint = opening.endpoint
        options = opening.manifest.options
        self._address = str(options.get("address", ""))
        self._encoding = str(options.get("encoding", "utf-8"))
        self._gate = asyncio.Semaphore(max(1, opening.manifest.limits.concurrency))
        self._calls = {
            (answer.noun, answer.by): _prepared(opening.manifest, answer) for answer in opening.manifest.answers
        }
        self._wsdl = Wsdl(
            opening.manifest.code,
            opening.channel,
            urljoin(opening.endpoint, str(options["wsdl"])),
            list(dict.fromkeys(call.wanted for call in self._calls.values())),
            load_s=float(options.get("wsdl_timeout_s", LOAD_S)),
            pause_s=float(options.get("wsdl_pause_s", PAUSE_S)),
        )
        # A question that had to wait for the load would hold its place in the rate limit, and those behind it would then
        # leave together.
        self._wsdl.start()

    async def fetch(self, lookup: Lookup, *, timeout_s: float) -> Sequence[Answer]:
        spec = spec_of(self._manifest, lookup)
        if not lookup.keys:
            return []
        call = self._calls[(spec.noun, spec.by)]
        deadline = asyncio.get_running_loop().time() + timeout_s
        operation = await self._wsdl.operation(call.wanted, timeout_s=timeout_s)
        url = self._url(operation)
        distinct = list(dict.fromkeys(lookup.keys))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._ask(call, operation, url, key, lookup, deadline)) for key in distinct]
        answers = dict(zip(distinct, (task.result() for task in tasks), strict=True))
        return [answers[key] for key in lookup.keys]

    async def close(self) -> None:
        await self._wsdl.close()

    async def _ask(
        self, call: _Call, operation: Operation, url: str, key: Key, lookup: Lookup, deadline: float
    ) -> Answer:
        try:
            envelope = operation.fill(call.texts(key))
        except KeyPartMissing as missing:
            return Failed(Reason.KEY_MISSING, detail=str(missing))
        document = f'<?xml version="1.0" encoding="{self._encoding}"?>\n{envelope}'
        async with self._gate:
            left_s = deadline - asyncio.get_running_loop().time()
            if left_s <= 0:
                return Failed(Reason.TIMEOUT, detail="no time left to ask")
            try:
                reply = await self._channel.send(
                    "POST",
                    url,
                    headers=self._headers(operation),
                    # what the encoding lacks (GBK has no 䶮) travels as a character reference
                    body=document.encode(self._encoding, "xmlcharrefreplace"),
                    timeout_s=left_s,
                )
            except SourceUnavailable as error:
                return Failed(error.reason, error.retry_at, error.detail)
        now = self._now()
        found = read_reply(reply, call.reading, now)
        if isinstance(found, Failed):
            return found
        if not found:
            return Absent(fetched_at=now)
        return Found(tuple(Row({name: walk(one, name) for name in lookup.fields}) for one in found), fetched_at=now)

    def _headers(self, operation: Operation) -> dict[str, str]:
        if operation.soap12:
            return {"content-type": f'application/soap+xml; charset={self._encoding}; action="{operation.action}"'}
        return {"content-type": f"text/xml; charset={self._encoding}", "soapaction": f'"{operation.action}"'}

    def _url(self, operation: Operation) -> str:
        """Where to post: the manifest's word, else the WSDL's if it stays with an allowed host and its protection."""
        if self._address:
            return urljoin(self._endpoint, self._address)
        allowed = {_host(self._endpoint), *self._manifest.allow_hosts}
        try:
            url = urljoin(self._endpoint, operation.address)
            downgraded = urlsplit(self._endpoint).scheme == "https" and urlsplit(url).scheme != "https"
            kept = _host(url) in allowed and not downgraded
        except ValueError:  # a port like 99999, half an IPv6 address
            kept = False
        if not kept:
            raise SourceUnavailable(
                self._manifest.code, Reason.BLOCKED, "its WSDL names an address off the allow-list; see options.address"
            )
        return url


def _prepared(manifest: SourceManifest, answer: AnswerSpec) -> _Call:
    request = answer.request
    arguments = {str(name): compile_text(str(text), answer.by) for name, text in request["arguments"].items()}
    outcome = request.get("outcome")
    return _Call(
        wanted=(str(request["operation"]), tuple(arguments)),
        arguments=arguments,
        reading=Reading(
            rows=str(request.get("rows", "")),
            outcome=read_outcomes(outcome, "")[0] if outcome else NO_TABLE,
            faults=fault_table(request.get("faults", {}), "")[0],
            max_bytes=manifest.limits.max_response_bytes,
            timezone=manifest.hours.timezone,
        ),
    )


def _host(url: str) -> str:
    parts = urlsplit(url)
    host = parts.hostname or ""
    return f"{f'[{host}]' if ':' in host else host}:{parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)}"
