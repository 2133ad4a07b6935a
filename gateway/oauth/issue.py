"""What a token will say: what was granted, less what no longer holds, narrowed to what is asked."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from gateway.caller import CallerKind
from gateway.oauth.client import Client
from gateway.oauth.errors import OAuthError
from gateway.oauth.ports import Grant, Login
from gateway.oauth.rar import Asked, narrowed, parse, read_granted
from gateway.oauth.terms import Terms
from gateway.policy.purposes import PurposeRegister

CLIENT_LEVEL = 2
"""A client's own key is as good as two factors."""


def new_secret() -> str:
    """256 random bits: a code, a refresh token, the tail of a request_uri."""
    return secrets.token_urlsafe(32)


def new_grant_id() -> str:
    return secrets.token_hex(16)


def lifetime_s(grant: Grant, access_s: int, now: datetime) -> int:
    """Seconds a token may live: its usual time, but not past its grant or the last of its details."""
    untils = [one.get("validity", {}).get("until") for one in grant.authorization_details]
    ends = [max(datetime.fromisoformat(one) for one in untils)] if untils and all(untils) else []
    ends += [grant.expires_at] if grant.expires_at is not None else []
    left = min(((end - now).total_seconds() for end in ends), default=float(access_s))
    return max(1, min(access_s, int(left)))


def resource_asked(asked: str | None, terms: Terms, granted: str | None = None) -> str:
    """The one resource a token is for (RFC 8707). Raises OAuthError invalid_target for any we do not issue for."""
    if asked is None:
        return granted or terms.resources[0]
    if asked not in terms.resources or (granted is not None and asked != granted):
        raise OAuthError("invalid_target", "invalid_target")
    return asked


def claims_of_login(login: Login, client: Client, asked: Sequence[Asked]) -> dict[str, Any]:
    """The caller behind an officer's grant. Raises OAuthError access_denied for a purpose that is not the officer's."""
    purposes = client.purposes & login.purposes
    wanted = {one.detail.purpose for one in asked}
    if not wanted <= purposes:
        raise OAuthError("access_denied", "purpose_not_yours")
    return {
        "kind": str(CallerKind.OFFICER),
        "org_id": login.org_id,
        "org_kind": login.org_kind,
        "jurisdiction": login.jurisdiction,
        "roles": sorted(login.roles),
        "posts": sorted(login.posts),
        "purposes": sorted(wanted or purposes),
        "level": login.level,
        "auth_time": int(login.auth_time.timestamp()),
        "acr": str(login.level),
        "amr": list(login.amr),
    }


def claims_of_client(client: Client, asked: Sequence[Asked]) -> dict[str, Any]:
    """The caller where a client acts for itself; `check_for` has seen `asked`."""
    return {
        "kind": str(client.kind),
        "org_id": client.org_id,
        "org_kind": client.org_kind,
        "jurisdiction": client.jurisdiction,
        "roles": sorted(client.roles),
        "posts": [],
        "purposes": sorted({one.detail.purpose for one in asked} or client.purposes),
        "level": CLIENT_LEVEL,
    }


def still_granted(grant: Grant, client: Client, register: PurposeRegister, now: datetime) -> Grant:
    """`grant` without what has ended: details past their day, purposes the client or the register lost since.

    Raises OAuthError invalid_grant where nothing is left.
    """
    had = frozenset(grant.claims.get("purposes", ()))  # a supervisor's post may have none: it reads alerts and the log
    purposes = {code for code in had if code in client.purposes and register.get(code)}
    scope = grant.scope & client.scope
    details = [
        one
        for one in grant.authorization_details
        if one["purpose"]["code"] in purposes and _lasts(one.get("validity", {}).get("until"), now)
    ]
    if (grant.authorization_details and not details) or (had and not purposes) or (grant.scope and not scope):
        raise OAuthError("invalid_grant", "grant_ended")
    if grant.authorization_details:
        purposes &= {one["purpose"]["code"] for one in details}
    claims = {**grant.claims, "purposes": sorted(purposes)}
    return replace(grant, scope=scope, authorization_details=details, claims=claims)


def narrowed_to(
    grant: Grant, scope: str | None, details: str | None, *, terms: Terms, register: PurposeRegister, now: datetime
) -> Grant:
    """`grant` as one token shall have it. Raises OAuthError invalid_scope, invalid_authorization_details for more."""
    if scope is not None:
        asked_scope = scope.split(" ")
        if len(set(asked_scope)) != len(asked_scope) or not grant.scope.issuperset(asked_scope):
            raise OAuthError("invalid_scope", "invalid_scope")
        grant = replace(grant, scope=frozenset(asked_scope))
    if details is not None:
        asked = parse(details, location=terms.graphql, register=register, now=now)
        left = narrowed(asked, read_granted(grant.authorization_details, register))
        purposes = {one.detail.purpose for one in left}
        if not purposes <= set(grant.claims["purposes"]):
            raise OAuthError("invalid_authorization_details", "rar_wider")
        if not grant.authorization_details and any(one.detail.consent_id for one in left):
            raise OAuthError("invalid_authorization_details", "rar_consent")
        claims = {**grant.claims, "purposes": sorted(purposes)}
        grant = replace(grant, authorization_details=[one.as_json() for one in left], claims=claims)
    return grant


def _lasts(until: str | None, now: datetime) -> bool:
    return until is None or datetime.fromisoformat(until) > now
