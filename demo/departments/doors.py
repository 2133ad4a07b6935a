"""How the REST departments check who is calling: TIF headers, appkey with HMAC, bearer. Written from the interface
papers alone, so that it agrees with the gateway's own signing only if both read them right."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections import OrderedDict
from datetime import datetime
from typing import Final

from starlette.requests import Request

_KEPT_NONCES: Final = 20_000


class Denied(Exception):
    """The caller is not let in: `kind` is signature, clock or replay."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Door:
    """Remembers the nonces it has seen, so that a recorded request opens nothing twice."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._seen: OrderedDict[str, float] = OrderedDict()

    def tif(self, request: Request, now: datetime, *, paasid: str, token: str) -> None:
        """signature = upper hex SHA256(timestamp + token + nonce + timestamp). Raises Denied."""
        stamp, nonce = request.headers.get("x-tif-timestamp", ""), request.headers.get("x-tif-nonce", "")
        given = request.headers.get("x-tif-signature", "")
        expected = hashlib.sha256(f"{stamp}{token}{nonce}{stamp}".encode()).hexdigest().upper()
        known = request.headers.get("x-tif-paasid", "") == paasid
        if not known or not hmac.compare_digest(given.encode(), expected.encode()):
            raise Denied("signature")
        self._in_time(stamp, 1, nonce, now)

    def appkey(self, request: Request, body: bytes, now: datetime, *, appkey: str, secret: str) -> None:
        """signature = base64 HMAC-SHA256 of method, raw path, sorted raw query, timestamp, nonce, body digest."""
        stamp, nonce = request.headers.get("timestamp", ""), request.headers.get("nonce", "")
        raw_query = request.scope["query_string"].decode("ascii", "replace")
        lines = [
            request.method,
            request.scope["raw_path"].decode("ascii", "replace"),
            "&".join(sorted(raw_query.split("&"))),
            stamp,
            nonce,
            hashlib.sha256(body).hexdigest(),
        ]
        expected = hmac.new(secret.encode(), "\n".join(lines).encode(), hashlib.sha256).digest()
        try:
            given = base64.b64decode(request.headers.get("signature", ""), validate=True)
        except (binascii.Error, ValueError):
            given = b""
        if request.headers.get("appkey", "") != appkey or not hmac.compare_digest(given, expected):
            raise Denied("signature")
        self._in_time(stamp, 1000, nonce, now)

    def _in_time(self, stamp: str, per_second: int, nonce: str, now: datetime) -> None:
        seconds = int(stamp) / per_second if stamp.isascii() and stamp.isdigit() and len(stamp) < 16 else 0.0
        if abs(now.timestamp() - seconds) > self._window_s:
            raise Denied("clock")
        if not nonce or nonce in self._seen:
            raise Denied("replay")
        self._seen[nonce] = seconds
        while len(self._seen) > _KEPT_NONCES:
            self._seen.popitem(last=False)


def bearer(request: Request, token: str) -> None:
    """Raises Denied unless the request carries exactly this token."""
    given = request.headers.get("authorization", "")
    if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        raise Denied("signature")
