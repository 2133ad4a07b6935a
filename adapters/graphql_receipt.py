"""The receipt in another gateway's answer, taken with tongs: what is not exactly a receipt is not kept as one.

The other side may be broken, or lie. Nothing it writes gets into our records but codes, hashes, a time and an address of its
own; and no receipt, however bad, changes what the answer says.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from adapters.egress import Reply
from adapters.json_body import JsonRefused, parse_json
from adapters.onward import UpstreamReceipt

MISSING, MALFORMED, WRONG_TIME = "MISSING", "MALFORMED", "TIME"
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")  # a UUID of version 7
# Too few digits in a row to be anybody's number.
_RULE = re.compile(r"(?:[a-z-]+|purpose:[A-Z_]+)(?:[0-9]{1,4}(?:[a-z-]+|[A-Z_]+|\Z)){0,3}")
_VERSION = re.compile(r"[0-9a-f]{8,64}")
_LEVELS: Final = frozenset({"DURABLE", "INCLUDED", "SEALED"})
_MOST_RULES, _LONGEST_RULE, _LONGEST_TIME = 32, 64, 40
_SKEW: Final = timedelta(minutes=5)
"""More than two clocks may be apart, less than an old receipt would need to pass for a new one."""


class _Unfit(Exception):
    """It is no receipt."""


def read_receipt(reply: Reply, source: str, url: str, now: datetime) -> UpstreamReceipt:
    """Of the gateway `source`, asked at `url`. Never raises; `note` says why there is nothing to keep."""
    try:
        document = parse_json(reply.body) if reply.body.strip() else None
    except JsonRefused:
        document = None
    extensions = document.get("extensions") if isinstance(document, Mapping) else None
    said = extensions.get("receipt") if isinstance(extensions, Mapping) else None
    if said is None or not isinstance(extensions, Mapping):
        return UpstreamReceipt(source, note=MISSING)
    try:
        receipt = _receipt(said, extensions.get("policy"), source, url)
    except (_Unfit, ValueError):
        return UpstreamReceipt(source, note=MALFORMED)
    if abs(datetime.fromisoformat(receipt.recorded_at) - now) > _SKEW:
        return UpstreamReceipt(source, note=WRONG_TIME)
    return receipt


def _receipt(said: object, policy: object, source: str, url: str) -> UpstreamReceipt:
    entry_id, level = _text(said, "id"), _text(said, "level")
    at, leaf = _text(said, "recordedAt"), _text(said, "leafHash")
    if not _ID.fullmatch(entry_id) or level not in _LEVELS:
        raise _Unfit
    if len(at) > _LONGEST_TIME or datetime.fromisoformat(at).tzinfo is None:
        raise _Unfit
    leaf_hash = base64.b64decode(leaf, validate=True)
    if len(leaf_hash) != 32 or base64.b64encode(leaf_hash).decode() != leaf:  # there is one way to write it
        raise _Unfit
    if _text(said, "proof") != f"/ledger/receipts/{entry_id}":  # where else it points is none of our business
        raise _Unfit
    rules, version = _policy(policy)
    here = urlsplit(url)
    proof = urlunsplit((here.scheme, here.netloc.rpartition("@")[2], f"/ledger/receipts/{entry_id}", "", ""))
    return UpstreamReceipt(source, entry_id, at, leaf, level, proof, rules, version)


def _policy(said: object) -> tuple[tuple[str, ...], str]:
    """A refusal of the whole question names no policy here."""
    if said is None:
        return (), ""
    rules, version = said.get("rules") if isinstance(said, Mapping) else None, _text(said, "version")
    if not isinstance(rules, list) or len(rules) > _MOST_RULES or not _VERSION.fullmatch(version):
        raise _Unfit
    if not all(isinstance(one, str) and len(one) <= _LONGEST_RULE and _RULE.fullmatch(one) for one in rules):
        raise _Unfit
    return tuple(rules), version


def _text(said: Any, name: str) -> str:
    found = said.get(name) if isinstance(said, Mapping) else None
    if not isinstance(found, str):
        raise _Unfit
    return found
