"""A small authorization server and a resource behind it, both real on loopback; verified with joserfc, not with ours."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from joserfc import jws
from joserfc.jwk import ECKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

CLIENT = "gateway-cc"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def new_key() -> tuple[dict[str, Any], ECKey]:
    """A private JWK as a file holds it, and the public key the server is told of."""
    key = ECKey.generate_key("P-256", {"kid": "k1"})
    return dict(key.as_dict(private=True)), key


@dataclass
class Server:
    """The issuer is `url`; switches decide what it does. Everything it refuses is in `faults`."""

    client_key: ECKey
    url: str = ""
    lives_s: float = 300
    as_nonce: str | None = None  # demanded at the token endpoint
    rs_nonce: str | None = None  # demanded at the resource
    token_error: tuple[int, str] | None = None
    token_body: Mapping[str, Any] = field(default_factory=dict)  # laid over the answer
    metadata: Mapping[str, Any] = field(default_factory=dict)  # the same for metadata
    pause_s: float = 0.0
    forms: list[dict[str, str]] = field(default_factory=list)
    metadata_reads: int = 0
    resource_calls: int = 0
    live: dict[str, str] = field(default_factory=dict)  # token -> jkt
    spent: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)

    def routes(self) -> list[Route]:
        return [
            Route("/.well-known/oauth-authorization-server", self._metadata),
            Route("/token", self._token, methods=["POST"]),
        ]

    def app(self, body: bytes = b'{"list": []}') -> Starlette:
        """With a resource at /q."""

        async def resource(request: Request) -> Response:
            return self.admit(request) or Response(body, media_type="application/json")

        return Starlette(routes=[*self.routes(), Route("/q", resource, methods=["GET", "POST"])])

    def admit(self, request: Request) -> Response | None:
        """The refusal of a request to a resource; None lets it pass."""
        self.resource_calls += 1
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "DPoP" or token not in self.live:
            return self._challenge("invalid_token")
        ath = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
        fault = self._proof_fault(request, ath=ath, jkt=self.live[token], nonce=self.rs_nonce)
        return self._challenge(fault, self.rs_nonce) if fault else None

    async def _metadata(self, request: Request) -> Response:
        self.metadata_reads += 1
        return JSONResponse({"issuer": self.url, "token_endpoint": f"{self.url}/token", **self.metadata})

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(), strict_parsing=True))
        self.forms.append(form)
        await asyncio.sleep(self.pause_s)
        if self.token_error:
            status, code = self.token_error
            headers = {"dpop-nonce": self.as_nonce} if self.as_nonce else {}
            return JSONResponse({"error": code, "error_description": "SECRET"}, status, headers)
        if fault := self._assertion_fault(form):
            self.faults.append(fault)
            return JSONResponse({"error": "invalid_client"}, 401)
        if fault := self._proof_fault(request, nonce=self.as_nonce):
            headers = {"dpop-nonce": self.as_nonce} if self.as_nonce else {}
            return JSONResponse({"error": fault}, 400, headers)
        token = f"token-{len(self.forms)}"
        self.live[token] = self._jkt(request)
        answer = {"access_token": token, "token_type": "DPoP", "expires_in": self.lives_s, **self.token_body}
        return JSONResponse(answer, headers={"cache-control": "no-store"})

    def _assertion_fault(self, form: Mapping[str, str]) -> str:
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            return "no assertion type"
        signed = jws.deserialize_compact(form["client_assertion"], self.client_key, ["ES256"])
        claims = json.loads(signed.payload)
        if (claims["iss"], claims["sub"], form.get("client_id")) != (CLIENT, CLIENT, CLIENT):
            return "not this client"
        if claims["aud"] != self.url:
            return "another audience"
        if not time.time() < claims["exp"] <= time.time() + 300:
            return "exp"
        return self._spend(claims["jti"])

    def _proof_fault(self, request: Request, *, ath: str = "", jkt: str = "", nonce: str | None = None) -> str:
        proof = request.headers.get("dpop", "")
        header = json.loads(base64.urlsafe_b64decode(proof.split(".")[0] + "=="))
        key = ECKey.import_key(header["jwk"])
        claims = json.loads(jws.deserialize_compact(proof, key, ["ES256"]).payload)
        sound = header["typ"] == "dpop+jwt" and set(header["jwk"]) == {"kty", "crv", "x", "y"}
        sound = (
            sound and claims["htm"] == request.method and claims["htu"] == self.url + request.scope["raw_path"].decode()
        )
        sound = sound and abs(claims["iat"] - time.time()) < 60 and claims.get("ath", "") == ath
        sound = sound and (not jkt or key.thumbprint() == jkt)
        if fault := "" if sound else "invalid_dpop_proof":
            self.faults.append(fault)
            return fault
        if nonce is not None and claims.get("nonce") != nonce:
            return "use_dpop_nonce"
        return self._spend(claims["jti"])

    def _spend(self, jti: str) -> str:
        if jti in self.spent:
            self.faults.append("replayed")
            return "invalid_dpop_proof"
        self.spent.add(jti)
        return ""

    @staticmethod
    def _jkt(request: Request) -> str:
        header = json.loads(base64.urlsafe_b64decode(request.headers["dpop"].split(".")[0] + "=="))
        return str(ECKey.import_key(header["jwk"]).thumbprint())

    @staticmethod
    def _challenge(error: str, nonce: str | None = None) -> Response:
        headers = {"www-authenticate": f'DPoP realm="lab", error="{error}", algs="ES256"'}
        if nonce:
            headers["dpop-nonce"] = nonce
        return JSONResponse({"error": error}, 401, headers)
