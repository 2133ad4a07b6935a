"""A request as authlib's flows see it, and a client as they ask it; both are ours underneath."""

from __future__ import annotations

from datetime import datetime

from authlib.oauth2.rfc6749 import ClientMixin, OAuth2Request
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload

from gateway.oauth.binding import Binding
from gateway.oauth.client import Client
from gateway.oauth.incoming import Incoming
from gateway.oauth.keeping import Tally

# Authlib looks at the scheme of a request's URL. Ours is the operator's matter (`public_url`) and never the request's.
_URL = "https://yimen.invalid"


class FlowRequest(OAuth2Request):
    """`began`: read before client or grant are looked up. `binding`: what tokens are bound to, once the client is known.
    `tally`: what the request shows and is not spent yet."""

    def __init__(self, incoming: Incoming, began: datetime) -> None:
        super().__init__(incoming.method, _URL + incoming.path)
        self.incoming, self.began = incoming, began
        self.payload = BasicOAuth2Payload(dict(incoming.form))
        self.binding = Binding()
        self.tally = Tally()

    @property
    def form(self) -> dict[str, str]:
        found: dict[str, str] = self.payload.data
        return found


class FlowClient(ClientMixin):
    """What authlib asks of a client, answered from its registration."""

    def __init__(self, client: Client) -> None:
        self.registered = client

    @property
    def client_id(self) -> str:
        return self.registered.client_id

    def get_client_id(self) -> str:
        return self.registered.client_id

    def get_default_redirect_uri(self) -> None:
        """There is none: every request names its own, and PAR insists on it."""

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """What of `scope` the client is registered for, all of it where nothing is asked; None where it asks for more.

        Authlib's example drops what is too much in silence; a client that is told nothing finds out in production.
        """
        if not scope:
            return " ".join(sorted(self.registered.scope))
        asked = scope.split(" ")
        return scope if len(set(asked)) == len(asked) and self.registered.scope.issuperset(asked) else None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Compared as text, exactly (FAPI 2.0, 5.3.2.2)."""
        return redirect_uri in self.registered.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        return False

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == self.registered.token_endpoint_auth_method

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code" and self.check_grant_type("authorization_code")

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in self.registered.grant_types
