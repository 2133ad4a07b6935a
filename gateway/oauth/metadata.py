"""What the authorization server says of itself (RFC 8414)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from gateway.oauth.client import ATTESTED
from gateway.oauth.credential_details import CREDENTIAL
from gateway.oauth.jose import ALGORITHMS
from gateway.oauth.terms import CREDENTIAL_SCOPE, GRANT_TYPES, PRE_AUTHORIZED_CODE, RAR_TYPE, Terms

WELL_KNOWN = "/.well-known/oauth-authorization-server"


def metadata(
    terms: Terms,
    *,
    mtls: bool = False,
    pre_authorized: bool = False,
    anonymous: bool = False,
    credentials: Collection[str] = (),
    attested: bool = False,
    status_lists: str | None = None,
) -> dict[str, Any]:
    """The document. `mtls`: certificates of a trusted proxy are on. `anonymous`: wallets need be no clients for an offer.
    `credentials`: configuration ids that wallets may ask for in the code flow; `attested`: there are wallet providers.
    `status_lists`: where all lists of what is issued here are named (Token Status List, section 9.2).
    """
    base = terms.issuer
    methods = ["private_key_jwt", *(["tls_client_auth", "self_signed_tls_client_auth"] if mtls else [])]
    algorithms = list(ALGORITHMS)
    found: dict[str, Any] = {
        "issuer": base,
        "authorization_endpoint": f"{base}/oauth/authorize",
        "token_endpoint": f"{base}/oauth/token",
        "jwks_uri": f"{base}/oauth/jwks",
        "pushed_authorization_request_endpoint": f"{base}/oauth/par",
        "require_pushed_authorization_requests": True,
        "introspection_endpoint": f"{base}/oauth/introspect",
        "revocation_endpoint": f"{base}/oauth/revoke",
        "registration_endpoint": f"{base}/oauth/register",
        "scopes_supported": list(terms.scopes),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [*GRANT_TYPES, *([PRE_AUTHORIZED_CODE] if pre_authorized else [])],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "authorization_details_types_supported": [RAR_TYPE],
        "dpop_signing_alg_values_supported": algorithms,
        "tls_client_certificate_bound_access_tokens": mtls,
        "prompt_values_supported": ["none", "login", "consent"],
        "acr_values_supported": ["1", "2", "3"],
        "ui_locales_supported": ["zh-CN", "en"],
    }
    if pre_authorized:
        found["pre-authorized_grant_anonymous_access_supported"] = anonymous
        found["authorization_details_types_supported"] = [RAR_TYPE, CREDENTIAL]
    if credentials:
        found["scopes_supported"] = [*terms.scopes, *(CREDENTIAL_SCOPE + one for one in sorted(credentials))]
        found["authorization_details_types_supported"] = [RAR_TYPE, CREDENTIAL]
    if status_lists is not None:
        found["status_list_aggregation_endpoint"] = status_lists
    if attested:
        methods = [*methods, ATTESTED]
        found["client_attestation_signing_alg_values_supported"] = algorithms
        found["client_attestation_pop_signing_alg_values_supported"] = algorithms
    for endpoint in ("token", "introspection", "revocation"):
        found[f"{endpoint}_endpoint_auth_methods_supported"] = methods
        found[f"{endpoint}_endpoint_auth_signing_alg_values_supported"] = algorithms
    return found
