"""Offers and answers for tests of what the federation makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from adapters.manifest import AnswerSpec, FieldMapping
from adapters.source import Found, Quality, Row, Value
from gateway.federation.catalog import Offer

NOW = datetime(2026, 11, 2, 2, 0, tzinfo=UTC)


def offer(
    code: str, noun: str, *fields: str, rank: int = 100, stale_after: timedelta | None = None, **ranks: int
) -> Offer:
    spec = AnswerSpec(noun, ("idNo", "name"), {}, tuple(FieldMapping(name, name) for name in fields), rank=rank)
    source: Any = SimpleNamespace(manifest=SimpleNamespace(code=code))
    return Offer(code, source, spec, "C", frozenset(fields), ranks, stale_after)


def found(
    *rows: Mapping[str, Value], as_of: datetime | None = NOW, quality: tuple[tuple[str, Quality], ...] = ()
) -> Found:
    made = tuple(Row(row, record_id=str(index), as_of=as_of, quality=quality) for index, row in enumerate(rows))
    return Found(made, as_of=as_of, fetched_at=NOW)
