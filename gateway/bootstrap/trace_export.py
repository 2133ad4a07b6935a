"""Where traces go: batches of spans to an OTLP collector, by our own egress like everything else that leaves."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog

from adapters.egress import Channel, Egress, Rule
from adapters.errors import SourceUnavailable
from gateway.errors import SettingsInvalid
from gateway.services.tracing import UNTRACED, Tracing
from gateway.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

_log = structlog.get_logger("yimen.traces")
_NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.common")
_SEND_S = 3.0
_LAST_BATCHES_S = 5.0


def check_tracing(settings: Settings) -> None:
    """Raises SettingsInvalid where traces are wanted and what makes them is not installed."""
    if settings.otlp_endpoint is not None and not all(map(_installed, _NEEDED)):
        raise SettingsInvalid(
            (
                "otlp_endpoint: traces need the extra `tracing`; run: pip install 'yimen[tracing]', or remove otlp_endpoint",
            )
        )


@asynccontextmanager
async def open_tracing(settings: Settings, egress: Egress) -> AsyncIterator[Tracing]:
    """Traces while the block runs, the last ones sent at its end; none without `otlp_endpoint`."""
    check_tracing(settings)
    if settings.otlp_endpoint is None:
        yield UNTRACED
        return
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    from gateway.bootstrap.tracing import OtelTracing, tracer_provider

    url = traces_url(settings.otlp_endpoint)
    exporter = EgressExporter(egress.open(_rule(url)), url, asyncio.get_running_loop())
    processor = BatchSpanProcessor(
        exporter,  # type: ignore[arg-type]  # by structure: importing their base class is for those who trace
        max_queue_size=2048,
        schedule_delay_millis=2000,
        max_export_batch_size=512,
        export_timeout_millis=_SEND_S * 1000,
    )
    provider = tracer_provider(processor)
    try:
        yield OtelTracing(provider.get_tracer("yimen"))
    finally:
        # In a thread: it waits for the last batches, and those leave by this event loop.
        last = asyncio.create_task(asyncio.to_thread(provider.shutdown))
        await asyncio.wait({last}, timeout=_LAST_BATCHES_S)
        exporter.shutdown()
        await last
        await exporter.channel.close()


def traces_url(endpoint: str) -> str:
    """`endpoint` with OTLP's own path, unless it brings one. Source: OTLP 1.x, section "OTLP/HTTP Request"."""
    return endpoint if urlsplit(endpoint).path not in ("", "/") else endpoint.rstrip("/") + "/v1/traces"


def _rule(url: str) -> Rule:
    parts = urlsplit(url)
    host = f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
    plain = parts.scheme == "http"  # the operator's own word in the settings; spans hold codes and counts only
    return Rule(
        "TRACES",
        frozenset({host}),
        connections=1,
        max_response_bytes=1 << 16,
        allow_plain_http=plain,
        plain_http_hosts=frozenset({host}) if plain else frozenset(),
    )


class EgressExporter:
    """A SpanExporter. Called in the batch processor's thread; a batch that does not arrive is lost, and said once."""

    def __init__(self, channel: Channel, url: str, loop: asyncio.AbstractEventLoop) -> None:
        self.channel, self._url, self._loop = channel, url, loop
        self._closed = self._failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> object:
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
        from opentelemetry.sdk.trace.export import SpanExportResult

        body = encode_spans(spans).SerializeToString()
        sent = not self._closed and self._send(body)
        if sent and self._failing:
            _log.info("traces_arrive_again")
        elif not sent and not self._failing:
            _log.warning("traces_lost", spans=len(spans))
        self._failing = not sent
        return SpanExportResult.SUCCESS if sent else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        self._closed = True

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True

    def _send(self, body: bytes) -> bool:
        headers = {"content-type": "application/x-protobuf"}
        sending = self.channel.send("POST", self._url, headers=headers, body=body, timeout_s=_SEND_S)
        try:
            reply = asyncio.run_coroutine_threadsafe(sending, self._loop)
        except RuntimeError:  # the event loop has ended
            sending.close()
            return False
        try:
            return reply.result(_SEND_S + 1).status < 300
        except (SourceUnavailable, concurrent.futures.CancelledError, TimeoutError):
            reply.cancel()
            return False


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
