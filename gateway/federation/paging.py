"""Relay connections over the records of one key: cursors, and what a page says of itself."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from gateway.federation.parts import Part
from schema.errors import BadInput

MARGIN = 20
"""How many rows more than a page shows are fetched, always: so many may be hidden without a further call to the source."""
FURTHER = 500
"""Rows of each further call, where more than that was hidden."""


def connection(part: Part, first: int, after: str | None, *, more: bool = False) -> dict[str, Any]:
    records = part.records
    edges = [{"cursor": _cursor(record.source_record_id or ""), "node": record} for record in records]
    return {
        "edges": edges,
        "nodes": records,
        "state": part.state,
        "reason": part.reason,
        "retryAt": part.retry_at,
        "pageInfo": {
            "hasNextPage": more,
            "hasPreviousPage": after is not None,
            "startCursor": edges[0]["cursor"] if edges else None,
            "endCursor": edges[-1]["cursor"] if edges else None,
        },
    }


def _cursor(record_id: str) -> str:
    return base64.urlsafe_b64encode(b"1:" + record_id.encode()).decode().rstrip("=")


def read_cursor(cursor: str | None) -> str | None:
    """The record id to go on after. Raises BadInput for what is no cursor of ours."""
    if cursor is None:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor[:400] + "=" * (-len(cursor[:400]) % 4)).decode()
    except (binascii.Error, ValueError):
        raise BadInput("BAD_CURSOR") from None
    version, _, record_id = text.partition(":")
    if version != "1" or not record_id:
        raise BadInput("BAD_CURSOR")
    return record_id
