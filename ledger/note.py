"""Signed notes and the keys they are signed with. Source: C2SP signed-note, tlog-cosignature.

Ed25519 (0x01) signs the text; a witness's cosignature/v1 (0x04) signs a time and the text; ML-DSA-44 cosignatures (0x06)
are verified where the installed `cryptography` can.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.exceptions import InvalidSignature as _NotSigned
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.checkpoint import parse_checkpoint
from ledger.encoding import b64, is_key_name, unb64
from ledger.errors import InvalidSignature, Malformed

ED25519, COSIGNATURE, MLDSA44 = 0x01, 0x04, 0x06
MOST_SIGNATURES = 64
LARGEST_NOTE = 1 << 20
LATEST = 2**63 - 1
_DASH = "— "
_CONTROL = re.compile("[\0-\x09\x0b-\x1f]")
_KEY_BYTES = {ED25519: 32, COSIGNATURE: 32, MLDSA44: 1312}
_SIGNATURE_BYTES = {ED25519: 64, COSIGNATURE: 72, MLDSA44: 2428}


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with its name: the `vkey` of the specification."""

    name: str
    type: int
    public: bytes

    @property
    def id(self) -> bytes:
        """Four bytes; found again in each signature line."""
        return sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64(bytes([self.type]) + self.public)}"


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key with its name. Ed25519 only."""

    name: str
    type: int
    _seed: bytes = field(repr=False)

    @property
    def key(self) -> VerifierKey:
        public = Ed25519PrivateKey.from_private_bytes(self._seed).public_key().public_bytes_raw()
        return VerifierKey(self.name, self.type, public)

    def secret(self) -> str:
        """As `parse_signer` reads it; the form Go's note package uses for its keys."""
        return f"PRIVATE+KEY+{self.name}+{self.key.id.hex()}+{b64(bytes([self.type]) + self._seed)}"

    def sign(self, text: str, at: int | None = None) -> Signature:
        """One signature line. `at`: POSIX seconds, for cosignatures and for them alone."""
        private = Ed25519PrivateKey.from_private_bytes(self._seed)
        if self.type == COSIGNATURE:
            if at is None or not 0 <= at <= LATEST:
                raise ValueError("a cosignature says when")
            return Signature(self.name, self.key.id, at.to_bytes(8, "big") + private.sign(_cosigned(text, at)))
        return Signature(self.name, self.key.id, private.sign(text.encode()))


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature line, not yet believed."""

    name: str
    key_id: bytes
    value: bytes

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {b64(self.key_id + self.value)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text and the signatures under it; verified by `verify_note`, by nothing else."""

    text: str
    signatures: tuple[Signature, ...]

    def __bytes__(self) -> bytes:
        return f"{self.text}\n{''.join(map(str, self.signatures))}".encode()

    def with_signatures(self, more: Iterable[Signature]) -> Note:
        """Each line once, in the order they came."""
        return Note(self.text, tuple(dict.fromkeys([*self.signatures, *more])))


@dataclass(frozen=True, slots=True)
class Verified:
    """A key that did sign; `at` is a cosignature's time in POSIX seconds."""

    key: VerifierKey
    at: int | None = None


def parse_vkey(text: str) -> VerifierKey:
    """Raises Malformed, also for an id that is not the key's own."""
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    raw = unb64(encoded)
    if not is_key_name(name) or not re.fullmatch("[0-9a-f]{8}", key_id) or len(raw) < 2:
        raise Malformed("no verifier key")
    key = VerifierKey(name, raw[0], raw[1:])
    if key.id.hex() != key_id:
        raise Malformed(f"the verifier key of {name} has the id of another key")
    if len(key.public) != _KEY_BYTES.get(key.type, len(key.public)):
        raise Malformed(f"the verifier key of {name} has the wrong length")
    return key


def parse_signer(text: str) -> Signer:
    """Raises Malformed; its words never quote the key."""
    parts = text.strip().split("+", 4)
    raw = unb64(parts[4]) if len(parts) == 5 and parts[:2] == ["PRIVATE", "KEY"] else b""
    if len(raw) != 33 or raw[0] not in (ED25519, COSIGNATURE) or not is_key_name(parts[2]):
        raise Malformed("no private key of a signer")
    signer = Signer(parts[2], raw[0], raw[1:])
    if signer.key.id.hex() != parts[3]:
        raise Malformed("the private key has the id of another key")
    return signer


def parse_note(data: bytes) -> Note:
    """Raises Malformed for what is not a signed note, however it is signed."""
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("a note is UTF-8") from None
    split = whole.rfind("\n\n")
    if len(data) > LARGEST_NOTE or split < 0 or not whole.endswith("\n") or _CONTROL.search(whole):
        raise Malformed("a note is a text, an empty line, and signature lines")
    lines = whole[split + 2 :].split("\n")[:-1]
    if not 0 < len(lines) <= MOST_SIGNATURES:
        raise Malformed("a note has between 1 and 64 signature lines")
    return Note(whole[: split + 1], tuple(parse_signature(line + "\n") for line in lines))


def parse_signature(line: str) -> Signature:
    """One line with its LF. Raises Malformed."""
    name, _, encoded = line.removeprefix(_DASH).removesuffix("\n").partition(" ")
    raw = unb64(encoded)
    if not line.startswith(_DASH) or not line.endswith("\n") or not is_key_name(name) or len(raw) < 5:
        raise Malformed("no signature line")
    return Signature(name, raw[:4], raw[4:])


def sign_note(text: str, signers: Sequence[Signer]) -> Note:
    """Signed by each; rotation signs with the old and the new key."""
    return Note(text, tuple(signer.sign(text) for signer in signers))


def verify_note(note: Note, keys: Iterable[VerifierKey]) -> tuple[Verified, ...]:
    """Who of `keys` signed. Lines of unknown keys are passed over; that is how keys change.

    Raises InvalidSignature where a known key's signature does not verify, or no known key signed.
    """
    known: dict[tuple[str, bytes], VerifierKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.id), key) != key:
            raise InvalidSignature(f"two keys of {key.name} have one id")
    found: dict[VerifierKey, Verified] = {}
    for signature in note.signatures:
        if signer := known.get((signature.name, signature.key_id)):
            one = verify_signature(note.text, signature, signer)
            found[signer] = max(one, found.get(signer, one), key=lambda each: each.at or 0)
    if not found:
        raise InvalidSignature("no known key signed this")
    return tuple(found.values())


def verify_signature(text: str, signature: Signature, key: VerifierKey) -> Verified:
    """Raises InvalidSignature."""
    value, at = signature.value, None
    if len(value) != _SIGNATURE_BYTES.get(key.type):
        raise InvalidSignature(f"the signature of {key.name} has a length its key does not make")
    signed = text.encode()
    if key.type != ED25519:
        at, value = int.from_bytes(value[:8], "big"), value[8:]
        if at > LATEST:
            raise InvalidSignature(f"the cosignature of {key.name} is of no time")
        signed = _cosigned(text, at) if key.type == COSIGNATURE else _mldsa_message(key.name, text, at)
    try:
        if key.type == MLDSA44:
            _verify_mldsa(key.public, value, signed)
        else:
            Ed25519PublicKey.from_public_bytes(key.public).verify(value, signed)
    except (_NotSigned, ValueError):
        raise InvalidSignature(f"the signature of {key.name} does not verify") from None
    return Verified(key, at)


def _cosigned(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def _mldsa_message(name: str, text: str, at: int) -> bytes:
    """What an ML-DSA-44 cosignature signs of a checkpoint; extension lines are not in it. Source: tlog-cosignature."""
    checkpoint = parse_checkpoint(text)
    cosigner, origin = name.encode(), checkpoint.origin.encode()
    if len(cosigner) > 255 or len(origin) > 255:
        raise InvalidSignature("a name is too long for this kind of signature")
    numbers = at.to_bytes(8, "big") + bytes([len(origin)]) + origin + (0).to_bytes(8, "big")
    return (
        b"subtree/v1\n\0"
        + bytes([len(cosigner)])
        + cosigner
        + numbers
        + checkpoint.size.to_bytes(8, "big")
        + checkpoint.root
    )


def _verify_mldsa(public: bytes, signature: bytes, message: bytes) -> None:
    try:
        from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

        MLDSA44PublicKey.from_public_bytes(public).verify(signature, message)
    except (ImportError, UnsupportedAlgorithm):
        raise InvalidSignature("this machine cannot verify ML-DSA-44 signatures") from None
