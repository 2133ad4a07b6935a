"""What a SOAP department's WSDL says of its operations: fetched through the channel, read once, out of process.

Nothing in a WSDL is trusted: its documents are parsed hardened and counted, its imports leave only by the channel
(so only to allowed hosts), zeep reads it in a child with limits (`adapters.wsdl_reader`), and the address it names must
be one the manifest allows. A load that failed is tried again after a pause, never remembered as broken.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from lxml import etree

from adapters.egress import Channel
from adapters.errors import Reason, SourceUnavailable
from adapters.xml import XmlRefused, parse_xml

MAX_DOCUMENTS: Final = 64
MAX_BYTES: Final = 4 * 1024 * 1024  # all documents together
_ACTION = re.compile(r"[!#-~]{0,1000}")  # it becomes a quoted header
_WSDL: Final = "{http://schemas.xmlsoap.org/wsdl/}"
_XSD: Final = "{http://www.w3.org/2001/XMLSchema}"
_REFERENCES: Final[Mapping[str, str]] = {
    _WSDL + "import": "location",
    _XSD + "import": "schemaLocation",
    _XSD + "include": "schemaLocation",
    _XSD + "redefine": "schemaLocation",
    _XSD + "override": "schemaLocation",
}

Wanted = tuple[str, tuple[str, ...]]
"""An operation's name and the dotted names of the arguments it will be given."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, ready to be filled: `pieces` alternates between envelope text and argument names."""

    address: str
    action: str
    soap12: bool
    pieces: tuple[str, ...]

    def fill(self, values: Mapping[str, str]) -> str:
        """The envelope with `values` (argument name -> text already escaped for XML) in their places."""
        return "".join(piece if at % 2 == 0 else values[piece] for at, piece in enumerate(self.pieces))


class Wsdl:
    """The operations of one source, loaded on first use; many askers wait for one load."""

    def __init__(
        self, source: str, channel: Channel, url: str, wanted: Sequence[Wanted], *, load_s: float, pause_s: float
    ) -> None:
        self._source, self._channel, self._url, self._wanted = source, channel, url, tuple(wanted)
        self._load_s, self._pause_s = load_s, pause_s
        self._ready: dict[Wanted, Operation] = {}
        self._faults: dict[Wanted, SourceUnavailable] = {}
        self._loading: asyncio.Task[None] | None = None
        self._not_before = 0.0  # loop time of the next try

    def start(self) -> None:
        """Begin to load, so that the first question need not wait for it. Without a running loop, that question does."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        if self._loading is None and not self._ready:
            self._loading = loop.create_task(self._load(), name=f"wsdl {self._source}")

    async def operation(self, wanted: Wanted, *, timeout_s: float) -> Operation:
        """Raises SourceUnavailable: TIMEOUT while the load goes on, BLOCKED, GARBAGE, ... as the last load ended."""
        ready = self._ready.get(wanted)
        if ready is not None:
            return ready
        loop = asyncio.get_running_loop()
        if self._loading is None:
            if wanted in self._faults and loop.time() < self._not_before:
                raise self._again(self._faults[wanted])
            self._loading = loop.create_task(self._load(), name=f"wsdl {self._source}")
        done, _ = await asyncio.wait({self._loading}, timeout=timeout_s)
        ready = self._ready.get(wanted)
        if ready is not None:
            return ready
        if not done or wanted not in self._faults:
            raise SourceUnavailable(self._source, Reason.TIMEOUT, "its WSDL is still being read")
        raise self._again(self._faults[wanted])

    async def close(self) -> None:
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.wait({self._loading})

    def _again(self, fault: SourceUnavailable) -> SourceUnavailable:
        """A fresh error each time, for a raised one collects the tracebacks of everyone it was raised for."""
        return SourceUnavailable(self._source, fault.reason, fault.detail, retry_at=fault.retry_at)

    async def _load(self) -> None:
        loop = asyncio.get_running_loop()
        fault: SourceUnavailable | None = None
        try:
            async with asyncio.timeout(self._load_s):
                documents = await collect(self._source, self._channel, self._url, timeout_s=self._load_s)
                made = await read(self._source, self._url, documents, self._wanted, timeout_s=self._load_s)
            for wanted, one in zip(self._wanted, made, strict=True):
                if isinstance(one, Operation):
                    self._ready[wanted] = one
                else:
                    self._faults[wanted] = one
        except SourceUnavailable as error:
            fault = error
        except TimeoutError:
            fault = SourceUnavailable(self._source, Reason.TIMEOUT, f"its WSDL took longer than {self._load_s} s")
        except Exception as error:
            # whoever waits must hear of it; the class alone, for the text may quote a document
            fault = SourceUnavailable(self._source, Reason.GARBAGE, f"its WSDL: {type(error).__name__}")
        finally:
            self._loading = None
            self._not_before = loop.time() + self._pause_s
        if fault is not None:
            self._faults.update(dict.fromkeys(self._wanted, fault))


async def collect(source: str, channel: Channel, url: str, *, timeout_s: float) -> dict[str, str]:
    """The WSDL and all it imports, by URL. A circle is walked once; endless imports end at MAX_DOCUMENTS.

    Raises SourceUnavailable: BLOCKED for an import off the allow-list, TOO_LARGE, GARBAGE, or why a fetch failed.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    found: dict[str, str] = {}
    waiting = [url]
    bytes_left = MAX_BYTES
    while waiting:
        at = waiting.pop()
        if at in found:
            continue
        if len(found) == MAX_DOCUMENTS:
            raise SourceUnavailable(source, Reason.TOO_LARGE, f"its WSDL imports more than {MAX_DOCUMENTS} documents")
        data = await _get(source, channel, at, timeout_s=deadline - loop.time())
        if len(data) > bytes_left:
            raise SourceUnavailable(source, Reason.TOO_LARGE, f"its WSDL is larger than {MAX_BYTES} bytes")
        bytes_left -= len(data)
        try:
            found[at], imports = await asyncio.to_thread(_document, data, at)
        except XmlRefused as refused:
            raise SourceUnavailable(source, Reason.GARBAGE, f"its WSDL: {refused.reason}") from None
        for import_url in imports:
            if urlsplit(import_url).scheme not in ("http", "https"):
                raise SourceUnavailable(source, Reason.BLOCKED, "its WSDL imports what is not HTTP")
        waiting.extend(imports)
    return found


async def read(
    source: str, url: str, documents: Mapping[str, str], wanted: Sequence[Wanted], *, timeout_s: float
) -> list[Operation | SourceUnavailable]:
    """What zeep makes of the documents: for each wanted operation the prepared one, or why there is none."""
    marks = [{name: f"yimen-{secrets.token_hex(8)}-{at}" for at, name in enumerate(names)} for _, names in wanted]
    question = {
        "root": url,
        "documents": dict(documents),
        "operations": [{"name": w[0], "arguments": m} for w, m in zip(wanted, marks, strict=True)],
        "seconds": timeout_s,
    }
    answer = await _ask_child(source, json.dumps(question).encode(), timeout_s=timeout_s)
    if "fault" in answer:
        raise SourceUnavailable(source, Reason.GARBAGE, f"its WSDL: {answer['fault']}")
    made: list[Operation | SourceUnavailable] = []
    for one, arguments in zip(answer["operations"], marks, strict=True):
        if "fault" in one:
            made.append(SourceUnavailable(source, Reason.GARBAGE, f"its WSDL: {one['fault']}"))
        elif not _ACTION.fullmatch(one["action"]):
            made.append(SourceUnavailable(source, Reason.GARBAGE, "its WSDL: a SOAPAction that is no URI"))
        else:
            pieces = _pieces(one["envelope"], arguments)
            made.append(Operation(one["address"], one["action"], one["soap12"], pieces))
    return made


async def _get(source: str, channel: Channel, url: str, *, timeout_s: float) -> bytes:
    if timeout_s <= 0:
        raise SourceUnavailable(source, Reason.TIMEOUT, "its WSDL has too many slow parts")
    reply = await channel.send("GET", url, timeout_s=timeout_s)
    if reply.status != 200:
        reason = {401: Reason.REFUSED, 403: Reason.REFUSED, 429: Reason.RATE_LIMITED}.get(reply.status, Reason.DOWN)
        raise SourceUnavailable(source, reason, f"HTTP {reply.status} for its WSDL")
    return reply.body


def _document(data: bytes, url: str) -> tuple[str, list[str]]:
    """The document as plain UTF-8 text without its prolog, and the URLs it imports."""
    root = parse_xml(data, max_bytes=MAX_BYTES)
    imports = []
    for element in root.iter(*_REFERENCES):
        location = element.get(_REFERENCES[str(element.tag)])
        if location:
            imports.append(urljoin(url, location))
    return etree.tostring(root, encoding="unicode"), imports


async def _ask_child(source: str, question: bytes, *, timeout_s: float) -> dict[str, Any]:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "adapters.wsdl_reader",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},  # and none of our secrets
    )
    try:
        async with asyncio.timeout(timeout_s):
            written, _ = await child.communicate(question)
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode != 0:
        raise SourceUnavailable(source, Reason.GARBAGE, "its WSDL costs more than we give to read it")
    answer: dict[str, Any] = json.loads(written)
    return answer


def _pieces(envelope: str, arguments: Mapping[str, str]) -> tuple[str, ...]:
    """The envelope cut at its marks: text, name, text, name, ..., text."""
    pieces = [envelope]
    for name, mark in sorted(arguments.items(), key=lambda item: envelope.index(item[1])):
        before, _, after = pieces.pop().partition(mark)
        pieces += [before, name, after]
    return tuple(pieces)
