"""One OIDC provider, spoken to through authlib's parts over our own egress: discovery, the way there, the ID token.

Source: OpenID Connect Core 1.0, sections 3.1.2 and 3.1.3; Discovery 1.0, section 4.3; RFC 9207; RFC 7636.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import quote_plus

import orjson
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey, import_key

from adapters.egress import Channel, Egress, Rule, Tls
from adapters.errors import AdapterError
from gateway.clock import Clock
from gateway.services.oidc_providers import OidcProvider, host_port

_TIMEOUT_S = 5.0
_FRESH_S = 3600.0  # discovery and keys are read again after this
_AGAIN_S = 30.0  # and no sooner for a key we do not know
_LEEWAY_S = 10
_LARGEST = 256 * 1024
_LONGEST_TOKEN = 16_384
_KEY_TYPES = {"ES256": ECKey, "PS256": RSAKey, "RS256": RSAKey, "EdDSA": OKPKey}


class OidcFailed(Exception):
    """The provider, or who claims to be it, gave nothing to log in with. `why` is a short code for the log."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class OidcClient:
    """Reaches the configured issuer's host, and no other. One for each provider in a process."""

    def __init__(self, provider: OidcProvider, egress: Egress, clock: Clock, redirect_uri: str) -> None:
        self.provider, self.redirect_uri = provider, redirect_uri
        self._clock = clock
        self._channel: Channel = egress.open(
            Rule(
                name=f"oidc/{provider.name}",
                hosts=provider.reachable,
                tls=Tls(ca_file=provider.ca_file),
                connections=4,
                read_timeout_s=_TIMEOUT_S,
                max_response_bytes=_LARGEST,
                allow_plain_http=provider.loopback,
            )
        )
        self._metadata: tuple[float, dict[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None

    async def authorization_url(self, state: str, nonce: str, verifier: str) -> str:
        """Where to send the browser. Raises OidcFailed."""
        metadata = await self._discovered()
        url: str = prepare_grant_uri(
            metadata["authorization_endpoint"],
            self.provider.client_id,
            "code",
            redirect_uri=self.redirect_uri,
            scope=self.provider.scope,
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
            max_age=self.provider.max_age_s,
            acr_values=self.provider.acr_values,
        )
        return url

    async def claims(self, answer: Mapping[str, str], nonce: str, verifier: str) -> Mapping[str, Any]:
        """The ID token's claims for what came back with the browser (its `state` compared before). Raises OidcFailed."""
        metadata = await self._discovered()
        issuer = answer.get("iss")
        promised = metadata.get("authorization_response_iss_parameter_supported") is True
        if (issuer is None and promised) or (issuer is not None and issuer != self.provider.issuer):
            raise OidcFailed("iss_parameter")  # RFC 9207: another provider's answer, mixed up with this one's
        if "error" in answer or "code" not in answer:
            raise OidcFailed("refused_there")
        token = await self._token(metadata["token_endpoint"], answer["code"], verifier)
        id_token = token.get("id_token")
        if not isinstance(id_token, str) or len(id_token) > _LONGEST_TOKEN:
            raise OidcFailed("no_id_token")
        return await self._validated(id_token, nonce, token.get("access_token"))

    async def _token(self, endpoint: str, code: str, verifier: str) -> Mapping[str, Any]:
        body = prepare_token_request(
            "authorization_code", redirect_uri=self.redirect_uri, code=code, code_verifier=verifier
        )
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        endpoint, headers, body = self._authentication().prepare("POST", endpoint, headers, body)
        return await self._json("POST", endpoint, headers, str(body).encode())

    def _authentication(self) -> ClientAuth:
        provider = self.provider
        if provider.private_key is None:
            # Form-encoded before they are joined (RFC 6749, section 2.3.1), which authlib leaves to whoever calls it.
            pair = (quote_plus(provider.client_id), quote_plus(provider.secret or ""))
            return ClientAuth(*pair, "client_secret_basic")
        key = import_key(provider.private_key, "RSA" if "RSA" in provider.private_key[:40] else "EC")
        algorithm = "PS256" if isinstance(key, RSAKey) else "ES256"
        return ClientAuth(provider.client_id, key, PrivateKeyJWT(alg=algorithm))

    async def _validated(self, id_token: str, nonce: str, access_token: Any) -> Mapping[str, Any]:
        provider = self.provider
        token = await self._decoded(id_token)
        claims = CodeIDToken(
            token.claims,
            token.header,
            options={"iss": {"essential": True, "value": provider.issuer}},
            params={
                "nonce": nonce,
                "client_id": provider.client_id,
                "max_age": provider.max_age_s,
                "access_token": access_token,
            },
        )
        now = self._clock.now().timestamp()
        try:
            claims.validate(now=int(now), leeway=_LEEWAY_S)
        except (JoseError, ValueError, TypeError) as error:
            raise OidcFailed(getattr(error, "error", "claims")) from None
        # Authlib lets further audiences pass; we trust none (Core 3.1.3.7, step 3).
        if claims["aud"] not in (provider.client_id, [provider.client_id]):
            raise OidcFailed("aud")
        if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 255:
            raise OidcFailed("sub")
        auth_time: Any = claims.get("auth_time")
        if type(auth_time) not in (int, float) or now - auth_time > provider.max_age_s + _LEEWAY_S:
            raise OidcFailed("auth_time")  # authlib asks that it is there, not that it is recent
        if auth_time > now + _LEEWAY_S:
            raise OidcFailed("auth_time")
        if provider.acr_values and claims.get("acr") not in provider.acr_values.split():
            raise OidcFailed("acr")
        return dict(claims)

    async def _decoded(self, id_token: str) -> jwt.Token:
        """The signature holds under a key of the provider and an algorithm of ours."""
        for again in (False, True):
            keys = await self._signing_keys(again=again)
            try:
                return jwt.decode(id_token, partial(_chosen, keys), algorithms=list(self.provider.signing_algs))
            except _KeyUnknown:
                continue
            except (JoseError, ValueError, TypeError, KeyError):
                raise OidcFailed("signature") from None
        raise OidcFailed("key")

    async def _signing_keys(self, *, again: bool) -> KeySet:
        now = time.monotonic()
        if self._keys is None or now - self._keys[0] > (_AGAIN_S if again else _FRESH_S):
            metadata = await self._discovered()
            found = await self._json("GET", metadata["jwks_uri"], {"Accept": "application/json"}, None)
            usable = [
                one
                for one in found.get("keys", [])
                if isinstance(one, dict) and one.get("kty") in ("EC", "RSA", "OKP") and one.get("use", "sig") == "sig"
            ]
            try:
                self._keys = (now, KeySet.import_key_set({"keys": usable}))
            except (JoseError, ValueError, TypeError, KeyError):
                raise OidcFailed("jwks") from None
        return self._keys[1]

    async def _discovered(self) -> dict[str, Any]:
        now = time.monotonic()
        if self._metadata is None or now - self._metadata[0] > _FRESH_S:
            issuer = self.provider.issuer
            url = issuer.rstrip("/") + "/.well-known/openid-configuration"
            found = await self._json("GET", url, {"Accept": "application/json"}, None)
            if found.get("issuer") != issuer:
                raise OidcFailed("discovered_issuer")
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                if not self._is_theirs(found.get(name)):
                    raise OidcFailed("discovered_endpoint")
            self._metadata = (now, dict(found))
        return self._metadata[1]

    def _is_theirs(self, url: Any) -> bool:
        """On the hosts the operator named, with TLS unless on loopback: also where the browser is sent."""
        try:
            known = isinstance(url, str) and host_port(url) in self.provider.reachable
        except ValueError:
            return False
        return known and (url.startswith("https://") or self.provider.loopback)

    async def _json(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> Mapping[str, Any]:
        try:
            reply = await self._channel.send(method, url, headers=headers, body=body, timeout_s=_TIMEOUT_S)
        except AdapterError:
            raise OidcFailed("unreachable") from None
        if reply.status != 200:
            raise OidcFailed("refused_there" if reply.status in (400, 401) else "unreachable")
        try:
            found = orjson.loads(reply.body)
        except orjson.JSONDecodeError:
            raise OidcFailed("not_json") from None
        if not isinstance(found, dict):
            raise OidcFailed("not_json")
        return found


class _KeyUnknown(Exception):
    pass


def _chosen(keys: KeySet, jws: Any) -> Any:
    """The key a token names, of the type its algorithm needs; the only one of that type where it names none."""
    header: Mapping[str, Any] = jws.headers()
    wanted = _KEY_TYPES.get(str(header.get("alg")))
    fitting = [key for key in keys.keys if wanted is not None and isinstance(key, wanted)]
    if "kid" in header:
        fitting = [key for key in fitting if key.kid == header["kid"]]
    if len(fitting) != 1:
        raise _KeyUnknown
    return fitting[0]
