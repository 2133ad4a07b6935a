"""What decisions ask of consents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway.caller import Caller


@dataclass(frozen=True, slots=True)
class ConsentInForce:
    """A consent that holds for this grantee, purpose and person now. `items` are leaf fields, "noun.field"."""

    consent_id: str
    items: frozenset[str]
    until: datetime


class LiveConsents(Protocol):
    async def use(self, caller: Caller, purpose: str, subjects: Sequence[str]) -> Sequence[ConsentInForce | None]:
        """For a partner's question: the consent in force for each subject, read now (a withdrawal counts at once), with
        one use of it spent in one atomic statement; None where there is none, it ended, or today's uses are gone.

        Only consents named in the token's `details` count. `purpose` is the code that was claimed.
        """
        ...
