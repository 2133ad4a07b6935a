"""The one error base of this floor. No message here may carry personal data, a token or a key."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import PurePath


class Reason(StrEnum):
    """Why a source gave no answer. Every one of them means "not known", never "no record"."""

    TIMEOUT = "TIMEOUT"  # it did not answer within the time it was given
    RATE_LIMITED = "RATE_LIMITED"  # its limit (429) or ours for it is used up
    CLOSED = "CLOSED"  # outside its service hours
    DOWN = "DOWN"  # connection refused or lost, 5xx, file or database out of reach
    BREAKER_OPEN = "BREAKER_OPEN"  # it failed repeatedly; we do not ask until retry_at
    REFUSED = "REFUSED"  # it does not accept our credentials or signature
    GARBAGE = "GARBAGE"  # it answered something that is not the agreed format
    INCOMPLETE = "INCOMPLETE"  # pages or lines are missing; what is there is not the whole truth
    TOO_LARGE = "TOO_LARGE"  # the answer passed the size cap
    CLOCK_SKEW = "CLOCK_SKEW"  # it rejects our timestamp: one of the two clocks is wrong
    KEY_MISSING = "KEY_MISSING"  # it needs a key part (say, the name) that the question lacks
    BLOCKED = "BLOCKED"  # the egress rules forbid the address it points to


class AdapterError(Exception):
    """Base of every error this floor raises."""


class SourceUnavailable(AdapterError):
    """The source gave no usable answer; whether the record exists is not known."""

    def __init__(self, source: str, reason: Reason, detail: str = "", *, retry_at: datetime | None = None) -> None:
        super().__init__(f"source {source} unavailable: {reason}" + (f" ({detail})" if detail else ""))
        self.source = source
        self.reason = reason
        self.detail = detail
        self.retry_at = retry_at


class ManifestInvalid(AdapterError):
    """A manifest set cannot be used; `faults` lists every reason at once."""

    def __init__(self, faults: tuple[object, ...]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


class RuleInvalid(AdapterError):
    """An egress rule cannot be used: a host that is no `host:port`, or a certificate file that does not load."""


def whereabouts(error: BaseException) -> str:
    """The kind of error and its place in the code; its message may hold what a department sent."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    place = "" if at is None else f" at {PurePath(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}"
    return type(error).__name__ + place
