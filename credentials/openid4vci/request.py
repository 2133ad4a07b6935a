"""What a wallet sends to the credential, deferred and notification endpoints, read strictly.

Members nobody knows are ignored, as the standard asks (8.2); those it knows have one form. Source: OpenID4VCI 1.0, sections
8.2, 9.1, 11.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from credentials.openid4vci.encryption import ResponseEncryption, read_response_encryption
from credentials.openid4vci.refused import (
    INVALID_ENCRYPTION,
    INVALID_NOTIFICATION,
    INVALID_PROOF,
    INVALID_REQUEST,
    INVALID_TRANSACTION,
    Refused,
)

JWT, ATTESTATION = "jwt", "attestation"
PROOF_TYPES = (JWT, ATTESTATION)
ACCEPTED, FAILURE, DELETED = "credential_accepted", "credential_failure", "credential_deleted"
EVENTS = (ACCEPTED, FAILURE, DELETED)
_LONGEST_ID = 256
_LONGEST_PROOF = 16_384


@dataclass(frozen=True, slots=True)
class CredentialRequest:
    """Exactly one of `configuration_id` and `identifier` is there. `legacy`: the one `proof` of older drafts was sent."""

    configuration_id: str | None
    identifier: str | None
    proof_type: str
    proofs: tuple[str, ...] = field(repr=False)
    encryption: ResponseEncryption | None = None
    legacy: bool = False


@dataclass(frozen=True, slots=True)
class DeferredRequest:
    transaction_id: str = field(repr=False)
    encryption: ResponseEncryption | None = None


@dataclass(frozen=True, slots=True)
class Notification:
    """`description` of the wallet is not kept: it may say anything."""

    notification_id: str = field(repr=False)
    event: str


def read_credential_request(
    value: Any, *, encrypted: bool, most: int, encryption_required: bool = False
) -> CredentialRequest:
    """`encrypted`: whether the request came so; `most`: proofs of one request.

    Raises Refused: invalid_credential_request, invalid_proof, invalid_encryption_parameters.
    """
    said = _object(value, INVALID_REQUEST)
    identifier, configuration_id = _name(said, "credential_identifier"), _name(said, "credential_configuration_id")
    if (identifier is None) == (configuration_id is None):
        raise Refused(INVALID_REQUEST, "vci_one_of")
    encryption = _encryption(said, encrypted=encrypted, required=encryption_required)
    proof_type, proofs, legacy = _proofs(said)
    if len(proofs) > most:
        raise Refused(INVALID_REQUEST, "vci_batch")
    return CredentialRequest(configuration_id, identifier, proof_type, proofs, encryption, legacy)


def read_deferred_request(value: Any, *, encrypted: bool, encryption_required: bool = False) -> DeferredRequest:
    """Raises Refused: invalid_transaction_id, invalid_encryption_parameters."""
    said = _object(value, INVALID_TRANSACTION)
    encryption = _encryption(said, encrypted=encrypted, required=encryption_required)
    return DeferredRequest(_needed(said, "transaction_id", INVALID_TRANSACTION), encryption)


def read_notification(value: Any) -> Notification:
    """Raises Refused: invalid_notification_request."""
    said = _object(value, INVALID_NOTIFICATION)
    event = said.get("event")
    if event not in EVENTS or not isinstance(said.get("event_description", ""), str):
        raise Refused(INVALID_NOTIFICATION)
    return Notification(_needed(said, "notification_id", INVALID_NOTIFICATION), str(event))


def _proofs(said: Mapping[str, Any]) -> tuple[str, tuple[str, ...], bool]:
    if "proof" in said:
        if "proofs" in said:
            raise Refused(INVALID_PROOF, "vci_proof_form")
        one = said["proof"]
        if not isinstance(one, Mapping) or one.get("proof_type") != JWT:
            raise Refused(INVALID_PROOF, "vci_proof_form")
        return JWT, (_proof(one.get("jwt")),), True
    proofs = said.get("proofs")
    if proofs is None:
        raise Refused(INVALID_PROOF, "vci_proof_missing")
    if not isinstance(proofs, Mapping) or len(proofs) != 1:
        raise Refused(INVALID_PROOF, "vci_proof_form")
    ((proof_type, several),) = proofs.items()
    if proof_type not in PROOF_TYPES or not isinstance(several, list) or not several:
        raise Refused(INVALID_PROOF, "vci_proof_form")
    if proof_type == ATTESTATION and len(several) != 1:
        raise Refused(INVALID_PROOF, "vci_proof_form")
    return str(proof_type), tuple(_proof(one) for one in several), False


def _proof(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_PROOF:
        raise Refused(INVALID_PROOF, "vci_proof_form")
    return value


def _encryption(said: Mapping[str, Any], *, encrypted: bool, required: bool) -> ResponseEncryption | None:
    """Section 8.2: who asks for an encrypted answer has to ask in an encrypted request, lest the key be another's."""
    wanted = said.get("credential_response_encryption")
    if wanted is None:
        if required or "credential_response_encryption" in said:
            raise Refused(INVALID_ENCRYPTION, "vci_encryption_required")
        return None
    if not encrypted:
        raise Refused(INVALID_ENCRYPTION, "vci_encryption_open")
    return read_response_encryption(wanted)


def _object(value: Any, why: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Refused(why)
    return value


def _name(said: Mapping[str, Any], name: str) -> str | None:
    return _needed(said, name, INVALID_REQUEST) if name in said else None


def _needed(said: Mapping[str, Any], name: str, why: str) -> str:
    value = said.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_ID:
        raise Refused(why)
    return value
