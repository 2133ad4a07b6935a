"""The two rings credentials are signed with, opened where the settings say: encrypted files, or a PKCS#11 module."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from credentials.key_box import KeyBox
from credentials.key_files import KeyFiles
from credentials.keys import KeyUse
from credentials.ring import LOOK_S, FolderRing
from gateway.clock import Clock
from gateway.errors import SettingsInvalid
from gateway.settings import Settings
from gateway.store.keys import Keys


@dataclass(frozen=True, slots=True)
class Rings:
    """`issuer` signs credentials, status lists and metadata; `verifier` what asks persons to show something."""

    issuer: FolderRing
    verifier: FolderRing
    others: tuple[bytes, ...] = ()

    def anchors(self) -> Sequence[bytes]:
        """DER of the roots credentials may lead to: our issuer's, and those the operator trusts besides."""
        return (*self.issuer.roots, *self.others)

    def reader_anchors(self) -> Sequence[bytes]:
        """DER of the roots those who ask may lead to."""
        return self.verifier.roots


async def open_rings(
    settings: Settings, keys: Keys, clock: Clock, *, look_s: float = LOOK_S, renews: bool = True
) -> Rings:
    """Makes the first keys where there are none; `renews` as of `FolderRing`. Raises KeysUnavailable, or SettingsInvalid."""
    folder = keys_folder(settings)
    module = _module(settings)
    secret = keys.derive("credential/key-files/v1")
    issuer, verifier = (
        FolderRing(
            folder / use.value,
            module or KeyFiles(folder / use.value, secret),
            use,
            settings.base_url,
            clock.now,
            look_s=look_s,
            renews=renews,
        )
        for use in (KeyUse.ISSUER, KeyUse.VERIFIER)
    )
    for ring in (issuer, verifier):
        await ring.keys()
    return Rings(issuer, verifier, await asyncio.to_thread(trusted_roots, settings.credentials.trust_dir))


def keys_folder(settings: Settings) -> Path:
    return settings.credentials.keys_dir or settings.state_dir / "credential-keys"


def trusted_roots(folder: Path | None) -> tuple[bytes, ...]:
    """DER of every certificate in the folder's PEM files. Raises SettingsInvalid naming the file."""
    found: list[bytes] = []
    for path in sorted(folder.glob("*.pem")) if folder is not None else ():
        try:
            found += [one.public_bytes(Encoding.DER) for one in x509.load_pem_x509_certificates(path.read_bytes())]
        except (OSError, ValueError):
            raise SettingsInvalid((f"credential_trust_dir: {path.name} is no PEM certificate",)) from None
    return tuple(found)


def _module(settings: Settings) -> KeyBox | None:
    given = settings.credentials
    if given.pkcs11_module is None:
        return None
    if given.pkcs11_token is None or given.pkcs11_pin is None:
        raise SettingsInvalid(("credential_pkcs11_module: set credential_pkcs11_token and credential_pkcs11_pin, too",))
    try:
        from credentials.key_module import KeyModule  # the optional extra `pkcs11`
    except ImportError:
        raise SettingsInvalid(("credential_pkcs11_module: needs the extra `pkcs11` (python-pkcs11)",)) from None
    return KeyModule(given.pkcs11_module, given.pkcs11_token, given.pkcs11_pin)
