"""Certificate chains as JOSE headers carry them (`x5c`, RFC 7515 4.1.6): from a leaf to an anchor we know, or not at all.

The path is walked here, strictly and in the order given. cryptography's own path validation is made for TLS (it wants names
and purposes of web servers) and says of itself that it is not stable.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import itertools
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from credentials.errors import ChainInvalid, JoseInvalid
from credentials.jose import PublicKey, base64url, read_key

ISSUER_PURPOSE = "1.3.6.1.5.5.7.3.36"
"""id-kp-documentSigning (RFC 9336): who signs credentials and what belongs to them."""
VERIFIER_PURPOSE = "1.0.18013.5.1.6"
"""Reader authentication (ISO/IEC 18013-5, B.1.7): who asks persons to show something."""
MOST_CERTIFICATES = 5
LARGEST_CERTIFICATE = 8192
"""Bytes of DER."""
_Kind = TypeVar("_Kind", bound=x509.ExtensionType)
_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_UNDERSTOOD = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    }
)
"""What may be critical. Name constraints are not weighed here, so a chain that insists on them is refused."""


def check_chain(
    x5c: Sequence[str], anchors: Sequence[bytes], now: datetime, *, purpose: str | None = None, haip: bool = True
) -> PublicKey:
    """The leaf's key, where the chain leads to one of `anchors` (DER) and everything in it is good at `now`.

    `x5c`: base64 of DER, leaf first. `purpose`: an extended key usage the leaf must not exclude. `haip` refuses an anchor
    inside the chain, otherwise it is passed over. Raises ChainInvalid. Source: RFC 5280 6.1, HAIP 1.0 section 5 and 6.
    """
    try:
        return _walked(x5c, anchors, now, purpose, haip)
    except ChainInvalid:
        raise
    except Exception:  # cryptography parses as it is asked, so a certificate may turn out broken anywhere on the way
        raise ChainInvalid("certificate") from None


def _walked(x5c: Sequence[str], anchors: Sequence[bytes], now: datetime, purpose: str | None, haip: bool) -> PublicKey:
    chain = read_chain(x5c)
    trusted = [_load(anchor) for anchor in anchors]
    if any(one in trusted for one in chain):
        if haip or chain[0] in trusted:
            raise ChainInvalid("anchor_in_chain")
        chain = chain[: next(place for place, one in enumerate(chain) if one in trusted)]
    leaf = chain[0]
    _check_leaf(leaf, now, purpose)
    for below, (child, parent) in enumerate(itertools.pairwise(chain)):
        _check_issued(child, parent)
        _check_authority(parent, now, below)
    last, below = chain[-1], len(chain) - 1
    for anchor in trusted:
        try:
            _check_issued(last, anchor)
            _check_authority(anchor, now, below)
        except ChainInvalid:
            continue  # another anchor of the same name may be the one
        return public_key(leaf)
    raise ChainInvalid("anchor")


def read_chain(x5c: Sequence[str]) -> list[x509.Certificate]:
    """Taken apart and not yet believed. Raises ChainInvalid."""
    if not isinstance(x5c, list | tuple) or not 1 <= len(x5c) <= MOST_CERTIFICATES:
        raise ChainInvalid("length")
    chain = [_load(der_of(entry)) for entry in x5c]
    if len(set(chain)) != len(chain):
        raise ChainInvalid("doubled")
    return chain


def public_key(certificate: x509.Certificate) -> PublicKey:
    """Raises ChainInvalid for any key but one on P-256."""
    key = _key_of(certificate)
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ChainInvalid("key")
    numbers = key.public_numbers()
    x, y = (base64url(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    try:
        return read_key({"kty": "EC", "crv": "P-256", "x": x, "y": y})
    except JoseInvalid:
        raise ChainInvalid("key") from None


def x509_hash(leaf: str) -> str:
    """base64url of the SHA-256 of a leaf's DER, behind `x509_hash:` in a client_id. Source: OpenID4VP 1.0, 5.9.3."""
    return base64url(hashlib.sha256(der_of(leaf)).digest())


def names_of(leaf: str) -> tuple[frozenset[str], frozenset[str]]:
    """The DNS names (lower case) and URIs a leaf stands for. Raises ChainInvalid."""
    names = _extension(_load(der_of(leaf)), x509.SubjectAlternativeName)
    if names is None:
        return frozenset(), frozenset()
    dns = frozenset(name.lower() for name in names.get_values_for_type(x509.DNSName))
    return dns, frozenset(names.get_values_for_type(x509.UniformResourceIdentifier))


def names_dns(leaf: str, name: str) -> bool:
    """Whether a leaf names exactly this host, as `x509_san_dns:` wants it; a wildcard names none."""
    return "*" not in name and name.lower() in names_of(leaf)[0]


def authority_keys(x5c: Sequence[str]) -> tuple[str, ...]:
    """base64url of each certificate's authority key identifier, as DCQL's `aki` compares them. Raises ChainInvalid."""
    found = [_extension(one, x509.AuthorityKeyIdentifier) for one in read_chain(x5c)]
    return tuple(base64url(one.key_identifier) for one in found if one is not None and one.key_identifier is not None)


def entry(certificate: x509.Certificate) -> str:
    """A certificate as `x5c` has it."""
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()


def der_of(entry: str) -> bytes:
    """Raises ChainInvalid."""
    if not isinstance(entry, str) or len(entry) > LARGEST_CERTIFICATE * 4 // 3 + 4:
        raise ChainInvalid("size")
    try:
        return base64.b64decode(entry, validate=True)
    except (binascii.Error, ValueError):
        raise ChainInvalid("base64") from None


def _load(der: bytes) -> x509.Certificate:
    if len(der) > LARGEST_CERTIFICATE:
        raise ChainInvalid("size")
    try:
        return x509.load_der_x509_certificate(der)
    except Exception:  # the parser's errors are of many kinds
        raise ChainInvalid("certificate") from None


def _key_of(certificate: x509.Certificate) -> object:
    try:
        return certificate.public_key()
    except Exception:  # as above
        raise ChainInvalid("key") from None


def _check_leaf(leaf: x509.Certificate, now: datetime, purpose: str | None) -> None:
    _check_common(leaf, now)
    if leaf.subject == leaf.issuer and _signed_itself(leaf):
        raise ChainInvalid("self_signed")
    constraints = _extension(leaf, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise ChainInvalid("leaf_is_authority")
    usage = _extension(leaf, x509.KeyUsage)
    if usage is not None and not usage.digital_signature:
        raise ChainInvalid("key_usage")
    purposes = _extension(leaf, x509.ExtendedKeyUsage)
    if purpose is not None and purposes is not None:
        named = {one.dotted_string for one in purposes}
        if not named & {purpose, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE.dotted_string}:
            raise ChainInvalid("purpose")


def _check_authority(authority: x509.Certificate, now: datetime, below: int) -> None:
    """`below`: how many authorities stand between it and the leaf."""
    _check_common(authority, now)
    constraints = _extension(authority, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        raise ChainInvalid("not_an_authority")
    if constraints.path_length is not None and constraints.path_length < below:
        raise ChainInvalid("path_length")
    usage = _extension(authority, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        raise ChainInvalid("key_usage")


def _check_common(certificate: x509.Certificate, now: datetime) -> None:
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise ChainInvalid("dates")
    try:
        critical = {one.oid for one in certificate.extensions if one.critical}
    except Exception:  # doubled or broken extensions
        raise ChainInvalid("extensions") from None
    if critical - _UNDERSTOOD:
        raise ChainInvalid("critical")


def _check_issued(child: x509.Certificate, parent: x509.Certificate) -> None:
    try:
        used = child.signature_hash_algorithm
        if not isinstance(used, _HASHES):
            raise ChainInvalid("hash")
        child.verify_directly_issued_by(parent)
    except ChainInvalid:
        raise
    except (InvalidSignature, ValueError, TypeError):
        raise ChainInvalid("issuer") from None
    except Exception:  # algorithms nobody here knows
        raise ChainInvalid("algorithm") from None


def _signed_itself(certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(certificate)
    except Exception:
        return False
    return True


def _extension(certificate: x509.Certificate, kind: type[_Kind]) -> _Kind | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
    except Exception:  # broken ones are no ones, and that is refused
        raise ChainInvalid("extensions") from None
