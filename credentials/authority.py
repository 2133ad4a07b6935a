"""Our own small certificate authority, for where no bureau gives certificates: a root, and leaves right under it.

Keys come from outside: in memory, from a file, or in a module that signs and never lets them out.
"""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID, ObjectIdentifier

ROOT_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(days=1095)
"""Longer than any credential by more than a year: a chain is checked when it is shown, not when it was made."""
_SKEW = timedelta(hours=1)


def make_root(private: ec.EllipticCurvePrivateKey, issuer_url: str, use: str, now: datetime) -> x509.Certificate:
    """Self-signed, for leaves only (pathlen 0)."""
    name = _name(issuer_url, f"yimen {use} root {now:%Y-%m-%d}")
    builder = _begun(private.public_key(), name, name, now, ROOT_LIFE)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return builder.add_extension(_usage(sign_certificates=True), critical=True).sign(private, hashes.SHA256())


def make_leaf(
    public: ec.EllipticCurvePublicKey,
    root: x509.Certificate,
    root_key: ec.EllipticCurvePrivateKey,
    issuer_url: str,
    purpose: str,
    now: datetime,
) -> x509.Certificate:
    """Names the issuer's URL and host; `purpose` is its extended key usage. Ends before its root does."""
    life = min(LEAF_LIFE, root.not_valid_after_utc - now)
    builder = _begun(public, _name(issuer_url, "yimen"), root.subject, now, life)
    identifier = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ObjectIdentifier(purpose)]), critical=False)
        .add_extension(x509.SubjectAlternativeName(_names(issuer_url)), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(root_key, hashes.SHA256())
    )


def make_request(private: ec.EllipticCurvePrivateKey, issuer_url: str) -> x509.CertificateSigningRequest:
    """For the bureau that certifies us (PKCS#10)."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(_name(issuer_url, "yimen"))
    builder = builder.add_extension(x509.SubjectAlternativeName(_names(issuer_url)), critical=False)
    return builder.add_extension(_usage(sign_certificates=False), critical=True).sign(private, hashes.SHA256())


def _begun(
    public: ec.EllipticCurvePublicKey, subject: x509.Name, issuer: x509.Name, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _name(issuer_url: str, what: str) -> x509.Name:
    host = (urlsplit(issuer_url).hostname or "localhost")[:64]
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, host), x509.NameAttribute(NameOID.COMMON_NAME, what[:64])]
    )


def _names(issuer_url: str) -> list[x509.GeneralName]:
    host = urlsplit(issuer_url).hostname or "localhost"
    try:
        own: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        own = x509.DNSName(host)
    return [own, x509.UniformResourceIdentifier(issuer_url)]


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )
