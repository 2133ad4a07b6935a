"""Asks Cedar. The one place that does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import cedarpy

from gateway.policy.partition import Lot, Verdict


def judge(
    policies: cedarpy.PolicySet,
    lot: Lot,
    kind: str,
    purpose: str,
    contexts: Sequence[Mapping[str, Any]],
    entities: cedarpy.Entities,
) -> list[Verdict]:
    """A verdict for each context, in order. An error in any policy is a refusal: a forbid that failed must not be lost."""
    principal = {"type": "OrganisationKind", "id": kind}
    action = {"type": "Action", "id": purpose}
    resource = {"type": "Item", "id": lot.item}
    requests = [
        {"principal": principal, "action": action, "resource": resource, "context": json.dumps(context)}
        for context in contexts
    ]
    return [_verdict(lot, result) for result in cedarpy.is_authorized_batch(requests, policies, entities)]


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
