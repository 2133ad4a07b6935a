"""Whether somebody may offer somebody credentials: the sharing rules in force, decided and recorded like any question."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

import structlog

from credentials.credential_type import CredentialType
from gateway.caller import AccessEvent, Caller, Decision, Evidence
from gateway.clock import Clock
from gateway.errors import RequestRefused
from gateway.policy.decision import EXISTS, Effect, Mask, Purpose, Question
from gateway.policy.public_rules import DEFAULT_DENY, NO_GROUND
from gateway.services.credentials.fetch_facts import Holders
from gateway.services.release import ALARM
from gateway.services.snapshots import Snapshots

OFFER, NOUN = "CREDENTIAL_OFFER", "credential"
"""The purpose, and the noun whose fields are the types: `credential.<type>`."""
_log = structlog.get_logger(__name__)


class MayOffer:
    """For the console, bulk offers and whatever offers without a GraphQL operation around it."""

    def __init__(
        self,
        snapshots: Snapshots,
        types: Mapping[str, CredentialType],
        holders: Holders,
        evidence: Evidence,
        clock: Clock,
    ) -> None:
        self._snapshots, self._types, self._holders = snapshots, types, holders
        self._evidence, self._clock = evidence, clock

    async def __call__(self, caller: Caller, subject_id: str, type_ids: Sequence[str], case_no: str | None) -> None:
        """Returns where every type may be offered, and the permission is on record. Raises RequestRefused, recorded:
        NO_GROUND for no ground, unknown and sealed alike, CREDENTIAL_NOT_OFFERED, PURPOSE_NOT_YOURS, POLICY_UNAVAILABLE."""
        asked = frozenset({EXISTS, *type_ids})
        question = Question(caller, Purpose(OFFER, case_no), {NOUN: asked})
        mask = await self._decided(question, subject_id)
        code = mask.denied
        if code is None:
            code = await self._not_offered(mask, subject_id, caller, type_ids)
        await self._evidence.record(self._event(question, mask, subject_id, code))
        if code is not None:
            raise RequestRefused(code)

    async def _decided(self, question: Question, subject_id: str) -> Mask:
        held = self._snapshots.take()
        try:
            mask = await held.policy.decide(question)
            return (await held.policy.decide_subjects(question, mask, [subject_id]))[0]
        except Exception:
            _log.exception("policy_failed")
            return Mask({}, (DEFAULT_DENY,), (), "", denied="POLICY_UNAVAILABLE")
        finally:
            await self._snapshots.give_back(held)

    async def _not_offered(self, mask: Mask, subject_id: str, caller: Caller, type_ids: Sequence[str]) -> str | None:
        """No rule permits one of the types, or the person's case is not in a state that makes a holder of it."""
        effects = mask.effects.get(NOUN, {})
        states = frozenset(await self._holders.states(subject_id, caller.org_id))
        for one in type_ids:
            ctype = self._types.get(one)
            if ctype is None or effects.get(one) is not Effect.ALLOW or not states & ctype.holders:
                return "CREDENTIAL_NOT_OFFERED"
        return None

    def _event(self, question: Question, mask: Mask, subject_id: str, code: str | None) -> AccessEvent:
        caller, names = question.caller, sorted(question.asked[NOUN] - {EXISTS})
        rules = mask.rule_ids if code is None or mask.denied is not None else (DEFAULT_DENY,)
        return AccessEvent(
            at=self._clock.now(),
            actor_org=caller.org_id,
            actor_user=caller.user_id,
            purpose=OFFER,
            case_no=question.purpose.case_no,
            reference=None,
            subjects=(subject_id,),
            fields=tuple(f"{NOUN}.{name}" for name in names),
            decision=Decision.ALLOW if code is None else Decision.DENY,
            rule_ids=rules,
            legal_basis=mask.legal_basis if code != NO_GROUND.code else (NO_GROUND.basis,),
            policy_version=mask.policy_version,
            result_digest=b"",  # nothing of the person is told
            result_salt=secrets.token_bytes(16),
            client_id=caller.client_id,
            grant_id=caller.grant_id,
            level=caller.level,
            inner_rule_ids=(*mask.inner_rule_ids, *(ALARM + alarm for alarm in mask.alarms)),
            visible_from=mask.visible_from,
            inputs=mask.inputs,
        )
