"""`python -m bench.bare [--evidence] serve`: yimen with the door open, for the figures that need it.

Everybody is one and the same officer, everything asked for is allowed, no client is limited: no token, no proof, no door,
no facts, no rules. Nothing is recorded either: no evidence, no ledger; with `--evidence` both are as ever, which says what
access costs. People are recognised as ever, envelopes are made as ever. Only the bench can put such a gateway together:
there is no setting for it.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.ledgerless import no_ledger
from demo.processes import die_with_parent
from gateway.bootstrap import composition
from gateway.caller import AccessEvent, Admission, Caller, Presented, Receipt
from gateway.errors import NotAdmitted, Unauthenticated
from gateway.policy.decision import Effect, Mask, Question
from gateway.services import run_query
from gateway.services.client_limits import Unlimited

_OFFICER = Caller(
    "officer-bench", "cc-correction-agency", "CORRECTION_AGENCY", frozenset({"CASE_OFFICER"}), "bare",
    datetime.now(UTC) + timedelta(days=1), frozenset({"CC_RECEPTION"}), client_id="bench", grant_id="bare", level=2,
)  # fmt: skip


class AllowAll:
    """Implements `gateway.policy.decision.Policy`."""

    def __init__(self, *_: object) -> None:
        self._masks: dict[Any, Mask] = {}

    async def decide(self, question: Question) -> Mask:
        key = tuple(question.asked.items())
        found = self._masks.get(key)
        if found is None:
            effects = {noun: dict.fromkeys(names, Effect.ALLOW) for noun, names in question.asked.items()}
            found = self._masks[key] = Mask(effects, ("bench-allow-all",), (), "bench", hide_minor=False)
        return found

    async def decide_subjects(self, question: Question, mask: Mask, subjects: Sequence[str]) -> Sequence[Mask]:
        return [mask] * len(subjects)


class Anybody:
    """Implements `gateway.caller.Authenticator`."""

    async def __call__(self, presented: Presented) -> Caller:
        return _OFFICER

    unspent = __call__

    async def settle(self, caller: Caller) -> Caller:
        return caller

    async def turned_away(self, caller: Caller, error: NotAdmitted) -> Unauthenticated:
        raise AssertionError("nobody is turned away here")

    async def still(self, caller: Caller) -> bool:
        return True


class NoEvidence:
    """Implements `gateway.caller.Evidence`: nothing is written down."""

    _RECEIPT = Receipt("bench", datetime(2026, 1, 1, tzinfo=UTC))

    async def admit(self, admission: Admission | None) -> None:
        return None

    async def record(self, event: AccessEvent, *, admission: Admission | None = None) -> Receipt:
        return self._RECEIPT

    async def record_all(self, events: Sequence[AccessEvent], *, admission: Admission | None = None) -> Receipt:
        return self._RECEIPT


@asynccontextmanager
async def _no_evidence(*_: object) -> AsyncIterator[NoEvidence]:
    """Instead of `gateway.bootstrap.limits.flood_evidence`."""
    yield NoEvidence()


def put_together(*, evidence: bool) -> None:
    """Have `yimen serve` of this process be such a gateway."""
    application = composition.application
    instead: list[tuple[Any, str, Any]] = [
        (composition, "CedarPolicy", AllowAll),
        (composition, "client_limits", lambda *_: Unlimited()),
    ]
    if not evidence:
        instead += [
            (composition, "flood_evidence", _no_evidence),
            (composition, "keeping", no_ledger),
            (run_query, "answered", lambda *_: ()),  # no events are made either
        ]
    for where, name, other in instead:
        assert hasattr(where, name), name  # else the real one would be measured under this name
        setattr(where, name, other)

    def opened(gateway: composition.Gateway) -> Any:
        parts = replace(gateway.oauth, authenticate=Anybody())  # type: ignore[arg-type]  # not the real one: that is the point
        return application(replace(gateway, oauth=parts))

    setattr(composition, "application", opened)  # noqa: B010  (mypy: not its own name); whoever serves asks there, late


def main() -> int:
    die_with_parent()
    from gateway.cli import main as yimen

    evidence = sys.argv[1:2] == ["--evidence"]
    put_together(evidence=evidence)
    sys.argv = ["yimen", *sys.argv[1 + evidence :]]
    return int(yimen() or 0)


if __name__ == "__main__":
    raise SystemExit(main())
