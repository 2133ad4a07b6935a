"""A client's registration, from RFC 7591 metadata with our extension members to a checked `Client`.

Every fault is found at once, each with its place. Unknown members are ignored where a client registers itself (RFC 7591,
section 2) and are faults where an operator imports a file: there a typing error must not pass for a choice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from gateway.caller import CallerKind
from gateway.oauth.client import ATTESTED, WALLET, Client, ClientKind, kind_of
from gateway.oauth.jose import ALGORITHMS, JoseInvalid
from gateway.oauth.jwks import check_jwks
from gateway.oauth.terms import (
    AUTHORIZATION_CODE,
    CLIENT_CREDENTIALS,
    FACTS_SCOPE,
    GRANT_TYPES,
    PRE_AUTHORIZED_CODE,
    PRESENTATION_SCOPE,
    REFRESH_TOKEN,
    WITHOUT_DETAILS,
)
from gateway.policy.purposes import PurposeRegister

_CLIENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}")
_ORG_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ORG_KIND = re.compile(r"[A-Z][A-Z_]{1,31}")
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_JURISDICTION = re.compile(r"(?:[0-9]{2}){0,3}")
_APP_URI = re.compile(r"[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)+:/{1,2}[A-Za-z0-9._~/-]*")
_METHODS = ("private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth")
_WALLET_METHODS = ("private_key_jwt", ATTESTED)
_BY_KIND = {
    CallerKind.OFFICER: {AUTHORIZATION_CODE, REFRESH_TOKEN},
    CallerKind.SYSTEM: {CLIENT_CREDENTIALS},
    CallerKind.PARTNER: {CLIENT_CREDENTIALS, PRE_AUTHORIZED_CODE},
    WALLET: {AUTHORIZATION_CODE, PRE_AUTHORIZED_CODE},
}
_DEFAULT_GRANTS = {
    CallerKind.OFFICER: [AUTHORIZATION_CODE, REFRESH_TOKEN],
    CallerKind.SYSTEM: [CLIENT_CREDENTIALS],
    CallerKind.PARTNER: [CLIENT_CREDENTIALS],
    WALLET: [AUTHORIZATION_CODE],
}
MEMBERS = frozenset({
    "client_id", "client_name", "kind", "org_id", "org_kind", "jurisdiction", "jwks", "grant_types", "response_types",
    "redirect_uris", "scope", "purposes", "roles", "token_endpoint_auth_method", "token_endpoint_auth_signing_alg",
    "tls_client_auth_subject_dn", "tls_client_certificate_bound_access_tokens", "dpop_bound_access_tokens",
    "require_pushed_authorization_requests", "refresh_rotation", "is_resource_server",
})  # fmt: skip

Fault = Callable[[str, str], None]
"""(member, what is wrong with it)."""


def read_client(
    metadata: Mapping[str, Any], fault: Fault, *, scopes: tuple[str, ...], register: PurposeRegister
) -> Client | None:
    """The client `metadata` describes; None after any `fault`."""
    reader = _Reader(metadata, fault)
    client_id = reader.text("client_id", _CLIENT_ID)
    name = reader.name("client_name")
    kind = reader.kind()
    is_resource_server = reader.flag("is_resource_server")
    org_id, org_kind = reader.text("org_id", _ORG_ID), reader.text("org_kind", _ORG_KIND)
    method = reader.choice(
        "token_endpoint_auth_method", _WALLET_METHODS if kind is WALLET else _METHODS, "private_key_jwt"
    )
    client = Client(
        client_id=client_id,
        client_name=name,
        kind=kind,
        org_id=org_id,
        org_kind=org_kind,
        jurisdiction=reader.text("jurisdiction", _JURISDICTION, default=""),
        jwks=reader.jwks(needed=method not in ("tls_client_auth", ATTESTED)),
        grant_types=reader.grant_types(kind, is_resource_server),
        redirect_uris=reader.redirect_uris(kind),
        scope=reader.scope(scopes, kind, is_resource_server),
        purposes=reader.codes("purposes"),
        roles=reader.codes("roles"),
        token_endpoint_auth_method=method,
        token_endpoint_auth_signing_alg=reader.choice("token_endpoint_auth_signing_alg", ALGORITHMS, "ES256"),
        tls_client_auth_subject_dn=reader.optional_text("tls_client_auth_subject_dn"),
        tls_client_certificate_bound_access_tokens=reader.flag("tls_client_certificate_bound_access_tokens"),
        refresh_rotation=reader.choice("refresh_rotation", ("none", "always"), "none"),
        is_resource_server=is_resource_server,
    )
    _check_together(client, reader, register)
    return None if reader.faulty else client


def as_metadata(client: Client) -> dict[str, Any]:
    """The registration as RFC 7591 shows it, and as an import would take it again."""
    found = {
        "client_id": client.client_id,
        "client_name": client.client_name,
        "kind": str(client.kind),
        "org_id": client.org_id,
        "org_kind": client.org_kind,
        "jurisdiction": client.jurisdiction,
        "jwks": dict(client.jwks),
        "grant_types": sorted(client.grant_types),
        "response_types": ["code"] if AUTHORIZATION_CODE in client.grant_types else [],
        "redirect_uris": list(client.redirect_uris),
        "scope": " ".join(sorted(client.scope)),
        "purposes": sorted(client.purposes),
        "roles": sorted(client.roles),
        "token_endpoint_auth_method": client.token_endpoint_auth_method,
        "token_endpoint_auth_signing_alg": client.token_endpoint_auth_signing_alg,
        "tls_client_certificate_bound_access_tokens": client.tls_client_certificate_bound_access_tokens,
        "refresh_rotation": client.refresh_rotation,
        "is_resource_server": client.is_resource_server,
    }
    if client.tls_client_auth_subject_dn is not None:
        found["tls_client_auth_subject_dn"] = client.tls_client_auth_subject_dn
    return found


def _check_together(client: Client, reader: _Reader, register: PurposeRegister) -> None:
    """What only shows when members are seen side by side."""
    if AUTHORIZATION_CODE in client.grant_types and not client.redirect_uris:
        reader.say("redirect_uris", "authorization_code needs at least one")
    if client.redirect_uris and AUTHORIZATION_CODE not in client.grant_types and PRESENTATION_SCOPE not in client.scope:
        reader.say(
            "redirect_uris", "are for authorization_code, or for coming back from a wallet (presentation:create)"
        )
    if REFRESH_TOKEN in client.grant_types and AUTHORIZATION_CODE not in client.grant_types:
        reader.say("grant_types", "refresh_token goes with authorization_code only")
    if client.token_endpoint_auth_method == "tls_client_auth" and not client.tls_client_auth_subject_dn:  # noqa: S105  (a method's name)
        reader.say("tls_client_auth_subject_dn", "tls_client_auth needs it")
    if client.kind is CallerKind.OFFICER and client.roles:
        reader.say("roles", "an officer brings his own")
    if client.kind is WALLET:
        for member, has in (("purposes", client.purposes), ("roles", client.roles), ("scope", client.scope)):
            if has:
                reader.say(member, "a wallet has none: what it may fetch is what a person lets it have")
        if client.is_resource_server or client.tls_client_certificate_bound_access_tokens:
            reader.say("kind", "a wallet is no resource server, and its tokens are bound by DPoP")
    elif not client.is_resource_server and not client.purposes and client.scope != {FACTS_SCOPE}:  # it asks nothing
        reader.say("purposes", "at least one, for without a purpose nothing can be asked")
    for code in sorted(client.purposes):
        rule = register.get(code)
        if rule is None:
            reader.say("purposes", f"{code} is not in the register of purposes")
        elif client.kind is not CallerKind.OFFICER and client.org_kind not in rule.org_kinds:
            reader.say("purposes", f"{code} is not for a {client.org_kind}")


class _Reader:
    """Takes members one by one and notes what is wrong with them."""

    def __init__(self, metadata: Mapping[str, Any], fault: Fault) -> None:
        self._metadata, self._fault, self.faulty = metadata, fault, False

    def say(self, member: str, wrong: str) -> None:
        self.faulty = True
        self._fault(member, wrong)

    def text(self, member: str, form: re.Pattern[str], default: str | None = None) -> str:
        value = self._metadata.get(member, default)
        if not isinstance(value, str) or not form.fullmatch(value):
            self.say(member, "is missing" if value is None else f"must be text like {form.pattern}")
            return ""
        return value

    def optional_text(self, member: str) -> str | None:
        value = self._metadata.get(member)
        if value is not None and not (isinstance(value, str) and 0 < len(value) <= 500 and value.isprintable()):
            self.say(member, "must be a line of text")
            return None
        return value

    def name(self, member: str) -> str:
        value = self._metadata.get(member)
        if not isinstance(value, str) or not 0 < len(value.strip()) <= 100 or not value.isprintable():
            self.say(member, "is missing" if value is None else "must be a line of text, 100 characters at most")
            return ""
        return value.strip()

    def flag(self, member: str) -> bool:
        value = self._metadata.get(member, False)
        if not isinstance(value, bool):
            self.say(member, "must be true or false")
            return False
        return value

    def choice(self, member: str, among: tuple[str, ...], default: str) -> str:
        value = self._metadata.get(member, default)
        if value not in among:
            self.say(member, f"must be one of {', '.join(among)}")
            return default
        return str(value)

    def kind(self) -> ClientKind:
        value = self._metadata.get("kind")
        if not isinstance(value, str) or (value not in CallerKind.__members__ and value != WALLET):
            self.say("kind", f"must be one of {', '.join([*CallerKind, WALLET])}")
            return CallerKind.PARTNER
        return kind_of(value)

    def codes(self, member: str) -> frozenset[str]:
        return frozenset(self._texts(member, [], _CODE))

    def scope(self, scopes: tuple[str, ...], kind: ClientKind, is_resource_server: bool) -> frozenset[str]:
        allowed = [] if kind is WALLET else [one for one in scopes if _is_for(one, kind)]
        unasked = [] if is_resource_server else [one for one in allowed if one != FACTS_SCOPE]
        value = self._metadata.get("scope", " ".join(unasked))
        if not isinstance(value, str) or not set(value.split()) <= set(allowed):
            self.say("scope", f"must be made of: {' '.join(allowed)}")
            return frozenset()
        return frozenset(value.split())

    def grant_types(self, kind: ClientKind, is_resource_server: bool) -> frozenset[str]:
        given = self._texts("grant_types", [] if is_resource_server else _DEFAULT_GRANTS[kind], None)
        for one in given:
            if one not in (*GRANT_TYPES, PRE_AUTHORIZED_CODE):
                self.say("grant_types", f"must be made of: {' '.join(GRANT_TYPES)}")
            elif one not in _BY_KIND[kind]:
                self.say("grant_types", f"{one} is not for a {kind} client")
        if not given and not is_resource_server:
            self.say("grant_types", "at least one")
        types = self._metadata.get("response_types", ["code"])
        if types not in (["code"], []):
            self.say("response_types", 'only ["code"]')
        return frozenset(given)

    def redirect_uris(self, kind: ClientKind) -> tuple[str, ...]:
        given = self._texts("redirect_uris", [], None)
        for one in given:
            if not (_is_redirect_uri(one) or (kind is WALLET and _is_of_an_app(one))):
                self.say("redirect_uris", "must be https (or http on this machine), without fragment or user")
        return tuple(given)

    def jwks(self, *, needed: bool) -> Mapping[str, Any]:
        value = self._metadata.get("jwks")
        if value is None and not needed:
            return {"keys": []}
        if value is None:
            self.say("jwks", "is missing (a jwks_uri is not fetched)")
            return {"keys": []}
        try:
            check_jwks(value)
        except JoseInvalid as error:
            self.say("jwks", _KEY_FAULTS.get(error.why, "holds a key that cannot be used"))
            return {"keys": []}
        return dict(value)

    def _texts(self, member: str, default: list[str], form: re.Pattern[str] | None) -> list[str]:
        value = self._metadata.get(member, default)
        texts = isinstance(value, list) and len(value) <= 100 and all(isinstance(one, str) for one in value)
        if not texts or len(set(value)) != len(value):
            self.say(member, "must be an array of texts, none twice")
            return []
        if form is not None and not all(form.fullmatch(one) for one in value):
            self.say(member, f"must be made of texts like {form.pattern}")
            return []
        return list(value)


_KEY_FAULTS = {
    "jwks": 'must be {"keys": [...]} with 1 to 20 public keys',
    "kid": "each key needs a kid of its own",
    "key_use": "holds a key that is not for signatures",
    "key": "holds a key that is private, weak or of another kind than P-256, Ed25519, RSA 2048-4096",
}


def _is_of_an_app(uri: str) -> bool:
    """RFC 8252, 7.1: a scheme of a native application's own, a domain name turned round. Without a dot it would be anybody's."""
    return len(uri) <= 2_000 and _APP_URI.fullmatch(uri) is not None


def _is_redirect_uri(uri: str) -> bool:
    """FAPI 2.0, section 5.3.2.2: https; RFC 8252, 7.3: http on loopback. Nothing a browser could read in two ways."""
    if not uri.isascii() or len(uri) > 2_000 or any(one <= " " or one in '\\"<>^`{|}\x7f' for one in uri):
        return False
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc or "#" in uri:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in ("127.0.0.1", "::1", "localhost"))


def _is_for(scope: str, kind: ClientKind) -> bool:
    if scope == FACTS_SCOPE:
        return kind is CallerKind.SYSTEM
    return scope not in WITHOUT_DETAILS or kind is CallerKind.PARTNER
