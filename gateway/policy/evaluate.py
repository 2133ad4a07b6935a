"""Asks Cedar. The one place that does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cedarpy
import orjson

from gateway.policy.partition import Lot, Verdict


def judge(
    policies: cedarpy.PolicySet,
    lot: Lot,
    kind: str,
    purpose: str,
    contexts: Sequence[Mapping[str, Any]],
) -> list[Verdict]:
    """A verdict for each context, in order. An error in any policy is a refusal: a forbid that failed must not be lost."""
    principal = {"type": "OrganisationKind", "id": kind}
    action = {"type": "Action", "id": purpose}
    resource = {"type": "Item", "id": lot.item}
    requests = [
        {"principal": principal, "action": action, "resource": resource, "context": orjson.dumps(context).decode()}
        for context in contexts
    ]
    return [_verdict(lot, result) for result in cedarpy.is_authorized_batch(requests, policies, lot.entities)]


def _verdict(lot: Lot, result: cedarpy.AuthzResult) -> Verdict:
    diagnostics = result.diagnostics
    if diagnostics.errors or result.decision is cedarpy.Decision.NoDecision:
        return Verdict(False, failed=True)
    reasons = tuple(sorted(diagnostics.reasons))
    if not result.allowed:
        return Verdict(False, forbids=reasons)
    if not reasons:  # Cedar allows for a reason or not at all
        return Verdict(False, failed=True)
    return Verdict(True, all(lot.rules[rule].masks for rule in reasons), reasons)
