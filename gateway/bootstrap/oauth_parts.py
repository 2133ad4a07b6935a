"""Keys, tokens and proofs of one process, put together: what the authorization server and the GraphQL door both stand on."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.clock import Clock
from gateway.oauth.access_token import AccessTokens
from gateway.oauth.authenticator import TokenAuthenticator
from gateway.oauth.dpop import DpopProofs
from gateway.oauth.mtls import ClientCertificates
from gateway.oauth.nonce import Nonces
from gateway.oauth.signing_keys import SigningKeys
from gateway.settings import Settings
from gateway.store import Store


@dataclass(frozen=True, slots=True)
class OAuthParts:
    """`server_proofs` are for the authorization server's own endpoints; `authenticate` is for `/graphql`."""

    signing_keys: SigningKeys
    tokens: AccessTokens
    certificates: ClientCertificates
    server_proofs: DpopProofs
    authenticate: TokenAuthenticator


def oauth_parts(settings: Settings, store: Store, clock: Clock) -> OAuthParts:
    """Secrets grow from the database's own root key, so replicas agree without a word."""
    issuer = settings.base_url
    signing_keys = SigningKeys(store.signing_keys, clock)
    tokens = AccessTokens(issuer, signing_keys, clock, lifetime_s=settings.access_token_s)
    certificates = ClientCertificates(settings.client_certificate_header, clock)

    def proofs(place: str, on: bool) -> DpopProofs:
        nonces = Nonces(store.keys.derive(f"dpop-nonce/{place}/v1"), clock) if on else None
        return DpopProofs(issuer, nonces, clock)

    return OAuthParts(
        signing_keys,
        tokens,
        certificates,
        proofs("authorization-server", settings.dpop_nonces != "off"),
        TokenAuthenticator(
            tokens,
            proofs("graphql", settings.dpop_nonces == "everywhere"),
            store.door,
            clock,
            resource=f"{issuer}/graphql",
            certificates=certificates,
            on_revoked=store.live_consents.note_dead_token,
        ),
    )
