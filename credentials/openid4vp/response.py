"""What a wallet posts to `response_uri` (OpenID4VP 1.0, section 8): read strictly, encrypted or not, or an error of its own."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from credentials.errors import JoseInvalid, RequestInvalid
from credentials.jose import decrypt, json_object
from credentials.openid4vp.dcql import MOST_CREDENTIALS, MOST_SHOWN

LONGEST = 196_608
"""Characters of a whole answer; of one presentation a third."""
LONGEST_PRESENTATION = 65_536
WALLET_ERRORS = frozenset(
    {
        "invalid_request", "invalid_client", "invalid_scope", "access_denied", "unauthorized_client",
        "unsupported_response_type", "server_error", "temporarily_unavailable", "vp_formats_not_supported",
        "invalid_request_uri_method", "invalid_transaction_data", "wallet_unavailable",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answered:
    """Query id -> its presentations, at least one each; nothing of them is believed yet."""

    presentations: Mapping[str, tuple[str, ...]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Declined:
    """The wallet or the person said no; `error` is one of the standard's codes."""

    error: str


def read_response(
    form: Mapping[str, str], *, state: str, private: Mapping[str, Any], encrypted: bool
) -> Answered | Declined:
    """`private`: this request's own key, with its `kid`. `encrypted`: whether an answer must be (errors need not, 8.3).

    Raises RequestInvalid "size", "form", "encryption", "state", "vp_token": then nothing was answered.
    """
    if sum(len(value) for value in form.values()) > LONGEST:
        raise RequestInvalid("size")
    members: Mapping[str, Any] = form
    if "response" in form:
        if len(form) != 1:
            raise RequestInvalid("form")
        members = _opened(form["response"], private)
    elif encrypted and "error" not in form:
        raise RequestInvalid("encryption")
    given = members.get("state")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), state.encode()):
        raise RequestInvalid("state")
    if "error" in members:
        if "vp_token" in members:
            raise RequestInvalid("form")
        error = members["error"]
        return Declined(error if isinstance(error, str) and error in WALLET_ERRORS else "invalid_request")
    token = members.get("vp_token")
    if isinstance(token, str) and "response" not in form:
        token = _json(token)
    return Answered(_presentations(token))


def _opened(response: str, private: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        header, plaintext = decrypt(response, private, limit=LONGEST)
        if header.get("kid") != private["kid"]:
            raise RequestInvalid("encryption")
        return json_object(plaintext)
    except JoseInvalid:
        raise RequestInvalid("encryption") from None


def _json(text: str) -> Any:
    try:
        return json_object(text.encode())
    except JoseInvalid:
        raise RequestInvalid("vp_token") from None


def _presentations(token: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(token, dict) or not 0 < len(token) <= MOST_CREDENTIALS:
        raise RequestInvalid("vp_token")
    for listed in token.values():
        if not isinstance(listed, list) or not 0 < len(listed) <= MOST_SHOWN:
            raise RequestInvalid("vp_token")
        if not all(isinstance(one, str) and len(one) <= LONGEST_PRESENTATION and one.isascii() for one in listed):
            raise RequestInvalid("vp_token")
    shown = [one for listed in token.values() for one in listed]
    if len(set(shown)) != len(shown):
        raise RequestInvalid("vp_token")
    return {id: tuple(listed) for id, listed in token.items()}
