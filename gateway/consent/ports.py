"""What decisions ask of consents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gateway.caller import Caller
from gateway.policy.decision import Purpose
from gateway.policy.facts import ConsentInForce


class LiveConsents(Protocol):
    async def use(self, caller: Caller, purpose: Purpose, subjects: Sequence[str]) -> Sequence[ConsentInForce | None]:
        """For a partner's question: the consent in force for each subject, read now (a withdrawal counts at once), with
        one use of it spent in one atomic statement; None where there is none, it ended, or today's uses are gone.

        Only consents named in the token's `details` count.
        """
        ...
