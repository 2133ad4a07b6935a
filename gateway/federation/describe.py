"""The catalogue, the purposes and the health of the sources, as the schema shows them. Nothing here is about a person."""

from __future__ import annotations

from typing import Any

from adapters.manifest import SourceManifest, Text
from adapters.registry import OpenSource
from gateway.federation.catalog import Snapshot
from gateway.federation.health_watch import health_entry
from gateway.policy.purposes import PurposeRegister

Data = dict[str, Any]


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
