"""What is remembered of the facts a credential was made of, and whether they are still the same."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from gateway.services.credentials.ports import FactSource

DIGEST_KEY = "credential/facts-digest/v1"
"""Label for `Keys.derive`."""


class FactsDigest:
    """Keyed, and of one person and type: equal claims of two persons show no likeness."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, subject_id: str, type_id: str, claims: Mapping[str, Any]) -> bytes:
        """32 bytes. Of the claims alone: that a source said the same again at a later time changes nothing."""
        said = orjson.dumps([subject_id, type_id, dict(claims)], option=orjson.OPT_SORT_KEYS)
        return hmac.digest(self._key, said, "sha256")


def facts_text(claims: Mapping[str, Any], sources: Sequence[FactSource]) -> bytes:
    """`Issued.facts`: JSON of claims and where they come from, to be sealed."""
    told = [
        {"noun": one.noun, "source": one.source, "as_of": None if one.as_of is None else one.as_of.isoformat()}
        for one in sources
    ]
    return orjson.dumps({"claims": dict(claims), "sources": told}, option=orjson.OPT_SORT_KEYS)
