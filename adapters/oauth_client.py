"""An OAuth 2 client of the FAPI 2.0 kind: private_key_jwt, DPoP with nonces, RAR; discovery by RFC 8414.

It knows no file and no manifest. `adapters.oauth_source` uses it before every request to a source; the gateway's own
command `yimen token` uses it too. Everything it sends leaves by the channel it is given.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from adapters.clock import Now
from adapters.egress import Channel, Reply
from adapters.errors import Reason, SourceUnavailable
from adapters.json_body import JsonRefused, parse_json
from adapters.oauth_jose import SigningKey, client_assertion, dpop_proof
from adapters.outcomes import failure_of_status
from adapters.source import Failed

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_DISCOVERY_S: Final = 3600.0
_USUAL_LIFE_S: Final = 60.0  # of a token that does not say how long it lives
_MOST_EARLY_S: Final = 30.0
_NONCE_CHARS: Final = frozenset("!" + "".join(map(chr, (*range(0x23, 0x5C), *range(0x5D, 0x7F)))))  # NQCHAR, RFC 6749 A
_KNOWN: Final = frozenset(
    [
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "invalid_target",
        "invalid_dpop_proof",
        "use_dpop_nonce",
        "invalid_authorization_details",
        "access_denied",
        "temporarily_unavailable",
        "server_error",
    ]
)
"""Codes of RFC 6749 and its sisters; no other word of the server's is repeated."""


@dataclass(frozen=True, slots=True)
class Registration:
    """Who we are at one authorization server, and what we ask it for.

    `endpoints` of the server may be given ("token_endpoint"); without them they are discovered below `issuer`.
    """

    issuer: str
    client_id: str
    key: SigningKey
    scope: str = ""
    resource: str = ""
    details: Sequence[Mapping[str, Any]] = ()
    endpoints: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Token:
    """A token bound to this client's DPoP key; `fresh_until` lies shortly before its end."""

    value: str = field(repr=False)
    token_type: str
    fresh_until: datetime
    expires_in: float
    more: Mapping[str, Any] = field(default_factory=dict, repr=False)  # the whole answer


class Refused(SourceUnavailable):
    """The authorization server said no; `code` is the standard's own word, "" where it used none of them."""

    def __init__(self, name: str, code: str, status: int) -> None:
        said = code or f"HTTP {status}"
        super().__init__(name, Reason.REFUSED, f"its authorization server: {said}")
        self.code = code


class OAuthClient:
    """Talks to one authorization server. `dpop_key` is what tokens are bound to; a fresh one where none is given."""

    def __init__(
        self, registration: Registration, channel: Channel, now: Now, *, name: str, dpop_key: SigningKey | None = None
    ) -> None:
        self.registration, self._channel, self.now, self._name = registration, channel, now, name
        self.dpop_key = dpop_key or SigningKey.new()
        self._nonce: str | None = None
        self._metadata: Mapping[str, Any] | None = None
        self._metadata_until = now()

    async def client_credentials(self, *, timeout_s: float) -> Token:
        """A token for the client itself (RFC 6749, section 4.4). Raises SourceUnavailable, Refused among it."""
        wanted = self.registration
        form = {"grant_type": "client_credentials", "scope": wanted.scope, "resource": wanted.resource}
        if wanted.details:
            form["authorization_details"] = json.dumps(list(wanted.details), ensure_ascii=False, separators=(",", ":"))
        return await self.token({name: value for name, value in form.items() if value}, timeout_s=timeout_s)

    async def token(self, form: Mapping[str, str], *, timeout_s: float) -> Token:
        """What the token endpoint gives for `form`."""
        asked = self.now()
        answer = await self.post("token_endpoint", form, timeout_s=timeout_s)
        value, kind, life = answer.get("access_token"), answer.get("token_type"), answer.get("expires_in")
        if not isinstance(value, str) or not _is_token(value) or not isinstance(kind, str):
            raise self._unusable("its authorization server gave no token")
        if kind.lower() != "dpop":
            raise self._unusable("its authorization server gave a token that is not bound to our key")
        life_s = float(life) if isinstance(life, int | float) and not isinstance(life, bool) else _USUAL_LIFE_S
        life_s = min(max(life_s, 0.0), 86_400.0)
        early_s = min(_MOST_EARLY_S, life_s / 4)
        return Token(value, "DPoP", asked + timedelta(seconds=life_s - early_s), life_s, answer)

    async def post(self, endpoint: str, form: Mapping[str, str], *, timeout_s: float) -> Mapping[str, Any]:
        """The JSON of one authenticated request to `endpoint` ("token_endpoint", ...); a nonce is obeyed once.

        Raises Refused with the standard's code; SourceUnavailable for everything else that is not a good answer.
        """
        url = await self.endpoint(endpoint, timeout_s=timeout_s)
        for again in (True, False):
            reply = await self._post(url, form, timeout_s)
            nonce = self._learn_nonce(reply)
            code = error_code(reply)
            if not (again and nonce and code == "use_dpop_nonce"):
                break
        if not 200 <= reply.status < 300:
            self._metadata_until = self.now()  # the server may have moved its endpoints
            if reply.status in (400, 401, 403):
                raise Refused(self._name, code, reply.status)
            said = failure_of_status(reply, self.now())
            failed = said if isinstance(said, Failed) else Failed(Reason.DOWN)
            detail = f"its authorization server: HTTP {reply.status}"
            raise SourceUnavailable(self._name, failed.reason, detail, retry_at=failed.retry_at)
        return self._json(reply)

    async def endpoint(self, name: str, *, timeout_s: float) -> str:
        """The URL of an endpoint: as registered, else as the server's metadata names it (RFC 8414, section 3)."""
        given = self.registration.endpoints.get(name)
        if given:
            return given
        metadata = await self.metadata(timeout_s=timeout_s)
        url = metadata.get(name)
        if not isinstance(url, str) or not url:
            raise self._unusable(f"its authorization server's metadata has no {name}")
        return url

    async def metadata(self, *, timeout_s: float) -> Mapping[str, Any]:
        if self._metadata is not None and self.now() < self._metadata_until:
            return self._metadata
        reply = await self._channel.send(
            "GET", metadata_url(self.registration.issuer), headers={"accept": "application/json"}, timeout_s=timeout_s
        )
        if reply.status != 200:
            reason = Reason.DOWN if reply.status >= 500 else Reason.REFUSED
            raise SourceUnavailable(self._name, reason, f"its authorization server's metadata: HTTP {reply.status}")
        metadata = self._json(reply)
        if metadata.get("issuer") != self.registration.issuer:  # RFC 8414, section 3.3: or it is somebody else's
            raise self._unusable("its authorization server's metadata names another issuer")
        self._metadata, self._metadata_until = metadata, self.now() + timedelta(seconds=_DISCOVERY_S)
        return metadata

    async def _post(self, url: str, form: Mapping[str, str], timeout_s: float) -> Reply:
        us, now = self.registration, self.now()
        sent = {
            **form,
            "client_id": us.client_id,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": client_assertion(us.key, us.client_id, us.issuer, now),
        }
        headers = {
            "accept": "application/json",
            "content-type": "application/x-www-form-urlencoded",
            "dpop": dpop_proof(self.dpop_key, "POST", url, now, nonce=self._nonce),
        }
        return await self._channel.send(
            "POST", url, headers=headers, body=urlencode(sent).encode(), timeout_s=timeout_s
        )

    def _learn_nonce(self, reply: Reply) -> str | None:
        nonce = nonce_of(reply)
        self._nonce = nonce or self._nonce
        return nonce

    def _json(self, reply: Reply) -> Mapping[str, Any]:
        try:
            answer = parse_json(reply.body)
        except JsonRefused as refused:
            raise self._unusable(f"its authorization server answers {refused.reason}") from None
        if not isinstance(answer, Mapping):
            raise self._unusable("its authorization server does not answer an object")
        return answer

    def _unusable(self, detail: str) -> SourceUnavailable:
        return SourceUnavailable(self._name, Reason.GARBAGE, detail)


def metadata_url(issuer: str) -> str:
    """Where an issuer's metadata stands: the well-known part goes between host and path (RFC 8414, section 3.1)."""
    parts = urlsplit(issuer)
    return f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{parts.path.rstrip('/')}"


def error_code(reply: Reply) -> str:
    """The code in the body of an authorization server's refusal, where it is one of the standard's; else ""."""
    if 200 <= reply.status < 300:
        return ""
    try:
        answer = parse_json(reply.body)
    except JsonRefused:
        return ""
    code = answer.get("error") if isinstance(answer, Mapping) else None
    return code if isinstance(code, str) and code in _KNOWN else ""


def nonce_of(reply: Reply) -> str | None:
    """The nonce an answer hands out (RFC 9449, section 8.1), if it is one that may be sent back."""
    nonce = reply.headers.get("dpop-nonce", "")
    return nonce if 0 < len(nonce) <= 512 and _NONCE_CHARS.issuperset(nonce) else None


def _is_token(text: str) -> bool:
    """Whether it may stand in a header: visible ASCII, no blank (RFC 6750's b64token and a little more)."""
    return 0 < len(text) <= 8192 and text.isascii() and all(" " < character < "\x7f" for character in text)
