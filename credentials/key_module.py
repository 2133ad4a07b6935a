"""Private keys in a PKCS#11 module: a hardware security module, or SoftHSM2. They are made there and never come out.

Needs the optional extra `pkcs11` (python-pkcs11), which this module alone imports.
"""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any, NoReturn

import pkcs11
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pkcs11.constants import Attribute, ObjectClass
from pkcs11.exceptions import UserAlreadyLoggedIn
from pkcs11.mechanisms import KeyType, Mechanism
from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters

from credentials.errors import KeysUnavailable


class KeyModule:
    """Implements `KeyBox` over one token. One session, one call at a time; opened anew where the module lost it."""

    def __init__(self, module: Path, token: str, pin: str) -> None:
        self._module, self._token, self._pin = module, token, pin
        self._session: Any = None
        self._turn = threading.RLock()

    def make(self, name: str) -> ec.EllipticCurvePrivateKey:
        with self._turn:
            try:
                session = self._open()
                parameters = session.create_domain_parameters(
                    KeyType.EC, {Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}, local=True
                )
                parameters.generate_keypair(
                    store=True,
                    label=f"yimen {name}",
                    id=bytes.fromhex(name),
                    private_template={
                        Attribute.SENSITIVE: True,
                        Attribute.EXTRACTABLE: False,
                        Attribute.DERIVE: False,
                    },
                )
            except Exception as error:
                self._failed(error)
            return self.open(name)

    def open(self, name: str) -> ec.EllipticCurvePrivateKey:
        with self._turn:
            try:
                found = self._open().get_key(
                    object_class=ObjectClass.PUBLIC_KEY, key_type=KeyType.EC, id=bytes.fromhex(name)
                )
                public = load_der_public_key(encode_ec_public_key(found))
            except Exception as error:
                self._failed(error)
        if not isinstance(public, ec.EllipticCurvePublicKey):
            raise KeysUnavailable("kind")
        return ModuleKey(self, name, public)

    def sign_digest(self, name: str, digest: bytes) -> bytes:
        """r || s. A module that was restarted is logged into once more. Raises KeysUnavailable."""
        with self._turn:
            try:
                return self._signed(name, digest)
            except Exception:
                self._close()
            try:
                return self._signed(name, digest)
            except Exception as error:
                self._failed(error)

    def _signed(self, name: str, digest: bytes) -> bytes:
        private = self._open().get_key(
            object_class=ObjectClass.PRIVATE_KEY, key_type=KeyType.EC, id=bytes.fromhex(name)
        )
        return bytes(private.sign(digest, mechanism=Mechanism.ECDSA))

    def _open(self) -> Any:
        if self._session is None:
            token = pkcs11.lib(str(self._module)).get_token(token_label=self._token)
            try:
                self._session = token.open(rw=True, user_pin=self._pin)
            except UserAlreadyLoggedIn:  # a login is the whole process's; the other ring's will do
                self._session = token.open(rw=True)
        return self._session

    def _close(self) -> None:
        session, self._session = self._session, None
        try:
            if session is not None:
                session.close()
        except Exception:  # it is gone, and that is why
            return

    def _failed(self, error: Exception) -> NoReturn:
        """By the name of the driver's error: its message may tell more than a log should hold."""
        self._close()
        raise KeysUnavailable(f"module_{type(error).__name__}") from None


class ModuleKey(ec.EllipticCurvePrivateKey):
    """A key of a module as cryptography wants one to sign certificates with; whatever would show it is refused."""

    def __init__(self, box: KeyModule, name: str, public: ec.EllipticCurvePublicKey) -> None:
        self._box, self._name, self._public = box, name, public

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        if not isinstance(signature_algorithm.algorithm, hashes.SHA256):
            raise KeysUnavailable("algorithm")
        made = self._box.sign_digest(self._name, hashlib.sha256(data).digest())
        half = len(made) // 2
        return encode_dss_signature(int.from_bytes(made[:half], "big"), int.from_bytes(made[half:], "big"))

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._public

    @property
    def curve(self) -> ec.EllipticCurve:
        return self._public.curve

    @property
    def key_size(self) -> int:
        return self._public.key_size

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> bytes:
        raise KeysUnavailable("never_leaves")

    def private_numbers(self) -> ec.EllipticCurvePrivateNumbers:
        raise KeysUnavailable("never_leaves")

    def private_bytes(self, encoding: Any, format: Any, encryption_algorithm: Any) -> bytes:
        raise KeysUnavailable("never_leaves")

    def __copy__(self) -> ModuleKey:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> ModuleKey:
        return self
