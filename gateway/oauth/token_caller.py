"""From the claims of an access token to the caller they describe."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gateway.caller import Caller, CallerKind, SharingDetail
from gateway.oauth.terms import RAR_TYPE


class ClaimsInvalid(ValueError):
    """The claims describe no caller: they are of another resource's tokens, or of a time before these were required."""


def caller_of(claims: Mapping[str, Any], expires_at: datetime) -> Caller:
    """Raises ClaimsInvalid where something is missing: there is no caller without an organisation and a kind."""
    try:
        kind = CallerKind(claims["kind"])
        details = tuple(
            sharing_detail(one, kind) for one in claims.get("authorization_details", ()) if one.get("type") == RAR_TYPE
        )
        purposes = _codes(claims.get("purposes", []))
        if details or kind is CallerKind.PARTNER:  # a token says less than its registration, never more
            purposes &= {detail.purpose for detail in details}
        return Caller(
            user_id=_text(claims["sub"]),
            org_id=_text(claims["org_id"]),
            org_kind=_text(claims["org_kind"]),
            roles=_codes(claims.get("roles", [])),
            token_id=_text(claims["jti"]),
            expires_at=expires_at,
            purposes=purposes,
            kind=kind,
            client_id=_text(claims["client_id"]),
            grant_id=_text(claims["grant_id"]),
            jurisdiction=claims.get("jurisdiction", ""),
            posts=_codes(claims.get("posts", [])),
            level=int(claims.get("level", 1)),
            details=details,
            scope=frozenset(claims.get("scope", "").split()),
            granted_at=datetime.fromtimestamp(claims["granted_at"], UTC),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise ClaimsInvalid("these claims describe no caller") from None


def sharing_detail(detail: Mapping[str, Any], kind: CallerKind) -> SharingDetail:
    """One granted object of our RAR type, whose form was checked when it was asked for.

    A partner's without `datatypes` allows nothing; an officer's allows what the rules do. Source: RFC 9396.
    """
    datatypes = detail.get("datatypes")
    allowed = None if datatypes is None and kind is not CallerKind.PARTNER else _codes(datatypes or [])
    until = detail.get("validity", {}).get("until")
    per_day = detail.get("access", {}).get("max_per_day")
    return SharingDetail(
        purpose=_text(detail["purpose"]["code"]),
        reference=detail["purpose"].get("reference"),
        datatypes=allowed,
        consent_id=detail.get("subjects", {}).get("consent_id"),
        until=None if until is None else _instant(until),
        max_per_day=None if per_day is None else int(per_day),
    )


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError
    return instant.astimezone(UTC)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def _codes(values: Any) -> frozenset[str]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError
    return frozenset(values)
