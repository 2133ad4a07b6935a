"""What an answer looks like as bytes, and the event that must be durable before those bytes leave."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from gateway.caller import AccessEvent, Decision
from gateway.federation.context import OperationContext
from gateway.policy.decision import Mask, Question


def encode(data: Mapping[str, Any] | None, errors: Sequence[Mapping[str, Any]]) -> bytes:
    """The bytes that the digest in evidence is of: `data` and `errors`, keys in the order of the answer."""
    return orjson.dumps({"data": data, "errors": errors} if errors else {"data": data})


def extend(body: bytes, extensions: Mapping[str, Any]) -> bytes:
    """The encoded answer with `extensions` added at its end."""
    return body[:-1] + b',"extensions":' + orjson.dumps(extensions) + b"}"


def event_of(
    question: Question, mask: Mask, context: OperationContext | None, body: bytes, decision: Decision, now: datetime
) -> AccessEvent:
    """Who asked what about whom, on what ground, and a salted digest of what they were told."""
    salt = secrets.token_bytes(16)
    fields: Sequence[str]
    if decision is Decision.ALLOW:
        fields = mask.granted_facts
    else:
        fields = [f"{noun}.{name}" for noun in sorted(question.asked) for name in sorted(question.asked[noun])]
    return AccessEvent(
        at=now,
        actor_org=question.caller.org_id,
        actor_user=question.caller.user_id,
        purpose=question.purpose.code,
        case_no=question.purpose.case_no,
        reference=question.purpose.reference,
        subjects=context.subject_ids if context is not None else (),
        fields=fields,
        decision=decision,
        rule_ids=mask.rule_ids,
        legal_basis=mask.legal_basis,
        policy_version=mask.policy_version,
        result_digest=hmac.digest(salt, body, "sha256"),
        result_salt=salt,
        states=dict(context.states) if context is not None else {},
    )
