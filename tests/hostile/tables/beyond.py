"""Questions to /graphql that go beyond what the token was granted for: purpose, case, field, reference, consent."""

from __future__ import annotations

import json
from typing import Any

from gateway.oauth.terms import RAR_TYPE
from tests.hostile.attacker import Attacker, Token, loan, question
from tests.hostile.hostile import Hostile
from tests.hostile.odd_jws import claims_of
from tests.hostile.wire import Request

CASE_1 = json.dumps([{"type": RAR_TYPE, "purpose": {"code": "CC_RECEPTION", "reference": "(2026)粤0604刑初1号"}}])


async def bank(a: Attacker, query: str) -> Request:
    return a.ask(await a.bank(), query)


def partner(query: str) -> Any:
    return lambda a: bank(a, query)


def narrowed(query: str) -> Any:
    """An officer's token for one case."""

    async def build(a: Attacker) -> Request:
        return a.ask(await a.officer(authorization_details=CASE_1), query)

    return build


def officer(query: str) -> Any:
    async def build(a: Attacker) -> Request:
        return a.ask(await a.officer(), query)

    return build


async def partner_without_consent(a: Attacker) -> Request:
    """As if our server had once issued it: signed by our own key, without a consent."""
    token = await a.bank()
    key = await a.house.gateway.oauth.signing_keys.current()
    told = claims_of(token.access)
    told["authorization_details"] = [
        {k: v for k, v in one.items() if k != "subjects"} for one in told["authorization_details"]
    ]
    return a.ask(Token(key.sign({"kid": key.kid, "typ": "at+jwt"}, told), token.key), loan())


async def partner_wildcard(a: Attacker) -> Request:
    token = await a.bank()
    key = await a.house.gateway.oauth.signing_keys.current()
    told = claims_of(token.access)
    told["authorization_details"] = [
        one | {"datatypes": ["*", "conductStatement.*"]} for one in told["authorization_details"]
    ]
    return a.ask(Token(key.sign({"kid": key.kid, "typ": "at+jwt"}, told), token.key), loan())


REQUESTS = [
    Hostile("ask-purpose-unregistered", "A purpose beyond the client's registration.", officer(question("CC_TRANSFER")), 200, "PURPOSE_NOT_YOURS"),
    Hostile("ask-purpose-unknown", "A purpose in no register, at /graphql.", officer(question("ANYTHING")), 200, "PURPOSE_UNKNOWN"),
    Hostile("ask-purpose-outside-rar", "A purpose of the officer's, but not of this token.", narrowed(question("CC_PLAN")), 200, "PURPOSE_NOT_YOURS"),
    Hostile("ask-case-outside-rar", "A case of the officer's, but not of this token.", narrowed(question("CC_RECEPTION")), 200, "PURPOSE_NOT_YOURS"),
    Hostile("ask-no-purpose", "No purpose at all.",
            officer('query($idNo: String!, $name: String!) { person(idNo: $idNo, name: $name) { identity { state } } }'), 200, "PURPOSE_MISSING"),
    Hostile("partner-field-beyond", "A bank asks a field more than was agreed.", partner(loan("trainingDone")), 200, "WITHHELD"),
    Hostile("partner-noun-beyond", "A bank asks who the person is.", partner(question("LOAN_SERVICE", caseNo="", reference="loan-1")), 200, "WITHHELD"),
    Hostile("partner-purpose-beyond", "A bank asks for a purpose of the officers'.", partner(loan(purpose="CC_RECEPTION")), 200, "PURPOSE_NOT_YOURS"),
    Hostile("partner-reference-other", "A bank asks under another reference than it said.",
            partner(loan().replace("loan-1", "loan-2")), 200, "PURPOSE_NOT_YOURS"),
    Hostile("partner-without-consent", "A bank's token that names no consent.", partner_without_consent, 200, "WITHHELD"),
    Hostile("partner-wildcard", "A bank's token with wildcards for fields.", partner_wildcard, 200, "WITHHELD"),
]  # fmt: skip
