"""Where authlib's stock classes fall short of FAPI 2.0: each trap shown on the stock class, and closed in ours.

The stock half of every test documents why we subclass; should authlib mend one, that half fails and tells us.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, InvalidClientError, OAuth2Request, grants
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from authlib.oauth2.rfc7636 import CodeChallenge
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from joserfc.jws import JWSRegistry

from gateway.oauth.errors import OAuthError
from gateway.oauth.jose import PrivateKey
from tests.fakes.authorization import BASE, OFFICER, OFFICER_KEY, VERIFIER, Desk, refused

pytestmark = pytest.mark.anyio


# A small authorization server as authlib's documentation builds one.


class StockClient(ClientMixin):  # type: ignore[misc]  # authlib is untyped
    client_id = "desk"

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return True

    def check_grant_type(self, grant_type: str) -> bool:
        return True

    def check_client(self, client: Any) -> bool:
        return False

    def get_allowed_scope(self, scope: str | None) -> str:
        return scope or ""


class StockCode:
    code_challenge, code_challenge_method = VERIFIER, None

    def get_redirect_uri(self) -> str:
        return ""

    def get_scope(self) -> str:
        return ""


class StockRequest(OAuth2Request):  # type: ignore[misc]
    def __init__(self, form: dict[str, str]) -> None:
        super().__init__("POST", "https://as.example/token")
        self.payload = BasicOAuth2Payload(form)

    @property
    def form(self) -> dict[str, str]:
        return dict(self.payload.data)


class StockServer(AuthorizationServer):  # type: ignore[misc]
    """Counts what it saves and deletes, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []
        self.register_token_generator("default", self._token)

    def _token(self, **given: Any) -> dict[str, str]:
        assert "request" not in given  # the generator never sees the request, so it cannot bind a token to a proof
        return {"access_token": "a", "token_type": "Bearer"}

    def query_client(self, client_id: str) -> StockClient:
        return StockClient()

    def authenticate_client(self, request: Any, methods: Any, endpoint: str = "token") -> StockClient:
        return StockClient()

    def save_token(self, token: Any, request: Any) -> None:
        self.done.append("saved")

    def send_signal(self, *_: Any, **__: Any) -> None: ...

    def create_oauth2_request(self, request: Any) -> Any:
        return request

    def handle_response(self, *response: Any) -> Any:
        return response


class StockCodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc]
    def query_authorization_code(self, code: str, client: Any) -> StockCode | None:
        return None if "deleted" in self.server.done else StockCode()

    def delete_authorization_code(self, authorization_code: Any) -> None:
        self.server.done.append("deleted")

    def authenticate_user(self, authorization_code: Any) -> str:
        return "user"


class StockRefreshGrant(grants.RefreshTokenGrant):  # type: ignore[misc]
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Any:
        return type("Token", (), {"check_client": lambda *_: True, "get_scope": lambda _: ""})()

    def authenticate_user(self, refresh_token: Any) -> str:
        return "user"

    def revoke_old_credential(self, refresh_token: Any) -> None:
        self.server.done.append("old one revoked")


def stock_code_grant(form: dict[str, str]) -> tuple[StockServer, StockCodeGrant]:
    server = StockServer()
    grant = StockCodeGrant(StockRequest(form), server)
    CodeChallenge(required=True)(grant)
    return server, grant


async def test_pkce_plain_is_authlib_s_default_and_none_of_ours(desk: Desk) -> None:
    _, grant = stock_code_grant({"code": "c", "code_verifier": VERIFIER})
    grant.validate_token_request()  # the challenge in clear is its own verifier

    error = await refused(desk.push(code_challenge=VERIFIER, code_challenge_method=""))
    assert error.reason == "pkce_method"
    error = await refused(desk.push(code_challenge=VERIFIER, code_challenge_method="plain"))
    assert error.reason == "pkce_method"
    code = await desk.code(code_challenge=VERIFIER)  # 43 characters, so it looks like an S256 challenge
    assert (await refused(desk.redeem(code, code_verifier=VERIFIER))).code == "invalid_grant"


async def test_a_confidential_client_without_pkce_passes_authlib_and_not_us(desk: Desk) -> None:
    server = StockServer()
    grant = StockCodeGrant(StockRequest({}), server)
    CodeChallenge(required=True)(grant)
    CodeChallenge(required=True).validate_code_challenge(grant, "https://desk.example/cb")  # nothing is missed

    assert (await refused(desk.push(code_challenge="", code_challenge_method=""))).reason == "pkce_method"
    assert (await refused(desk.redeem(await desk.code(), code_verifier=""))).reason == "pkce_verifier"


async def test_authlib_saves_the_token_before_it_deletes_the_code_and_we_consume_it_first(desk: Desk) -> None:
    form = {"code": "c", "code_verifier": VERIFIER}
    server, first = stock_code_grant(form)
    second = StockCodeGrant(StockRequest(form), server)
    first.validate_token_request()
    second.validate_token_request()  # two at once: both find the code
    first.create_token_response()
    second.create_token_response()
    assert server.done == ["saved", "deleted", "saved", "deleted"]  # and both got a token

    code = await desk.code()
    answers = await asyncio.gather(*(desk.redeem(code) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(one, dict) for one in answers) <= 1
    assert all(one.code == "invalid_grant" for one in answers if isinstance(one, OAuthError))


async def test_authlib_lets_a_refresh_token_be_rotated_twice_and_notices_no_reuse(desk: Desk) -> None:
    server = StockServer()
    two = [StockRefreshGrant(StockRequest({"refresh_token": "r"}), server) for _ in range(2)]
    for grant in two:
        grant.validate_token_request()
    for grant in two:
        grant.create_token_response()
    assert server.done == ["saved", "old one revoked"] * 2

    await desk.register_all(replace(OFFICER, refresh_rotation="always"))
    token = (await desk.tokens_of_officer())["refresh_token"]
    newer = await desk.refresh(token)
    assert (await refused(desk.refresh(token))).code == "invalid_grant"
    assert (await refused(desk.refresh(newer["refresh_token"]))).code == "invalid_grant"  # the thief's, or the victim's


class StockAssertion(JWTBearerClientAssertion):  # type: ignore[misc]
    def __init__(self, key: Any) -> None:
        super().__init__()
        self.key, self.seen = key, set()

    def get_audiences(self) -> list[str]:
        return [BASE]

    def validate_jti(self, claims: Any, jti: str) -> bool:
        return True

    def resolve_client_public_key(self, client: Any) -> KeySet:
        return KeySet.import_key_set({"keys": [self.key]})


def stock_accepts(assertion: str, jwk: Mapping[str, Any] | None = None) -> bool:
    form = {"client_assertion": assertion, "client_assertion_type": JWTBearerClientAssertion.CLIENT_ASSERTION_TYPE}
    public = {name: value for name, value in OFFICER_KEY.public_jwk().items() if name != "alg"}
    try:
        return StockAssertion(jwk or public)(lambda _: StockClient(), StockRequest(form)) is not None
    except InvalidClientError:
        return False


@pytest.mark.parametrize(
    ("trap", "claims"),
    [
        ("an array of audiences", {"aud": [BASE, "https://other.example"]}),
        ("no ceiling for exp", {"exp": 4_000_000_000}),
        ("an assertion that lapsed within the leeway", {"exp": -30}),
    ],
)
async def test_client_assertions_that_authlib_takes_and_we_do_not(
    desk: Desk, trap: str, claims: dict[str, Any]
) -> None:
    now = int(time.time())
    fresh = {"iss": "desk", "sub": "desk", "aud": BASE, "exp": now + 60, "iat": now, "jti": secrets.token_hex(8)}
    lapsed = claims.get("exp", 0) < 0  # that many seconds ago
    theirs = {"exp": int(time.time()) + claims["exp"]} if lapsed else claims
    assert stock_accepts(OFFICER_KEY.sign({}, fresh | theirs)), trap

    claims = {"exp": desk.now() - 1} if lapsed else claims
    error = await refused(desk.push(client_assertion=desk.assertion("desk", **claims)))
    assert (error.code, error.status) == ("invalid_client", 401)


async def test_authlib_takes_any_algorithm_the_key_can_do_and_we_only_those_of_fapi(desk: Desk) -> None:
    key = RSAKey.generate_key(2048, parameters={"kid": "r"}, private=True)
    public = key.as_dict(private=False)
    now = int(time.time())
    claims = {"iss": "desk", "sub": "desk", "aud": BASE, "exp": now + 60, "jti": "j"}
    assert stock_accepts(jwt.encode({"alg": "RS256"}, claims, key), public)

    await desk.register_all(replace(OFFICER, jwks={"keys": [public]}, token_endpoint_auth_signing_alg="PS256"))
    ours = {**claims, "exp": desk.now() + 60}
    registry = JWSRegistry(algorithms=["RS256", "PS256"])
    refused_one = jwt.encode({"alg": "RS256"}, ours, key, registry=registry)
    assert (await refused(desk.push(client_assertion=refused_one))).code == "invalid_client"
    assert await desk.push(client_assertion=jwt.encode({"alg": "PS256"}, ours, key, registry=registry))


async def test_authlib_says_invalid_client_with_400_and_names_what_failed_and_we_do_not(desk: Desk) -> None:
    status, body, _ = InvalidClientError(description="The client does not exist on this server.")()
    assert status == 400
    assert "does not exist" in body["error_description"]

    stranger = PrivateKey.generate()
    unknown = await refused(desk.push(client_assertion=desk.assertion("nobody", stranger)))
    forged = await refused(desk.push(client_assertion=desk.assertion("desk", stranger)))
    assert (unknown.code, unknown.status, unknown.reason) == ("invalid_client", 401, "invalid_client")
    assert (forged.code, forged.status, forged.reason) == (unknown.code, unknown.status, unknown.reason)


async def test_authlib_tells_a_stranger_that_a_token_is_live_and_we_do_not(desk: Desk) -> None:
    class Revocation(RevocationEndpoint):  # type: ignore[misc]
        def query_token(self, token_string: str, token_type_hint: str | None) -> Any:
            return StockClient() if token_string == "live" else None

    endpoint = Revocation(StockServer())
    assert endpoint.authenticate_token(StockRequest({"token": "dead"}), StockClient()) is None
    with pytest.raises(Exception, match="invalid_grant"):
        endpoint.authenticate_token(StockRequest({"token": "live"}), StockClient())

    answer = await desk.tokens_of_officer()
    assert await desk.revoke("shunde", answer["refresh_token"]) == await desk.revoke("shunde", "dead") == 200


async def test_our_generator_sees_the_request_so_each_token_is_bound_to_the_key_that_asked(desk: Desk) -> None:
    stock = StockServer()
    stock.generate_token("client_credentials", StockClient())  # see _token

    keys = [PrivateKey.generate(), PrivateKey.generate()]
    for key in keys:
        answer = await desk.redeem(await desk.code(), key=key)
        assert (await desk.claims(answer["access_token"]))["cnf"] == {"jkt": key.public.thumbprint}


async def test_no_text_of_authlib_s_with_the_request_in_it_leaves(desk: Desk) -> None:
    marked = "https://marked.example/cb"
    error = await refused(desk.push(redirect_uri=marked))
    assert "marked" not in str(error)
    assert "marked" not in str(await refused(desk.credentials("shunde", grant_type="marked")))
