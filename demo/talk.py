"""HTTP from the demo's command line to what it started; the standard library is enough."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from typing import Any

from demo.places import Places


class NoAnswer(Exception):
    """Nothing usable came back; the message says from where and why."""


def ask(places: Places, method: str, url: str, body: object = None, *, timeout_s: float = 10.0) -> Any:
    """The JSON of the answer. TLS is checked against the demo's own authority, with its client certificate.

    Raises NoAnswer when nothing listens, or what answers does not answer in JSON.
    """
    headers = {"accept": "application/json", "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)
    # No proxy: all of this is loopback.
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if url.startswith("https:"):
        handlers.append(urllib.request.HTTPSHandler(context=_tls(places)))
    try:
        try:
            with urllib.request.build_opener(*handlers).open(request, timeout=timeout_s) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refused:
            with refused:
                return json.load(refused)
    except (OSError, ValueError) as error:
        raise NoAnswer(f"{url}: {error}") from None


def _tls(places: Places) -> ssl.SSLContext:
    pki = places.home / "pki"
    context = ssl.create_default_context(cafile=str(pki / "ca.pem"))
    context.load_cert_chain(pki / "yimen.pem", pki / "yimen-key.pem")
    return context
