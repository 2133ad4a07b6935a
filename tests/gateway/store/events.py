"""Access events as tests make them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from gateway.caller import AccessEvent, Decision

AT = datetime(2026, 11, 23, 1, 0, 0, 123456, tzinfo=UTC)


def event(subjects: Sequence[str] = ("s1", "s2"), **changes: Any) -> AccessEvent:
    plain = AccessEvent(
        at=AT,
        actor_org="org-1",
        actor_user="user-1",
        purpose="RECEPTION",
        case_no="(2026)粤0604刑初123号",
        reference=None,
        subjects=subjects,
        fields=("identity.name", "identity.sex"),
        decision=Decision.ALLOW,
        rule_ids=("rule-1",),
        legal_basis=("社矫法 5",),
        policy_version="v1",
        result_digest=b"\x00digest\xff",
        result_salt=b"salt",
        states={"FRESH": 2},
    )
    return replace(plain, **changes)
