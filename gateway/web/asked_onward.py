"""Two headers one gateway sends to another: by whom a question comes, and how long there is to answer it.

Whoever sends them is answered less, never more: they make nobody anybody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from gateway.services.execute import GraphQLRequest
from gateway.web.problems import Refusal

VIA, WITHIN = b"yimen-via", b"yimen-within-ms"
MOST_NAMES = 8
_NAME = re.compile(r"[a-z0-9.:\[\]-]{1,255}")  # host and port
_MILLISECONDS = re.compile(rb"[0-9]{1,6}")


def by_gateway(request: GraphQLRequest, headers: Mapping[bytes, bytes]) -> GraphQLRequest:
    """The request with what the two headers say. Raises Refusal INVALID_REQUEST."""
    via, within = headers.get(VIA), headers.get(WITHIN)
    if via is None and within is None:
        return request
    names = () if via is None else tuple(name.strip() for name in via.decode("latin-1").split(","))
    if len(names) > MOST_NAMES or not all(map(_NAME.fullmatch, names)):
        raise Refusal("INVALID_REQUEST")
    if within is not None and not _MILLISECONDS.fullmatch(within):
        raise Refusal("INVALID_REQUEST")
    return replace(request, via=names, within_s=None if within is None else int(within) / 1000)
