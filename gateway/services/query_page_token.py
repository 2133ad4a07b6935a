"""Tokens for our own query page: an officer's session and a key of that browser, for minutes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.caller import CallerKind
from gateway.clock import Clock
from gateway.oauth.access_token import AccessTokens, IssuedToken
from gateway.oauth.client import Client
from gateway.oauth.dpop import DpopProofs
from gateway.oauth.issue import claims_of_login
from gateway.oauth.ports import Grant, Login, ReplaySet, Revoker
from gateway.oauth.terms import SCOPE, Terms
from gateway.policy.purposes import PurposeRegister

CLIENT_ID = "yimen-query-page"
PATH = "/graphiql/token"
_LIFETIME_S = 300


@dataclass(frozen=True, slots=True)
class PageToken:
    issued: IssuedToken = field(repr=False)
    next_nonce: str | None = None


class QueryPageTokens:
    """The page is us: no client registers for it, nothing is redirected, and its grant is the session itself."""

    def __init__(
        self,
        *,
        tokens: AccessTokens,
        proofs: DpopProofs,
        replay: ReplaySet,
        revoker: Revoker,
        register: Callable[[], PurposeRegister],
        terms: Terms,
        clock: Clock,
    ) -> None:
        self._tokens, self._proofs, self._replay, self._revoker = tokens, proofs, replay, revoker
        self._register, self._terms, self._clock = register, terms, clock

    async def issue(self, login: Login, proof: str | None) -> PageToken:
        """A token with this officer's roles, posts and purposes as of now, bound to the key that signed `proof`.

        Raises OAuthError invalid_dpop_proof, use_dpop_nonce.
        """
        granted_at = self._clock.now()
        held = await self._proofs.accept(proof, self._replay, method="POST", path=PATH)
        client = Client(
            client_id=CLIENT_ID,
            client_name="查询页 query page",
            kind=CallerKind.OFFICER,
            org_id=login.org_id,
            org_kind=login.org_kind,
            jurisdiction=login.jurisdiction,
            jwks={"keys": []},
            purposes=frozenset(self._register().rules),
        )
        grant = Grant(
            grant_id=login.session_id,
            client_id=CLIENT_ID,
            user_id=login.user_id,
            scope=frozenset({SCOPE}),
            authorization_details=(),
            claims=claims_of_login(login, client, ()),
            granted_at=granted_at,
            expires_at=login.until,
        )
        left_s = _LIFETIME_S if login.until is None else int((login.until - granted_at).total_seconds())
        issued = await self._tokens.issue(
            grant,
            audience=self._terms.graphql,
            cnf={"jkt": held.thumbprint},
            granted_at=granted_at,
            lifetime_s=max(1, min(_LIFETIME_S, left_s)),
        )
        return PageToken(issued, held.next_nonce)

    async def end(self, session_id: str) -> None:
        """At logout: the page's tokens end with the session they came of."""
        await self._revoker.revoke_grant(session_id)
