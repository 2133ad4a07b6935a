"""A person's wallet in the authorization code flow: what it pushes, what a person's yes turns it into, and the port to
whoever keeps wallets' tokens. Source: OpenID4VCI 1.0, section 5; HAIP 1.0, section 4.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Protocol

from gateway.oauth.client import Client
from gateway.oauth.credential_details import read_credential_details
from gateway.oauth.errors import OAuthError
from gateway.oauth.keeping import PushedRequest
from gateway.oauth.par import check_lengths, dpop_key, refuse_misplaced
from gateway.oauth.pkce import S256
from gateway.oauth.ports import Grant
from gateway.oauth.terms import CREDENTIAL_SCOPE, Terms

HOLDER = "HOLDER"
"""`kind` among the claims of a grant, until its code is redeemed."""
CODE = "wc."
"""Begins the codes of wallets, so that the token endpoint knows them before it looks anything up."""


@dataclass(frozen=True, slots=True)
class HolderApproval:
    """A person's yes. `acting`: the body on whose case it rests, as JSON; both are looked up again at the token endpoint."""

    subject_id: str
    acting: Mapping[str, Any]
    configuration_ids: tuple[str, ...]
    offer_id: str | None = None


@dataclass(frozen=True, slots=True)
class HolderToken:
    """`identifiers`: credential_identifier -> configuration, where authorization_details were used."""

    access_token: str = field(repr=False)
    expires_in: int
    identifiers: Mapping[str, str] = field(default_factory=dict)


class HolderTokens(Protocol):
    """Who keeps what wallets may fetch."""

    def configurations(self) -> Collection[str]:
        """The ids of what is issued here."""
        ...

    async def open(self, grant: Grant, jkt: str | None) -> HolderToken | None:
        """A token for the grant of a code that was just consumed; None where its ground is gone."""
        ...

    async def end(self, grant_id: str) -> None:
        """Its code came back: whatever came of it dies."""
        ...


def is_holders(pushed: PushedRequest) -> bool:
    """Whether a person, and no officer, answers this request."""
    return "configuration_ids" in pushed.parameters


def credential_request(
    form: Mapping[str, str], client: Client, jkt: str | None, configurations: Collection[str], terms: Terms
) -> dict[str, Any]:
    """The request as it is kept. Raises OAuthError.

    Scopes we do not know are ignored (OpenID4VCI 5.1.2), details we do not know are refused (RFC 9396, section 5).
    """
    refuse_misplaced(form, client)
    S256().validate_code_challenge(SimpleNamespace(request=SimpleNamespace(form=form)), "")
    check_lengths(form)
    named = [
        one.removeprefix(CREDENTIAL_SCOPE) for one in form.get("scope", "").split() if one[:11] == CREDENTIAL_SCOPE
    ]
    wanted = [one for one in named if one in configurations]
    details = (
        _details(form["authorization_details"], configurations, terms.issuer) if "authorization_details" in form else []
    )
    if not wanted and not details:
        raise OAuthError("invalid_scope", "invalid_scope")
    kept: dict[str, Any] = {
        "response_type": "code", "redirect_uri": form["redirect_uri"], "code_challenge": form["code_challenge"],
        "code_challenge_method": "S256", "scope": [], "resource": "", "authorization_details": [], "level": 1,
        "max_age": None, "prompt": [], "configuration_ids": list(dict.fromkeys([*wanted, *details])),
        "identified": bool(details),
    }  # fmt: skip
    if wanted:
        kept["credential_scope"] = [CREDENTIAL_SCOPE + one for one in wanted]
    if not form.get("issuer_state", "").isprintable():
        raise OAuthError("invalid_request", "invalid_request")
    for name in ("state", "issuer_state"):
        if name in form:
            kept[name] = form[name]
    key = dpop_key(form, jkt)
    if key is not None:
        kept["dpop_jkt"] = key
    return kept


def _details(text: str, configurations: Collection[str], issuer: str) -> list[str]:
    found = read_credential_details(text, issuer)
    if not set(found) <= set(configurations):
        raise OAuthError("invalid_authorization_details", "vci_details")
    return list(found)
