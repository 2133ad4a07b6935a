"""The port `Sink`: what we write to a department (a report, a receipt, a transfer). Nothing implements it yet.

It has its place now so that no `Source` ever grows a way to write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from adapters.source import Value


@dataclass(frozen=True, slots=True)
class Write:
    """One statement to one department. `idempotency_key` names the act, not the attempt: a retry repeats it."""

    noun: str
    idempotency_key: str
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class WriteReceipt:
    """The department has it. `repeated` says that it had it before this attempt."""

    department_ref: str  # the department's own number for the record; "" where it gives none
    received_at: datetime
    repeated: bool = False


class Sink(Protocol):
    """A department system that takes writes, each at most once."""

    async def write(self, write: Write, *, timeout_s: float) -> WriteReceipt:
        """The department's receipt for exactly this act.

        The same key with the same values again returns the first receipt and changes nothing; the same key with
        other values is an error of the caller (ValueError). Raises SourceUnavailable when it is not known whether
        the department took it: the caller repeats with the same key, and never with a new one.
        """
        ...

    async def close(self) -> None:
        """Release connections; the sink is not used afterwards."""
        ...
