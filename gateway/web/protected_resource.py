"""What a client must know of the GraphQL endpoint before it has a token: RFC 9728 metadata."""

from __future__ import annotations

import orjson
from starlette.types import Receive, Scope, Send

from gateway.oauth.jose import ALGORITHMS
from gateway.oauth.terms import RAR_TYPE, SCOPE
from gateway.web.problems import Reply

PATH = "/.well-known/oauth-protected-resource/graphql"


def metadata_url(base_url: str) -> str:
    """Where the metadata of `<base_url>/graphql` stands: the well-known part goes before the path (RFC 9728, 3.1)."""
    scheme, _, rest = base_url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host}/.well-known/oauth-protected-resource{slash}{path}/graphql"


class ProtectedResource:
    """The endpoint. `resource` equals the URL it was asked for, so a client can tell that nobody stands between."""

    def __init__(self, base_url: str, *, certificates: bool = False) -> None:
        document = {
            "resource": f"{base_url}/graphql",
            "authorization_servers": [base_url],
            "scopes_supported": [SCOPE],
            "bearer_methods_supported": ["header"],
            "resource_name": "yimen GraphQL",
            "resource_name#zh": "一门数据查询接口",
            "authorization_details_types_supported": [RAR_TYPE],
            "dpop_signing_alg_values_supported": list(ALGORITHMS),
            "dpop_bound_access_tokens_required": not certificates,
            "tls_client_certificate_bound_access_tokens": certificates,
        }
        headers = ((b"cache-control", b"public, max-age=3600"), (b"access-control-allow-origin", b"*"))
        self._reply = Reply(200, orjson.dumps(document), b"application/json", headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._reply(scope, receive, send)
