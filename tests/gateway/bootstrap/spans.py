"""Traces kept in memory, for tests to read."""

from __future__ import annotations

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from gateway.bootstrap.tracing import OtelTracing, tracer_provider


class Spans:
    """`tracing` to hand to a gateway; `all` is what it left behind."""

    def __init__(self) -> None:
        self._kept = InMemorySpanExporter()
        self.tracing = OtelTracing(tracer_provider(SimpleSpanProcessor(self._kept)).get_tracer("yimen"))

    @property
    def all(self) -> tuple[ReadableSpan, ...]:
        return self._kept.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.all if span.name == name]

    def text(self) -> str:
        """Everything a collector would see, as one text."""
        return "\n".join(span.to_json() for span in self.all)


def said(span: ReadableSpan) -> dict[str, object]:
    return {name.removeprefix("yimen."): value for name, value in (span.attributes or {}).items()}
