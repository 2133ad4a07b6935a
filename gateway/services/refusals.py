"""The record of a refusal outside GraphQL: an authenticated caller wanted what was not theirs to do."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime

from gateway.caller import AccessEvent, Caller, Decision


def refusal_event(
    caller: Caller,
    at: datetime,
    purpose: str,
    rule: str,
    *,
    inner: str = "",
    case_no: str | None = None,
    subjects: Sequence[str] = (),
    fields: Sequence[str] = (),
    basis: Sequence[str] = (),
) -> AccessEvent:
    """`purpose` is a code of ours for what was wanted; there is no answer, and so no digest of one."""
    return AccessEvent(
        at=at,
        actor_org=caller.org_id,
        actor_user=caller.user_id,
        purpose=purpose,
        case_no=case_no,
        reference=None,
        subjects=tuple(subjects),
        fields=tuple(fields),
        decision=Decision.DENY,
        rule_ids=(rule,),
        legal_basis=tuple(basis),
        policy_version="",
        result_digest=b"",
        result_salt=secrets.token_bytes(16),
        client_id=caller.client_id,
        grant_id=caller.grant_id,
        level=caller.level,
        inner_rule_ids=(inner,) if inner else (),
    )
