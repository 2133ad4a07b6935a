"""A department with one batch answer about residence, opened as the gateway opens it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adapters.clock import utc_now
from adapters.egress_http import HttpEgress
from adapters.manifest import (
    AnswerSpec,
    CatalogueEntry,
    FieldMapping,
    Limits,
    ShareClass,
    SourceManifest,
    Subject,
    Text,
)
from adapters.registry import OpenSource, open_source

_TEXT = Text("实验", "lab")
_RAW = {"idNo": "sfzh", "name": "xm"}  # as the department calls them


def open_lab(egress: HttpEgress, folder: Path, endpoint: str, *by: str, ca_file: str = "", **limits: Any) -> OpenSource:
    """Asked by `by`, which its records repeat. No retries, no cache, two seconds, unless `limits` say otherwise."""
    request = {
        "mode": "batch", "method": "POST", "path": "/batch", "body": {"keys": "{keys}"},
        "each": {_RAW[part]: f"{{{part}}}" for part in by}, "rows": "list", "key_echo": {"idNo": _RAW["idNo"]},
    }  # fmt: skip
    subject = Subject(*[_RAW[part] for part in by])
    answer = AnswerSpec("residence", by, request, (FieldMapping("regNo", "djbh"),), subject=subject, record_id="djbh")
    manifest = SourceManifest(
        "LGB", _TEXT, "rest", endpoint, CatalogueEntry(_TEXT, _TEXT, "DAILY", ShareClass.U), (answer,),
        limits=Limits(**{"retries": 0, "cache_s": 0, "timeout_s": 2.0, **limits}),
        allow_plain_http=True, tls={"ca": f"file:{ca_file}"} if ca_file else {},
    )  # fmt: skip
    return open_source(manifest, egress=egress, environ={}, base_dir=folder, state_dir=folder, now=utc_now)
