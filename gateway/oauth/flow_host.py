"""What a flow may ask of the server it runs in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from gateway.oauth.flow_request import FlowClient, FlowRequest
from gateway.oauth.kit import Kit
from gateway.oauth.ports import Grant


class FlowHost(Protocol):
    kit: Kit

    def authenticate_client(self, request: FlowRequest, methods: Any, endpoint: str = "token") -> FlowClient: ...

    def settle(self, request: FlowRequest, client: FlowClient) -> None:
        """Spend what the request showed. Raises InvalidClient or OAuthError invalid_dpop_proof for a second time."""
        ...

    def issue(self, request: FlowRequest, grant: Grant, resource: str) -> dict[str, Any]:
        """The answer with an access token for `grant`, which is already as narrow as it shall be."""
        ...

    def back_to(self, redirect_uri: str, answer: Mapping[str, str], state: str | None) -> str:
        """`redirect_uri` with an authorization response, success or not."""
        ...
