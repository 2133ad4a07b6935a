"""A wallet in Python: keys, key proofs, presentations and answers, well made unless a test says otherwise."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp

from credentials.jose import LocalSigner, base64url, dumps, encrypt, parse, sign
from credentials.key_binding import sd_hash
from credentials.openid4vp.request_object import MEDIA_TYPE, TYP
from credentials.sd_jwt import read


@dataclass(frozen=True, slots=True)
class Request:
    """A request object as the wallet took it apart; `header` and `claims` as they were signed."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]


@dataclass
class Holder:
    """One wallet: `credentials` by query id, each an SD-JWT VC ending in `~` bound to `key`."""

    key: LocalSigner = field(default_factory=LocalSigner.generate)
    credentials: dict[str, str] = field(default_factory=dict)

    @property
    def jwk(self) -> dict[str, str]:
        """For `cnf`."""
        return dict(self.key.public.jwk)

    def proof(self, issuer: str, nonce: str | None, *, at: datetime | None = None, **changes: Any) -> str:
        """A key proof of OpenID4VCI (appendix F.1)."""
        claims: dict[str, Any] = {"aud": issuer, "iat": int((at or datetime.now(UTC)).timestamp())}
        claims |= {"nonce": nonce} if nonce is not None else {}
        header = {"typ": "openid4vci-proof+jwt", "jwk": self.jwk}
        return sign(self.key, header, dumps(claims | changes))

    def present(
        self,
        credential: str,
        claims: Sequence[str],
        *,
        aud: str,
        nonce: str,
        at: datetime | None = None,
        key: LocalSigner | None = None,
        transaction_data: Sequence[str] = (),
        **changes: Any,
    ) -> str:
        """The credential with the disclosures of `claims` alone, and its key binding; `changes` of the binding's claims."""
        taken = read(credential)
        chosen = [one.text for one in taken.disclosures if one.name in claims]
        presented = "~".join([credential.partition("~")[0], *chosen, ""])
        said: dict[str, Any] = {
            "iat": int((at or datetime.now(UTC)).timestamp()),
            "aud": aud,
            "nonce": nonce,
            "sd_hash": sd_hash(presented),
        }
        if transaction_data:
            hashes = [base64url(hashlib.sha256(one.encode()).digest()) for one in transaction_data]
            said |= {"transaction_data_hashes": hashes, "transaction_data_hashes_alg": "sha-256"}
        return presented + sign(key or self.key, {"typ": "kb+jwt"}, dumps(said | changes))

    def answer(self, request: Request, **changes: Any) -> dict[str, list[str]]:
        """`vp_token` for everything the query asks for that this wallet has."""
        found = {}
        for asked in request.claims["dcql_query"]["credentials"]:
            if asked["id"] in self.credentials:
                names = [one["path"][0] for one in asked.get("claims", ())]
                found[asked["id"]] = [
                    self.present(
                        self.credentials[asked["id"]],
                        names,
                        aud=request.claims["client_id"],
                        nonce=request.claims["nonce"],
                        transaction_data=request.claims.get("transaction_data", ()),
                        **changes,
                    )
                ]
        return found

    async def fetch(self, session: aiohttp.ClientSession, link: str, *, wallet_nonce: str | None = None) -> Request:
        """What stands behind a link of any scheme; by POST where a nonce is given."""
        uri = parse_qs(urlsplit(link).query)["request_uri"][0]
        if wallet_nonce is None:
            sent = session.get(uri, headers={"accept": MEDIA_TYPE})
        else:
            sent = session.post(uri, data={"wallet_nonce": wallet_nonce})
        async with sent as reply:
            assert reply.status == 200, await reply.text()
            assert reply.content_type == MEDIA_TYPE
            taken = parse(await reply.text(), typ=TYP)
            return Request(taken.header, taken.claims)

    async def send(
        self, session: aiohttp.ClientSession, request: Request, vp_token: Any, **members: Any
    ) -> tuple[int, dict[str, Any]]:
        """Answered as the request wants it; a member None is left out."""
        said = {"vp_token": vp_token, "state": request.claims["state"], **members}
        said = {name: value for name, value in said.items() if value is not None}
        if request.claims["response_mode"] == "direct_post.jwt":
            form = {"response": sealed(request, said)}
        else:
            form = {name: one if isinstance(one, str) else dumps(one).decode() for name, one in said.items()}
        async with session.post(request.claims["response_uri"], data=form) as reply:
            return reply.status, await reply.json(content_type=None)


def sealed(request: Request, said: Mapping[str, Any], key: Mapping[str, Any] | None = None) -> str:
    """The JWE of an answer, to the request's own key unless another is given."""
    own = request.claims["client_metadata"]["jwks"]["keys"][0]
    return encrypt(dumps(dict(said)), key or own, enc="A128GCM")
