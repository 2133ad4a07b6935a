"""What the credential issuer says of itself (OpenID4VCI 1.0, section 12): plain, in one language, or signed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from credentials.credential_type import SD_JWT, W3C, ClaimType, CredentialType, Text, configuration_of
from credentials.jose import ALGORITHMS, ENCRYPTION, Signer, dumps, sign
from credentials.openid4vci.encryption import ALG, RequestKey

WELL_KNOWN = "/.well-known/openid-credential-issuer"
SIGNED_TYP = "openidvci-issuer-metadata+jwt"
LOCALES = ("zh-CN", "en")


@dataclass(frozen=True, slots=True)
class IssuerFacts:
    """What the metadata is made of. `attestations`: key attestations of wallet providers we trust are a proof, too."""

    issuer: str
    name: Text
    batch: int
    request_key: RequestKey
    status_lists: str = ""  # where every status list is named (Token Status List, section 9.1)
    encryption_required: bool = False
    attestations: bool = False
    attested: frozenset[str] = frozenset()  # types whose keys must be attested


def issuer_metadata(facts: IssuerFacts, types: Iterable[CredentialType]) -> dict[str, Any]:
    """The document in every language. Each type stands in it in each of its formats."""
    issuer = facts.issuer
    configurations: dict[str, Any] = {}
    for kind in types:
        for format in (SD_JWT, W3C):
            configurations[configuration_of(kind.id, format)] = _configuration(kind, format, facts)
    return {
        "credential_issuer": issuer,
        "credential_endpoint": f"{issuer}/openid4vci/credential",
        "nonce_endpoint": f"{issuer}/openid4vci/nonce",
        "deferred_credential_endpoint": f"{issuer}/openid4vci/deferred",
        "notification_endpoint": f"{issuer}/openid4vci/notification",
        **({"status_list_aggregation_endpoint": facts.status_lists} if facts.status_lists else {}),
        "batch_credential_issuance": {"batch_size": facts.batch},
        "credential_request_encryption": {
            "jwks": {"keys": [facts.request_key.public_jwk()]},
            "enc_values_supported": list(ENCRYPTION),
            "encryption_required": facts.encryption_required,
        },
        "credential_response_encryption": {
            "alg_values_supported": [ALG],
            "enc_values_supported": list(ENCRYPTION),
            "encryption_required": facts.encryption_required,
        },
        "display": _texts(facts.name, "name"),
        "credential_configurations_supported": configurations,
    }


def in_one_language(document: Mapping[str, Any], locale: str) -> dict[str, Any]:
    """`document` with the texts of one locale only (section 12.2.2: a subset is allowed)."""
    found: dict[str, Any] = _pruned(document, locale)
    return found


def signed_metadata(document: Mapping[str, Any], signer: Signer, at: datetime) -> str:
    """Section 12.2.3. `x5c` where the key has certificates."""
    header: dict[str, Any] = {"typ": SIGNED_TYP, "kid": signer.kid}
    if signer.x5c:
        header["x5c"] = list(signer.x5c)
    claims = {**document, "iss": document["credential_issuer"], "sub": document["credential_issuer"],
              "iat": int(at.timestamp())}  # fmt: skip
    return sign(signer, header, dumps(claims))


def _configuration(kind: CredentialType, format: str, facts: IssuerFacts) -> dict[str, Any]:
    signed_by: dict[str, Any] = {"proof_signing_alg_values_supported": list(ALGORITHMS)}
    if kind.id in facts.attested:
        signed_by["key_attestations_required"] = {}  # by whom is our matter, how strong the key is kept the provider's
    configuration_id = configuration_of(kind.id, format)
    found: dict[str, Any] = {
        "format": format,
        "scope": f"credential:{configuration_id}",
        "cryptographic_binding_methods_supported": ["jwk", "did:jwk"],
        "credential_signing_alg_values_supported": list(ALGORITHMS),
        "proof_types_supported": {"jwt": signed_by} | ({"attestation": signed_by} if facts.attestations else {}),
    }
    if format == SD_JWT:
        found["vct"] = kind.vct(facts.issuer)
    else:
        found["credential_definition"] = {
            "@context": ["https://www.w3.org/ns/credentials/v2"],
            "type": ["VerifiableCredential", w3c_type(kind)],
        }
    found["credential_metadata"] = {
        "display": [
            {
                "name": one["name"],
                "locale": one["locale"],
                "description": described["description"],
                "background_color": kind.card.background,
                "text_color": kind.card.text,
            }
            for one, described in zip(_texts(kind.name, "name"), _texts(kind.description, "description"), strict=True)
        ],
        "claims": [_claim(claim, format) for claim in kind.claims],
    }
    return found


def w3c_type(kind: CredentialType) -> str:
    """The type's name among W3C types: `stable-income` is StableIncomeCredential."""
    return "".join(part.capitalize() for part in kind.id.split("-")) + "Credential"


def _claim(claim: ClaimType, format: str) -> dict[str, Any]:
    path = list(claim.path) if format == SD_JWT else ["credentialSubject", *claim.path]
    return {"path": path, "mandatory": claim.mandatory, "display": _texts(claim.label, "name")}


def _texts(text: Text, name: str) -> list[dict[str, str]]:
    return [{name: text.zh, "locale": "zh-CN"}, {name: text.en, "locale": "en"}]


def _pruned(value: Any, locale: str) -> Any:
    if isinstance(value, Mapping):
        return {name: _pruned(one, locale) for name, one in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(one, Mapping) and "locale" in one for one in value):
            return [one for one in value if one["locale"] == locale]
        return [_pruned(one, locale) for one in value]
    return value
