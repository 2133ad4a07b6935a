"""Wallet providers of a file: who vouches for wallets at the token endpoint, and for keys in proofs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate

from credentials.errors import ChainInvalid
from credentials.jose import PublicKey
from credentials.openid4vci.proof import Attesters
from credentials.x5c import check_chain
from gateway.clock import Clock
from gateway.oauth.attestation import WalletAttestations, WalletProvider, read_providers
from gateway.settings import Settings
from gateway.store import Store


def wallet_providers(settings: Settings) -> tuple[WalletProvider, ...]:
    """Raises SettingsInvalid with every fault of the file."""
    return read_providers(settings.credentials.wallet_providers_file, _anchor)


def wallet_attestations(settings: Settings, store: Store, clock: Clock) -> WalletAttestations | None:
    """None where no provider is trusted. Raises SettingsInvalid."""
    providers = wallet_providers(settings)
    return WalletAttestations(providers, store.counter, settings.base_url, clock, _leaf) if providers else None


def key_attesters(settings: Settings, clock: Clock) -> Attesters | None:
    """By the certificates of those who have any; None where nobody has. Raises SettingsInvalid."""
    anchors = [anchor for one in wallet_providers(settings) for anchor in one.anchors]

    def attester(x5c: Sequence[str]) -> PublicKey:
        return check_chain(x5c, anchors, clock.now())

    return attester if anchors else None


def _anchor(pem: str) -> bytes:
    return load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)


def _leaf(x5c: Sequence[str], anchors: Sequence[bytes], now: datetime) -> Mapping[str, Any]:
    try:
        return check_chain(x5c, anchors, now).jwk
    except ChainInvalid as error:
        raise ValueError("chain") from error
