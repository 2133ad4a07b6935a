"""How long things last, and what can be asked of this server at all."""

from __future__ import annotations

from dataclasses import dataclass

RAR_TYPE = "urn:yimen:data-sharing:v1"
SCOPE = "graphql"
"""To ask the GraphQL endpoint. What may be asked there is RAR's and the policy's matter."""
CONSENT_SCOPE = "consent:request"
"""To ask persons for their consent, which opens no data: a partner's token for this alone needs no details."""
PRESENTATION_SCOPE = "presentation:create"
"""To ask a person's wallet to show something: what it opens is what that person shows, so it needs no details either."""
FACTS_SCOPE = "facts:changed"
"""To say that a fact about somebody changed: a source's own client, which learns nothing by it."""
WITHOUT_DETAILS = frozenset({CONSENT_SCOPE, PRESENTATION_SCOPE, FACTS_SCOPE})
"""Scopes that open none of our data: of partners only, the last of a regulator's systems only."""
CREDENTIAL_SCOPE = "credential:"
"""Before the id of a configuration: a person's wallet asks for that credential (OpenID4VCI, section 5.1.2)."""

AUTHORIZATION_CODE = "authorization_code"
CLIENT_CREDENTIALS = "client_credentials"
REFRESH_TOKEN = "refresh_token"  # noqa: S105  (a grant type's name)
PRE_AUTHORIZED_CODE = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
GRANT_TYPES = (AUTHORIZATION_CODE, CLIENT_CREDENTIALS, REFRESH_TOKEN)

REQUEST_URI = "urn:ietf:params:oauth:request_uri:"


@dataclass(frozen=True, slots=True)
class Terms:
    """`issuer` is the base URL, without a slash at the end; `resources` are the resource servers tokens are for, the
    first being what is meant where none is named. `_s` are seconds.
    """

    issuer: str
    resources: tuple[str, ...]
    scopes: tuple[str, ...] = (SCOPE, CONSENT_SCOPE, PRESENTATION_SCOPE, FACTS_SCOPE)
    code_s: int = 60  # FAPI 2.0, section 5.3.2.1: at most
    request_s: int = 300  # less than 600
    wallet_request_s: int = 590  # a person waits for a message and types a code
    access_s: int = 600
    refresh_s: int = 12 * 3600  # a working day

    @property
    def graphql(self) -> str:
        return f"{self.issuer}/graphql"


def terms_for(base_url: str, *, access_s: int = 600) -> Terms:
    return Terms(base_url, (f"{base_url}/graphql",), access_s=access_s)
