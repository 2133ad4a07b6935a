"""HTTP as bytes: a request may be as wrong as it likes, and of the answer nothing is made prettier."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from html import unescape
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Request:
    """`headers` are all there is, but for Host, Content-Length and Connection where they are not said."""

    method: str
    target: str
    headers: tuple[tuple[str, str | bytes], ...] = ()
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str, value: str | bytes | None) -> Request:
        """With one more header, in the place of any of its name; None takes it away."""
        kept = tuple(one for one in self.headers if one[0] != name)
        return replace(self, headers=kept if value is None else (*kept, (name, value)))

    def also(self, name: str, value: str | bytes) -> Request:
        """With one more header, beside those of its name."""
        return replace(self, headers=(*self.headers, (name, value)))

    def with_(self, **changes: Any) -> Request:
        return replace(self, **changes)

    def plus(self, raw: bytes | str) -> Request:
        """The form, as it stands, with more behind it."""
        more = raw.encode() if isinstance(raw, str) else raw
        return replace(self, body=self.body + b"&" + more if self.body else more)

    def fields(self, **changes: str | None) -> Request:
        """The form with these fields changed, or taken away by None."""
        form = dict(parse_qsl(self.body.decode(), keep_blank_values=True)) | changes
        return replace(
            self, body=urlencode({name: value for name, value in form.items() if value is not None}).encode()
        )

    def raw(self, host: str) -> bytes:
        said = {name.lower() for name, _ in self.headers}
        lines = list(self.headers)
        if "host" not in said:
            lines.insert(0, ("host", host))
        if "content-length" not in said and "transfer-encoding" not in said and (self.body or self.method != "GET"):
            lines.append(("content-length", str(len(self.body))))
        if "connection" not in said:
            lines.append(("connection", "close"))
        head = b"".join(
            name.encode() + b": " + (value.encode() if isinstance(value, str) else value) + b"\r\n"
            for name, value in lines
            if value != ""
        )
        return f"{self.method} {self.target} HTTP/1.1\r\n".encode() + head + b"\r\n" + self.body

    def words(self) -> set[str]:
        """What a sender may have chosen and an answer has no business to repeat: long enough not to be there by chance."""
        found = [value if isinstance(value, str) else value.decode("latin-1") for _, value in self.headers]
        found += re.split(r"[=&?]", self.target.partition("?")[2])
        for name, value in parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True):
            found += [name, value]
        return {one for one in found if len(one) >= 10 and one.lower() not in PROTOCOL}


PROTOCOL = frozenset({
    "application/json", "application/x-www-form-urlencoded", "grant_type", "client_assertion", "client_assertion_type",
    "authorization_code", "client_credentials", "refresh_token", "code_challenge", "code_challenge_method", "redirect_uri",
    "code_verifier", "response_type", "response_mode", "request_uri", "authorization_details", "client_secret",
})  # fmt: skip
"""The standards' own names: a sentence may well say "redirect_uri"."""


@dataclass(frozen=True)
class Answer:
    """`seconds` from the first byte sent to the last one read."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    @property
    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def told(self) -> str:
        """The one word that says what came of it, wherever the standard puts that word."""
        if 300 <= self.status < 400:
            back = parse_qs(urlsplit(self.headers.get("location", "")).query)
            return f"redirect:{back.get('error', ['-'])[0]}"
        challenge = re.search(r'error="([a-z_]+)"', self.headers.get("www-authenticate", ""))
        if challenge:
            return challenge[1]
        said = self.json
        if not isinstance(said, dict):
            shown = re.search(r"<code>([^<]*)</code>", self.body.decode("utf-8", "replace"))
            return unescape(shown[1]) if shown else ""
        if "error" in said:
            return str(said["error"])
        if said.get("active") is False:
            return "inactive" if len(said) == 1 else "inactive, and more"
        if said.get("errors"):
            return str(said["errors"][0]["extensions"]["code"])
        part = next(iter(((said.get("data") or {}).get("person") or {}).values()), None)
        return str(part.get("state")) if isinstance(part, dict) else ""


async def talk(port: int, request: Request, *, patience_s: float = 15.0) -> Answer:
    """One request on a connection of its own; everything until the other side closes."""
    began = time.perf_counter()
    async with asyncio.timeout(patience_s):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(request.raw(f"127.0.0.1:{port}"))
            await writer.drain()
            raw = await reader.read()
        finally:
            writer.close()
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    status = int(first.split(" ")[1])
    return Answer(status, headers, body, time.perf_counter() - began)


def form(pairs: Iterable[tuple[str, str]] | Mapping[str, str]) -> bytes:
    return urlencode(list(pairs.items() if isinstance(pairs, Mapping) else pairs)).encode()
