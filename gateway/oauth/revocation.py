"""Revocation (RFC 7009): a client gives up its own token; 200 whatever it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from authlib.oauth2.rfc7009 import RevocationEndpoint
from sqlalchemy.util import await_only

from gateway.oauth.errors import OAuthError
from gateway.oauth.introspection import Held, find_token

if TYPE_CHECKING:
    from gateway.oauth.flow_host import FlowHost
    from gateway.oauth.flow_request import FlowClient, FlowRequest


class Revocation(RevocationEndpoint):
    server: FlowHost

    def authenticate_token(self, request: FlowRequest, client: FlowClient) -> Held | None:
        """None for a token that is somebody else's: authlib answers invalid_grant, and so tells a stranger it is live."""
        if "token" not in request.form:
            raise OAuthError("invalid_request", "token_missing")
        found = find_token(self.server.kit, request.form["token"])
        return found if found is not None and found.check_client(client) else None

    def revoke_token(self, token: Held, request: FlowRequest) -> None:
        """A refresh token takes its whole grant along; an access token only itself."""
        kit = self.server.kit
        if token.access is not None:
            await_only(kit.revoker.revoke_token(token.access.token_id))
        else:
            await_only(kit.grants.revoke(token.grant_id, token.client_id))

    def query_token(self, token_string: str, token_type_hint: str | None) -> Any:
        """Not asked: `authenticate_token` finds the token itself."""
        raise NotImplementedError
