"""The one error base of this floor. Whoever calls turns a `why` into a standard's code; it never reaches the wire itself."""

from __future__ import annotations


class CredentialsError(Exception):
    """Base of every error raised here. `why` is a short code from a closed set, without anything the input said."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class JoseInvalid(CredentialsError):
    """Not a JWS, JWE or key we take."""


class SdJwtInvalid(CredentialsError):
    """Not an SD-JWT that may be believed (RFC 9901, section 7)."""


class KeyBindingInvalid(CredentialsError):
    """The holder did not prove possession for this verifier and this moment (RFC 9901, section 7.3)."""


class StatusInvalid(CredentialsError):
    """No statement about a status can be made from this list or token."""


class ChainInvalid(CredentialsError):
    """A certificate chain that does not lead to a trust anchor now."""


class TypeInvalid(CredentialsError):
    """A credential type's file that cannot be used; `faults` lists every reason, with file and line where known."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("type_file")
        self.faults = faults


class ProofInvalid(CredentialsError):
    """A key proof or key attestation that is refused (OpenID4VCI 1.0, appendix F); `why` "nonce" asks for a fresh one."""


class RequestInvalid(CredentialsError):
    """A wallet's or verifier's message that is refused; `why` is the standard's own error code here."""


class KeysUnavailable(CredentialsError):
    """The signing keys cannot be used now: the folder or module does not answer."""
