"""Which of the types we can give does the client want? (RFC 9110, section 12.5.1.)"""

from __future__ import annotations

from functools import lru_cache

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
EVENTS = "text/event-stream"
HTML = "text/html"

_LONGEST = 1_000


@lru_cache(maxsize=256)
def negotiate(accept: str | None, offered: tuple[str, ...]) -> str | None:
    """The offered type the client likes best; among equals the one it names first, then the one we offer first.

    No header means anything is welcome; None means nothing we have is.
    """
    if accept is None or not accept.strip():
        return offered[0]
    ranges = _ranges(accept[:_LONGEST])
    best: tuple[float, int, int] | None = None
    chosen: str | None = None
    for place, candidate in enumerate(offered):
        weight, named = _weight(candidate, ranges)
        rank = (weight, -named, -place)
        if weight > 0 and (best is None or rank > best):
            best, chosen = rank, candidate
    return chosen


def media_type(content_type: str) -> tuple[str, dict[str, str]]:
    """A Content-Type taken apart: the type in lower case, and its parameters."""
    kind, *rest = content_type.split(";")
    parameters = {}
    for part in rest:
        name, _, value = part.partition("=")
        parameters[name.strip().lower()] = value.strip().strip('"').lower()
    return kind.strip().lower(), parameters


def _ranges(accept: str) -> list[tuple[str, float]]:
    found = []
    for part in accept.split(","):
        kind, parameters = media_type(part)
        try:
            weight = float(parameters.get("q", "1"))
        except ValueError:
            weight = 0.0
        if kind:
            found.append((kind, weight if 0 <= weight <= 1 else 0.0))
    return found


def _weight(candidate: str, ranges: list[tuple[str, float]]) -> tuple[float, int]:
    """How much `candidate` is wanted, and at which place of the header: the most specific range decides."""
    family = candidate.split("/")[0] + "/*"
    for wanted in (candidate, family, "*/*"):
        for place, (kind, weight) in enumerate(ranges):
            if kind == wanted:
                return weight, place
    return 0.0, len(ranges)
