"""What an answer looks like as bytes, and the events that must be durable before those bytes leave."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from adapters.onward import UpstreamReceipt
from gateway.caller import AccessEvent, Decision, Receipt
from gateway.federation.context import OperationContext
from gateway.policy.decision import Mask, Question
from gateway.policy.public_rules import NO_GROUND
from ledger.encoding import b64

ALARM = "alarm:"
"""Before an alert's type among `inner_rule_ids`: whoever reads evidence raises it, later and elsewhere."""

_NOTHING_SAID = frozenset({"WITHHELD", "NOT_FOUND"})


def encode(data: Mapping[str, Any] | None, errors: Sequence[Mapping[str, Any]]) -> bytes:
    """The bytes that the digest in evidence is of: `data` and `errors`, keys in the order of the answer."""
    return orjson.dumps({"data": data, "errors": errors} if errors else {"data": data})


def extend(body: bytes, extensions: Mapping[str, Any]) -> bytes:
    """The encoded answer with `extensions` added at its end."""
    return body[:-1] + b',"extensions":' + orjson.dumps(extensions) + b"}"


def receipt_of(receipt: Receipt) -> Mapping[str, Any]:
    """What the asker takes along: the entry's leaf hash is fixed by now, its proof grows at the address named."""
    return {
        "id": receipt.id, "recordedAt": receipt.recorded_at, "leafHash": b64(receipt.leaf_hash), "level": "DURABLE",
        "proof": f"/ledger/receipts/{receipt.id}",
    }  # fmt: skip


def answered(
    question: Question, mask: Mask, context: OperationContext, body: bytes, now: datetime
) -> Sequence[AccessEvent]:
    """Who was told what about whom, on what ground: one event for all who were seen by the same mask, then one for each
    who was refused. The receipt is the first one's.

    A refused person, an unknown one and a sealed one make the same events, but for what stands in `inner_rule_ids`.
    """
    states = context.states
    make = _Events(question, body, now, states, context.abroad.receipts)
    refused: list[tuple[Mask, list[str]]] = [(_as_refused(one), [subject]) for subject, one in context.met.refused]
    if not refused and context.met.in_vain:  # a case number nobody has is refused like one that is not for this reader
        refused = [(_as_refused(mask), [])]
    allowed: dict[Mask, list[str]] = {}
    for subject, one in context.met.shown:
        allowed.setdefault(one, []).append(subject)
    if not allowed and not (refused and _NOTHING_SAID.issuperset(states)):
        allowed[mask] = []
    return [
        *[make.allowance(one, subjects) for one, subjects in allowed.items()],
        *[make.refusal(one, subjects) for one, subjects in refused],
    ]


def refused_whole(question: Question, mask: Mask, body: bytes, now: datetime) -> AccessEvent:
    """The whole operation was refused; nobody was looked up."""
    return _Events(question, body, now).refusal(mask, [])


def grounds(mask: Mask, context: OperationContext) -> tuple[Sequence[str], Sequence[str]]:
    """The public rules and their basis behind an answer: those of everybody it shows or refuses, and the operation's own
    where that decided.

    Of people who were left out unnoticed nothing is said, nor that there were any.
    """
    masks = dict.fromkeys(one for _, one in context.met.named)
    if context.met.openly or not masks:
        masks = dict.fromkeys([mask, *masks])
    rules = dict.fromkeys(rule for one in masks for rule in one.rule_ids)
    return tuple(rules), tuple(dict.fromkeys(basis for one in masks for basis in one.legal_basis))


def _as_refused(mask: Mask) -> Mask:
    """A case that is sealed for this reader, though its person is not: the same refusal, and the reason inside."""
    if mask.denied is not None:
        return mask
    return replace(
        mask, denied=NO_GROUND.code, rule_ids=(NO_GROUND.id,), legal_basis=(NO_GROUND.basis,), alarms=(),
        inner_rule_ids=("case-hidden",), consent_id=None,
    )  # fmt: skip


class _Events:
    """The events of one answer; each has a salted digest of its own of the same bytes, and the first one the counts."""

    def __init__(
        self,
        question: Question,
        body: bytes,
        now: datetime,
        states: Mapping[str, int] | None = None,
        upstream: Sequence[UpstreamReceipt] = (),
    ) -> None:
        self._question, self._body, self._now = question, body, now
        self._states: Mapping[str, int] = states or {}
        self._upstream = upstream

    def allowance(self, mask: Mask, subjects: Sequence[str]) -> AccessEvent:
        return self._event(mask, subjects, Decision.ALLOW, mask.granted_facts)

    def refusal(self, mask: Mask, subjects: Sequence[str]) -> AccessEvent:
        asked = self._question.asked
        fields = [f"{noun}.{name}" for noun in sorted(asked) for name in sorted(asked[noun])]
        return self._event(mask, subjects, Decision.DENY, fields)

    def _event(self, mask: Mask, subjects: Sequence[str], decision: Decision, fields: Sequence[str]) -> AccessEvent:
        salt = secrets.token_bytes(16)
        caller, purpose = self._question.caller, self._question.purpose
        states, self._states = self._states, {}
        upstream, self._upstream = self._upstream, ()
        return AccessEvent(
            at=self._now,
            actor_org=caller.org_id,
            actor_user=caller.user_id,
            purpose=purpose.code,
            case_no=purpose.case_no,
            reference=purpose.reference,
            subjects=subjects,
            fields=fields,
            decision=decision,
            rule_ids=mask.rule_ids,
            legal_basis=mask.legal_basis,
            policy_version=mask.policy_version,
            result_digest=hmac.digest(salt, self._body, "sha256"),
            result_salt=salt,
            client_id=caller.client_id,
            grant_id=caller.grant_id,
            consent_id=mask.consent_id,
            level=caller.level,
            inner_rule_ids=(*mask.inner_rule_ids, *(ALARM + alarm for alarm in mask.alarms)),
            visible_from=mask.visible_from,
            inputs=mask.inputs,
            states=states,
            upstream=upstream,
        )
