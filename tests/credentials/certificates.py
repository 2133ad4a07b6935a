"""Certificates of every kind, good and bad, made by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID, ObjectIdentifier

from credentials.x5c import ISSUER_PURPOSE, entry

NOW = datetime(2026, 11, 26, 2, 0, tzinfo=UTC)


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def usage(*, sign: bool, certify: bool) -> x509.KeyUsage:
    rest = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only",
         "decipher_only"), False
    )  # fmt: skip
    return x509.KeyUsage(digital_signature=sign, key_cert_sign=certify, crl_sign=False, **rest)


@dataclass
class Made:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: Any

    @property
    def entry(self) -> str:
        return entry(self.certificate)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)


@dataclass
class Recipe:
    """A leaf by default; say what is to be different."""

    subject: str = "leaf"
    ca: bool | None = False
    path_length: int | None = None
    sign: bool = True
    certify: bool = False
    purpose: str | None = ISSUER_PURPOSE
    begins: datetime = NOW - timedelta(days=1)
    ends: datetime = NOW + timedelta(days=100)
    algorithm: Any = field(default_factory=hashes.SHA256)
    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    extra: tuple[tuple[x509.ExtensionType, bool], ...] = ()

    def under(self, parent: Made | None = None) -> Made:
        issuer = parent.certificate.subject if parent else name(self.subject)
        builder = (
            x509.CertificateBuilder().subject_name(name(self.subject)).issuer_name(issuer)
            .public_key(self.key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(self.begins).not_valid_after(self.ends)
        )  # fmt: skip
        if self.ca is not None:
            constraints = x509.BasicConstraints(self.ca, self.path_length if self.ca else None)
            builder = builder.add_extension(constraints, critical=True)
        builder = builder.add_extension(usage(sign=self.sign, certify=self.certify), critical=True)
        if self.purpose is not None and not self.ca:
            builder = builder.add_extension(x509.ExtendedKeyUsage([ObjectIdentifier(self.purpose)]), critical=False)
        for extension, critical in self.extra:
            builder = builder.add_extension(extension, critical=critical)
        return Made(builder.sign(parent.key if parent else self.key, self.algorithm), self.key)


def authority(subject: str = "root", **how: Any) -> Recipe:
    return Recipe(**{"subject": subject, "ca": True, "sign": False, "certify": True, "purpose": None} | how)


def rsa_key() -> Any:
    return rsa.generate_private_key(65537, 2048)
