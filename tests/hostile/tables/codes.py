"""Codes and refresh tokens: shown twice, by others, for more, with another verifier, too late."""

from __future__ import annotations

import json
from typing import Any

from gateway.oauth.jose import PrivateKey
from gateway.oauth.pkce import challenge_of
from gateway.oauth.terms import RAR_TYPE
from tests.hostile.attacker import OTHER_REDIRECT, REDIRECT, VERIFIER, Attacker
from tests.hostile.hostile import Hostile
from tests.hostile.wire import Request

GRANT = (400, "invalid_grant")
NO = (400, "invalid_request")
SCOPE = (400, "invalid_scope")
RAR = (400, "invalid_authorization_details")
DAY = 13 * 3600
PLAN = json.dumps([{"type": RAR_TYPE, "purpose": {"code": "CC_PLAN"}}])
RECEPTION = json.dumps([{"type": RAR_TYPE, "purpose": {"code": "CC_RECEPTION", "reference": "case-1"}}])


def redeeming(client: str = "desk", pushed: dict[str, Any] | None = None, **more: Any) -> Any:
    """A fresh code of the desk's, redeemed with these changes."""

    async def build(a: Attacker) -> Request:
        return a.redeem(await a.code(**(pushed or {})), client, **({"redirect_uri": REDIRECT} | more))

    return build


async def used(a: Attacker) -> Request:
    code = await a.code()
    await a.good(a.redeem(code))
    return a.redeem(code)


async def spent_by_a_thief(a: Attacker) -> Request:
    """A thief's try with another verifier has spent it; the honest client comes too late, and learns of it."""
    code = await a.code()
    await a.send(a.redeem(code, code_verifier="w" * 43))
    return a.redeem(code)


async def spent_by_another(a: Attacker) -> Request:
    code = await a.code()
    await a.send(a.redeem(code, "other-desk", redirect_uri=REDIRECT))
    return a.redeem(code)


async def bound_key(a: Attacker) -> Request:
    """The code was pushed with a proof of one key and is redeemed with another."""
    code = await a.code(proof=a.proof("/oauth/par"))
    return a.redeem(code, proof=a.proof("/oauth/token", PrivateKey.generate()))


async def bound_jkt(a: Attacker) -> Request:
    code = await a.code(dpop_jkt=a.dpop.public.thumbprint)
    return a.redeem(code, proof=a.proof("/oauth/token", PrivateKey.generate()))


async def revoked_by_replay(a: Attacker) -> Request:
    """What the first redemption gave is dead after the second."""
    code = await a.code()
    said = await a.good(a.redeem(code))
    await a.send(a.redeem(code))
    return a.renew(said["refresh_token"])


def renewing(client: str = "desk", pushed: dict[str, Any] | None = None, **more: Any) -> Any:
    async def build(a: Attacker) -> Request:
        return a.renew((await a.officer(client, **(pushed or {}))).refresh, client, **more)

    return build


async def rotated_away(a: Attacker) -> Request:
    token = await a.officer("other-desk")
    await a.good(a.renew(token.refresh, "other-desk"))
    return a.renew(token.refresh, "other-desk")


async def heir_of_rotated(a: Attacker) -> Request:
    """The thief and the client have one each; when the old one comes back, the new one is dead as well."""
    token = await a.officer("other-desk")
    heir = (await a.good(a.renew(token.refresh, "other-desk")))["refresh_token"]
    await a.send(a.renew(token.refresh, "other-desk"))
    return a.renew(heir, "other-desk")


async def of_another(a: Attacker) -> Request:
    return a.renew((await a.officer()).refresh, "other-desk")


async def revoked(a: Attacker) -> Request:
    token = await a.officer()
    await a.good(a.revoke(token.refresh))
    return a.renew(token.refresh)


async def access_as_refresh(a: Attacker) -> Request:
    return a.renew((await a.officer()).access)


async def refresh_as_code(a: Attacker) -> Request:
    return a.redeem((await a.officer()).refresh)


async def code_as_refresh(a: Attacker) -> Request:
    return a.renew(await a.code())


async def by_system(a: Attacker) -> Request:
    return a.renew((await a.officer()).refresh, "system")


async def too_late(a: Attacker) -> Request:
    """Everything else of the request is of a minute later, too."""
    code = await a.code()
    with a.later(61):
        return a.redeem(code)


async def tomorrow(a: Attacker) -> Request:
    """Everything else of the request is of tomorrow, too."""
    token = await a.officer()
    with a.later(DAY):
        return a.renew(token.refresh)


async def user_revoked(a: Attacker) -> Request:
    token = await a.officer()
    said = await a.good(a.introspect(token.access))
    await a.store.revocations.revoke_grant(said["grant_id"])
    return a.renew(token.refresh)


REQUESTS = [
    Hostile("code-used", "A code is redeemed once more.", used, *GRANT),
    Hostile("code-forged", "A code nobody issued.", lambda a: a.redeem("C" * 43), *GRANT),
    Hostile("code-sql", "A code that is a piece of SQL.", lambda a: a.redeem("' OR '1'='1"), *GRANT),
    Hostile("code-nul", "A code with a NUL in it.", lambda a: a.redeem("abc\0def"), *GRANT),
    Hostile("code-long", "A code of fifty thousand characters.", lambda a: a.redeem("c" * 50_000), *GRANT),
    Hostile("code-missing", "No code.", lambda a: a.redeem("x").fields(code=None), *NO),
    Hostile("code-of-another", "Another client's code, with everything else right.", redeeming("other-desk"), *GRANT),
    Hostile("code-expired", "A code after its minute.", too_late, *GRANT, ahead=61),
    Hostile("code-redirect-other", "A code for one redirect_uri, redeemed with another.", redeeming(redirect_uri=OTHER_REDIRECT), *GRANT),
    Hostile("code-redirect-suffix", "A code redeemed with its redirect_uri and a slash.", redeeming(redirect_uri=f"{REDIRECT}/"), *GRANT),
    Hostile("code-redirect-missing", "A code redeemed without its redirect_uri.", redeeming(redirect_uri=None), *GRANT),
    Hostile("code-verifier-wrong", "Another verifier.", redeeming(code_verifier="w" * 43), *GRANT),
    Hostile("code-verifier-missing", "No verifier.", redeeming(code_verifier=None), *GRANT),
    Hostile("code-verifier-challenge", "The challenge, which is no secret, as the verifier.",
            redeeming(code_verifier=challenge_of(VERIFIER)), *GRANT),
    Hostile("code-verifier-short", "A verifier of 42 characters.", redeeming(code_verifier=VERIFIER[:42]), *GRANT),
    Hostile("code-verifier-long", "A verifier of ten thousand characters.", redeeming(code_verifier="v" * 10_000), *GRANT),
    Hostile("code-verifier-charset", "A verifier of Chinese characters.", redeeming(code_verifier="一" * 43), *GRANT),
    Hostile("code-verifier-downgrade", "A verifier, and a method said anew.",
            redeeming(code_verifier=VERIFIER[:43] + "x", code_challenge_method="plain"), *GRANT),
    Hostile("code-spent-by-thief", "A code that a wrong verifier has spent.", spent_by_a_thief, *GRANT),
    Hostile("code-spent-by-another", "A code that another client has tried.", spent_by_another, *GRANT),
    Hostile("code-key-of-proof", "A code bound to the key at PAR, with another key.", bound_key, *GRANT),
    Hostile("code-key-of-jkt", "A code bound by dpop_jkt, with another key.", bound_jkt, *GRANT),
    Hostile("code-target-other", "A code for one resource, a token for another.", redeeming(resource="https://other.example/"), 400, "invalid_target"),
    Hostile("code-refresh-after-replay", "The refresh token of a code that was shown twice.", revoked_by_replay, *GRANT),
    Hostile("code-is-refresh-token", "A refresh token in the place of a code.", refresh_as_code, *GRANT),
    Hostile("code-by-system", "An officer's code in the hands of a client without officers.", redeeming("system"), 400, "unauthorized_client"),
    # Refresh tokens.
    Hostile("refresh-rotated", "A refresh token that was rotated away.", rotated_away, *GRANT),
    Hostile("refresh-heir", "The successor of a refresh token that came back.", heir_of_rotated, *GRANT),
    Hostile("refresh-of-another", "Another client's refresh token.", of_another, *GRANT),
    Hostile("refresh-by-system", "A refresh token in the hands of a client that gets none.", by_system, 400, "unauthorized_client"),
    Hostile("refresh-forged", "A refresh token nobody issued.", lambda a: a.renew("R" * 43), *GRANT),
    Hostile("refresh-missing", "No refresh token.", lambda a: a.renew("x").fields(refresh_token=None), *NO),
    Hostile("refresh-revoked", "A refresh token its client has revoked.", revoked, *GRANT),
    Hostile("refresh-grant-revoked", "A refresh token of a grant that was ended.", user_revoked, *GRANT),
    Hostile("refresh-expired", "A refresh token on the next day.", tomorrow, *GRANT, ahead=DAY),
    Hostile("refresh-scope-wide", "More scope than was granted.", renewing(scope="graphql consent:request"), *SCOPE),
    Hostile("refresh-scope-twice", "The same scope twice, at a refresh.", renewing(scope="graphql graphql"), *SCOPE),
    Hostile("refresh-purpose-other", "Another purpose than the one that was granted.",
            renewing(pushed={"authorization_details": RECEPTION}, authorization_details=PLAN), *RAR),
    Hostile("refresh-case-other", "Another case than the one that was granted.",
            renewing(pushed={"authorization_details": RECEPTION}, authorization_details=RECEPTION.replace("case-1", "case-2")), *RAR),
    Hostile("refresh-purpose-beyond", "A purpose the officer never had.",
            renewing(authorization_details=PLAN.replace("CC_PLAN", "CC_TRANSFER")), *RAR),
    Hostile("refresh-consent", "A consent, slipped in at a refresh.",
            lambda a: renewing(authorization_details=PLAN.replace('"CC_PLAN"}', '"CC_PLAN"}, "subjects": {"consent_id": "' + a.consent_id + '"}'))(a), *RAR),
    Hostile("refresh-rar-broken", "Broken JSON at a refresh.", renewing(authorization_details="[{"), *RAR),
    Hostile("refresh-target-other", "Another resource at a refresh.", renewing(resource="https://other.example/"), 400, "invalid_target"),
    Hostile("refresh-is-access-token", "An access token in the place of a refresh token.", access_as_refresh, *GRANT),
    Hostile("refresh-is-code", "A code in the place of a refresh token.", code_as_refresh, *GRANT),
]  # fmt: skip
