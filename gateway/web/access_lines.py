"""One line of the log and one count for every request; never the path, never the query string: only what we wrote."""

from __future__ import annotations

import time
from typing import Any

import structlog

from gateway.web import logs
from gateway.web.metrics import PrometheusMetrics, method_label
from gateway.web.sent import Sent

_log = structlog.get_logger("yimen.access")
_MOST = 1_000  # kinds of lines kept; routes, methods and statuses are ours and few


class AccessLines:
    """Counts a request and writes its line.

    As JSON the line is put together from parts that were cleaned once, byte for byte what structlog and its processors
    would make of it; any other configuration goes through them.
    """

    def __init__(self, metrics: PrometheusMetrics) -> None:
        self._metrics = metrics
        self._begin: dict[tuple[str, str, int], str] = {}
        self._bound: tuple[Any, Any] | None = None
        self._second, self._date = 0, ""

    def note(self, route: str, method: str, sent: Sent, began: float) -> None:
        """`began` is of `time.perf_counter`."""
        seconds = time.perf_counter() - began
        status, request_id = sent.status, sent.request_id
        self._metrics.request(route, method, status, seconds)
        write = logs.lines_at_once()
        ms = round(seconds * 1000, 2)
        if write is None:
            self._line()(
                "request",
                method=method_label(method),
                route=route,
                status=status,
                ms=ms,
                bytes=sent.bytes,
                request_id=request_id,
            )
            return
        begin = self._begin.get((route, method, status)) or self._begun(route, method, status)
        if not request_id.isalpha() and logs.looks_personal(request_id):
            request_id = logs.REDACTED
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second, self._date = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        write(
            f'{begin}"ms":{ms!r},"bytes":{sent.bytes},"request_id":"{request_id}","event":"request","level":"info",'
            f'"timestamp":"{self._date}.{int((now - second) * 1e6):06d}Z"}}\n'
        )

    def _begun(self, route: str, method: str, status: int) -> str:
        begin = logs.opening(method=method_label(method), route=route, status=status)
        if len(self._begin) < _MOST:
            self._begin[route, method, status] = begin
        return begin

    def _line(self) -> Any:
        """structlog would put its logger together anew for every line, as long as the configuration may change."""
        processors = structlog.get_config()["processors"]
        if self._bound is None or self._bound[0] is not processors:
            self._bound = processors, _log.bind().info
        return self._bound[1]
