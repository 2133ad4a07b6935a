"""The catalogue, the purposes and the health of the sources, as the schema shows them. Nothing here is about a person."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from adapters.registry import OpenSource

from adapters.manifest import SourceManifest, Text
from gateway.federation.catalog import Snapshot
from gateway.policy.purposes import PurposeRegister

Data = dict[str, Any]
_POLL_S = 0.25


def catalogue_entries(snapshot: Snapshot) -> list[Data]:
    return [_entry(source) for source in sorted(snapshot.sources, key=lambda item: item.manifest.code)]


def purpose_entries(register: PurposeRegister) -> list[Data]:
    return [
        {
            "code": rule.code,
            "title": {"zh": rule.title_zh, "en": rule.title_en},
            "legalBasis": {"zh": rule.basis_zh, "en": rule.basis_en},
            "caseRequired": rule.case_required,
        }
        for rule in sorted(register.rules.values(), key=lambda item: item.code)
    ]


async def health_changes(snapshot: Snapshot) -> AsyncIterator[Data]:
    """The health of each source now, then each change of state or reason."""
    shown: dict[str, tuple[str, str | None]] = {}
    while True:
        for source in snapshot.sources:
            event = health_entry(source)
            if shown.get(event["source"]) != (event["state"], event["reason"]):
                shown[event["source"]] = (event["state"], event["reason"])
                yield event
        await asyncio.sleep(_POLL_S)


def health_entry(source: OpenSource) -> Data:
    health = source.health()
    return {
        "source": source.manifest.code,
        "state": health.state,
        "reason": health.last_reason.value if health.last_reason is not None else None,
        "lastOkAt": health.last_ok_at,
        "lastFailureAt": health.last_failure_at,
        "p50Ms": health.p50_ms,
    }


def _entry(source: OpenSource) -> Data:
    manifest: SourceManifest = source.manifest
    catalogue = manifest.catalogue
    return {
        "code": manifest.code,
        "title": _text(manifest.title),
        "kind": manifest.kind,
        "provider": _text(catalogue.provider),
        "items": _text(catalogue.items),
        "updateCycle": catalogue.update_cycle,
        "shareClass": catalogue.share_class.value,
        "condition": None if catalogue.condition is None else _text(catalogue.condition),
        "legalGround": None if catalogue.legal_ground is None else _text(catalogue.legal_ground),
        "answers": [
            {
                "noun": answer.noun,
                "by": list(answer.by),
                "fields": [item.name for item in answer.fields],
                "rank": answer.rank,
            }
            for answer in manifest.answers
        ],
        "health": health_entry(source),
    }


def _text(text: Text) -> Data:
    return {"zh": text.zh, "en": text.en}
