"""A wallet's answer: opened, checked in full, held against the query, and kept for whoever asked. The first one counts."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog

from credentials.credential_type import CredentialType, Text
from credentials.errors import RequestInvalid
from credentials.jose import base64url, json_object, thumbprint, unbase64url
from credentials.openid4vp.dcql import Query, Shown, read_query, satisfies
from credentials.openid4vp.response import Answered, Declined, read_response
from gateway.clock import Clock
from gateway.errors import GatewayError, RequestRefused
from gateway.services.presenting.ports import (
    Believed,
    CheckFailed,
    CheckPresentation,
    ConsentByShowing,
    Errands,
    Outcome,
    OwnCredentials,
    Presentation,
    Presentations,
    Secrets,
    Step,
    ToCheck,
)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Taken:
    """For the wallet. `redirect_uri`: where the browser goes on to, for the same device only."""

    redirect_uri: str | None = field(default=None, repr=False)


class TakeAnswer:
    """`type_of`: vct -> our type, for what things are called and for counting the papers nobody had to fetch.
    `own`: what we know of credentials of ours; `own_name`: who issues them, in words (a certificate of our own making names
    a host only)."""

    def __init__(
        self,
        presentations: Presentations,
        check: CheckPresentation,
        clock: Clock,
        *,
        type_of: Callable[[str], CredentialType | None],
        own: OwnCredentials | None = None,
        own_name: str = "",
        errands: Errands | None = None,
        consent: ConsentByShowing | None = None,
    ) -> None:
        self._presentations, self._check, self._clock = presentations, check, clock
        self._type_of, self._errands, self._consent, self._own = type_of, errands, consent, own
        self._own_name = own_name

    async def __call__(self, response_ref: str, form: Mapping[str, str]) -> Taken:
        """Raises RequestRefused NOT_FOUND where nothing is waited for (any more), RequestInvalid where what came is no
        answer to this request: then it goes on waiting. Whatever is an answer, also a bad one, ends it."""
        found = await self._presentations.by_response(response_ref)
        if found is None or found.secrets is None:
            raise RequestRefused("NOT_FOUND")
        kept = found.secrets
        answer = read_response(form, state=found.state, private=kept.encryption, encrypted=kept.encrypted)
        outcome, types = await self._judge(found, kept, answer)
        code = secrets.token_urlsafe(32) if found.same_device else None
        ended = Outcome(outcome.step, outcome.reason, outcome.result, code, outcome.consent_id)
        if not await self._presentations.end(found.presentation_id, ended):
            raise RequestRefused("NOT_FOUND")
        if types and self._errands is not None:
            try:
                await self._errands.count(found.presentation_id, types, found.org_id)
            except GatewayError as error:  # a figure; what was shown was shown
                _log.warning("errand_not_counted", reason=type(error).__name__)
        return Taken(None if code is None else _onwards(str(found.return_to), code))

    async def _judge(
        self, found: Presentation, kept: Secrets, answer: Answered | Declined
    ) -> tuple[Outcome, Sequence[str]]:
        if isinstance(answer, Declined):
            return Outcome(Step.REFUSED, answer.error), ()
        query = read_query(dict(found.dcql))
        try:
            believed = await self._believed(query, found, kept, answer)
            shown = {id: [_shown(one) for one in listed] for id, listed in believed.items()}
            claims = satisfies(query, shown)
            if kept.transaction_data is not None:
                _signed_for(kept.transaction_data, believed)
        except CheckFailed as failed:
            return Outcome(Step.FAILED, failed.why), ()
        except RequestInvalid as invalid:
            return Outcome(Step.FAILED, f"query_{invalid.why}"), ()
        everything = [one for listed in believed.values() for one in listed]
        ours = [(one.place, _holder(one)) for one in everything if one.issued_here and one.place is not None]
        fault = None if self._own is None else await self._own.fault(ours)
        if fault is not None:
            return Outcome(Step.FAILED, fault), ()
        consent_id = None
        if kept.consent_request is not None:
            consent_id = await self._give(found, kept, everything)
            if consent_id is None:
                return Outcome(Step.FAILED, "consent"), ()
        listed = [
            await self._told(id, one, said)
            for id in believed
            for one, said in zip(believed[id], claims[id], strict=True)
        ]
        result: dict[str, Any] = {"credentials": listed}
        if consent_id is not None:
            result["consent_id"] = consent_id
        types = dict.fromkeys(
            kind.id for one in everything if one.issued_here and (kind := self._type(one)) is not None
        )
        return Outcome(Step.ANSWERED, None, result, None, consent_id), tuple(types)

    async def _believed(
        self, query: Query, found: Presentation, kept: Secrets, answer: Answered
    ) -> dict[str, list[Believed]]:
        checked: dict[str, list[Believed]] = {}
        for id, texts in answer.presentations.items():
            asked = query.find(id)
            if asked is None:
                raise RequestInvalid("unknown_id")
            if len(texts) > 1 and not asked.multiple:
                raise RequestInvalid("multiple")
            against = ToCheck(asked.format, kept.prefix, found.nonce, asked.bound)
            checked[id] = [await self._check(text, against) for text in texts]
        return checked

    async def _give(self, found: Presentation, kept: Secrets, shown: Sequence[Believed]) -> str | None:
        """None: not this person's to give, or not any more. Every credential must be one of ours."""
        places = [one.place for one in shown if one.issued_here and one.place is not None]
        if self._consent is None or len(places) != len(shown) or kept.transaction_data is None:
            return None
        try:
            terms = json_object(unbase64url(kept.transaction_data))
            return await self._consent.give(found.client_id, str(kept.consent_request), terms, places)
        except RequestRefused:
            return None

    def _type(self, one: Believed) -> CredentialType | None:
        return next((found for vct in sorted(one.types) if (found := self._type_of(vct)) is not None), None)

    async def _told(self, id: str, one: Believed, claims: Mapping[str, Any]) -> dict[str, Any]:
        """Exactly the claims that were asked for, how fresh, and by whom."""
        said, kind, as_of = one.claims, self._type(one), None
        if one.issued_here and one.place is not None and self._own is not None:
            as_of = await self._own.facts_as_of(one.place)
        labels = {} if kind is None else {claim.name: claim.label for claim in kind.claims}
        return {
            "id": id,
            "type": said.get("vct"),
            "name": None if kind is None else _both(kind.name),
            "claims": [
                {"name": name, "label": _both(labels.get(name.partition(".")[0])), "value": value}
                for name, value in claims.items()
            ],
            "issuer": (self._own_name if one.issued_here else "") or one.issuer,
            "issuer_id": said.get("iss") if isinstance(said.get("iss"), str) else None,
            "issued_here": one.issued_here,
            "facts_as_of": None if as_of is None else _text(as_of),
            "issued_at": _when(said.get("iat")),
            "valid_until": _when(said.get("exp")),
            "status": "NONE" if one.status_at is None else "VALID",
            "status_at": None if one.status_at is None else _text(one.status_at),
            "checked_at": _text(self._clock.now()),
        }


def _both(text: Text | None) -> dict[str, str] | None:
    return None if text is None else {"zh": text.zh, "en": text.en}


def _shown(one: Believed) -> Shown:
    return Shown(one.format, one.types, one.claims, one.binding is not None, one.authorities)


def _holder(one: Believed) -> str:
    """Of a key that was read already, where there is one."""
    cnf = one.claims.get("cnf")
    return thumbprint(cnf["jwk"]) if isinstance(cnf, dict) else ""


def _signed_for(transaction_data: str, believed: Mapping[str, Sequence[Believed]]) -> None:
    """Each named credential's holder signed the hash of what they were shown (OpenID4VP 1.0, B.3.3.1)."""
    expected = base64url(hashlib.sha256(transaction_data.encode()).digest())
    named = json_object(unbase64url(transaction_data))["credential_ids"]
    bindings = [one.binding or {} for id in named for one in believed.get(id, ())]
    if not bindings:
        raise CheckFailed("transaction_data")
    for said in bindings:
        if said.get("transaction_data_hashes") != [expected]:
            raise CheckFailed("transaction_data")
        if said.get("transaction_data_hashes_alg", "sha-256") != "sha-256":
            raise CheckFailed("transaction_data")


def _onwards(return_to: str, code: str) -> str:
    """In the fragment, so that no server on the way is told it, nor any log."""
    return f"{return_to}#response_code={code}"


def _when(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return _text(datetime.fromtimestamp(value, UTC))


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
