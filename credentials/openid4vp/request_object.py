"""The signed request a wallet fetches (OpenID4VP 1.0, section 5; RFC 9101)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from credentials.jose import ENCRYPTION, ES256, Signer, base64url, dumps, sign

TYP = "oauth-authz-req+jwt"
MEDIA_TYPE = "application/oauth-authz-req+jwt"
AUDIENCE = "https://self-issued.me/v2"
"""Of every wallet that is discovered by a link (section 5.8)."""
DIRECT_POST, DIRECT_POST_JWT = "direct_post", "direct_post.jwt"
PURPOSE_FORMAT = "urn:yimen:purpose:v1"
CONSENT_TYPE = "urn:yimen:consent:v1"
_ALGS = {"sd-jwt_alg_values": [ES256], "kb-jwt_alg_values": [ES256]}
_W3C_ALGS = {"alg_values": [ES256]}


@dataclass(frozen=True, slots=True)
class Ask:
    """Everything of one request but its times. `encryption`: the public JWK answers are encrypted to, with its `kid`.

    `verifier`: what the wallet shows of the asker in words, `data` of a `verifier_info` entry. `transaction_data`: each
    as it is sent, base64url of JSON.
    """

    client_id: str
    client_name: str
    response_uri: str
    response_mode: str
    nonce: str = field(repr=False)
    state: str = field(repr=False)
    dcql: Mapping[str, Any]
    encryption: Mapping[str, Any]
    verifier: Mapping[str, Any]
    transaction_data: Sequence[str] = ()
    wallet_nonce: str | None = field(default=None, repr=False)


def request_object(signer: Signer, ask: Ask, *, issued_at: datetime, expires_at: datetime) -> str:
    """The compact JWS. Its header carries the chain the client identifier's hash is of."""
    claims: dict[str, Any] = {
        "iss": ask.client_id,  # ignored by wallets (section 5.8); RFC 9101 expects it
        "aud": AUDIENCE,
        "response_type": "vp_token",
        "response_mode": ask.response_mode,
        "client_id": ask.client_id,
        "response_uri": ask.response_uri,
        "nonce": ask.nonce,
        "state": ask.state,
        "dcql_query": ask.dcql,
        "client_metadata": client_metadata(ask),
        "verifier_info": [{"format": PURPOSE_FORMAT, "data": ask.verifier}],
        "iat": int(issued_at.timestamp()),
        "exp": int(expires_at.timestamp()),
    }
    if ask.transaction_data:
        claims["transaction_data"] = list(ask.transaction_data)
    if ask.wallet_nonce is not None:
        claims["wallet_nonce"] = ask.wallet_nonce
    header: dict[str, Any] = {"typ": TYP, "kid": signer.kid}
    if signer.x5c:
        header["x5c"] = list(signer.x5c)
    return sign(signer, header, dumps(claims))


def client_metadata(ask: Ask) -> dict[str, Any]:
    key = {**ask.encryption, "use": "enc", "alg": "ECDH-ES"}
    return {
        "client_name": ask.client_name,
        "jwks": {"keys": [key]},
        "encrypted_response_enc_values_supported": list(ENCRYPTION),
        "vp_formats_supported": {"dc+sd-jwt": _ALGS, "vc+jwt": _W3C_ALGS},
    }


def transaction(credential_ids: Sequence[str], data: Mapping[str, Any]) -> str:
    """A consent to be given by the answer, as the holder signs its hash (appendix B.3.3.1)."""
    said = {
        "type": CONSENT_TYPE, "credential_ids": list(credential_ids), "transaction_data_hashes_alg": ["sha-256"], **data,
    }  # fmt: skip
    return base64url(dumps(said))
