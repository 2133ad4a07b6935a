"""What a pushed authorization request may say (RFC 9126), checked here in full: the authorize page only looks it up."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gateway.oauth.client import Client
from gateway.oauth.errors import OAuthError
from gateway.oauth.issue import resource_asked
from gateway.oauth.rar import Asked, check_for, parse
from gateway.oauth.terms import Terms
from gateway.policy.purposes import PurposeRegister

_LONGEST_STATE, _LONGEST_NONCE = 4_096, 256
_PROMPTS = frozenset({"none", "login", "consent"})
_LEVELS = ("1", "2", "3")
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")


def refuse_misplaced(form: Mapping[str, str], client: Client) -> None:
    """Raises OAuthError for what has no place in a pushed request.

    Also for what authlib would refuse: it repeats redirect_uri and response_type in its descriptions, and fails with
    something that is no refusal where they hold what must not stand there (RFC 6749, section 5.2).
    """
    if "request_uri" in form:
        raise OAuthError("invalid_request", "par_request_uri")
    if "request" in form:
        raise OAuthError("request_not_supported", "request_not_supported")
    if form.get("redirect_uri") not in client.redirect_uris:  # compared as text, exactly (FAPI 2.0, 5.3.2.2)
        raise OAuthError("invalid_request", "redirect_uri")
    if form.get("response_type") != "code":
        missing = "response_type" not in form
        raise OAuthError("invalid_request" if missing else "unsupported_response_type", "unsupported_response_type")
    if form.get("response_mode", "query") != "query":
        raise OAuthError("invalid_request", "response_mode")


def parameters(
    form: Mapping[str, str], client: Client, scope: str, jkt: str | None, *, terms: Terms, register: PurposeRegister,
    now: datetime,
) -> dict[str, Any]:  # fmt: skip
    """The request as it is kept; what we do not know is dropped (RFC 6749, section 3.1). Raises OAuthError.

    `jkt`: the key of the DPoP proof that came along, if one did.
    """
    asked: tuple[Asked, ...] = ()
    if "authorization_details" in form:
        asked = parse(form["authorization_details"], location=terms.graphql, register=register, now=now)
    check_for(client, asked)
    kept: dict[str, Any] = {
        "response_type": "code",
        "redirect_uri": form["redirect_uri"],
        "code_challenge": form["code_challenge"],
        "code_challenge_method": "S256",
        "scope": scope.split(),
        "resource": resource_asked(form.get("resource"), terms),
        "authorization_details": [one.as_json() for one in asked],
        "level": _level(form.get("acr_values")),
        "max_age": _max_age(form.get("max_age")),
        "prompt": _prompt(form.get("prompt")),
    }
    check_lengths(form)
    kept |= {name: form[name] for name in ("state", "nonce") if name in form}
    key = dpop_key(form, jkt)
    if key is not None:
        kept["dpop_jkt"] = key
    return kept


def check_lengths(form: Mapping[str, str]) -> None:
    """Of what is kept and handed back as it came. Raises OAuthError."""
    for name, longest in (("state", _LONGEST_STATE), ("nonce", _LONGEST_NONCE), ("issuer_state", _LONGEST_NONCE)):
        if len(form.get(name, "")) > longest:
            raise OAuthError("invalid_request", "parameter_too_long")


def dpop_key(form: Mapping[str, str], jkt: str | None) -> str | None:
    """The key the code will be bound to: the one named, the one shown, or none. Raises OAuthError where the two differ."""
    wanted = form.get("dpop_jkt")
    if wanted is not None and (not _THUMBPRINT.fullmatch(wanted) or jkt not in (None, wanted)):
        raise OAuthError("invalid_dpop_proof" if jkt is not None else "invalid_request", "dpop_jkt")
    return wanted or jkt


def _level(acr_values: str | None) -> int:
    """The least of the levels the client can live with; ones we do not know are as good as not said (OIDC Core 3.1.2.1)."""
    return min((int(one) for one in (acr_values or "").split() if one in _LEVELS), default=1)


def _max_age(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise OAuthError("invalid_request", "max_age")
    return int(text)


def _prompt(text: str | None) -> list[str]:
    asked = (text or "").split()
    if not _PROMPTS.issuperset(asked) or ("none" in asked and len(asked) > 1):
        raise OAuthError("invalid_request", "prompt")
    return asked
