"""The second factor: a time-based code or a passkey. Pure checks; what may happen once is the store's.

`webauthn` and what it brings are loaded by the first passkey: five MiB that most processes of a gateway never need.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import pyotp

from gateway.services.login_ports import Passkey

STEP_S = 30
_DRIFT = 1  # steps to either side


def new_totp_secret() -> str:
    """160 random bits in base32. Source: RFC 4226, section 4 R6."""
    return pyotp.random_base32(32)


def totp_uri(secret: str, login: str) -> str:
    """What a phone's app reads from the square code."""
    return pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name="yimen")


def totp_step(secret: str, code: str, now: datetime) -> int | None:
    """The time-step `code` belongs to, of this one and its neighbours; None where it belongs to none.

    Source: RFC 6238, sections 5.2 and 6. Whoever accepts the step has to spend it.
    """
    if len(code) != 6 or not (code.isascii() and code.isdigit()):
        return None
    this = int(now.timestamp()) // STEP_S
    totp = pyotp.TOTP(secret)
    found = None
    for step in range(this - _DRIFT, this + _DRIFT + 1):  # all of them, whichever it is
        if hmac.compare_digest(totp.generate_otp(step), code):
            found = step
    return found


def new_challenge() -> bytes:
    return secrets.token_bytes(32)


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Us, to an authenticator: our host name and our origin. User verification is demanded: that is what makes level 3."""

    base_url: str

    @property
    def id(self) -> str:
        return urlsplit(self.base_url).hostname or ""

    @property
    def origin(self) -> str:
        address = urlsplit(self.base_url)
        return f"{address.scheme}://{address.netloc}"

    def registration_options(self, user_id: str, login: str, challenge: bytes) -> str:
        """JSON for `navigator.credentials.create`."""
        from webauthn import generate_registration_options, options_to_json
        from webauthn.helpers.structs import (
            AuthenticatorSelectionCriteria,
            ResidentKeyRequirement,
            UserVerificationRequirement,
        )

        made = generate_registration_options(
            rp_id=self.id,
            rp_name="yimen",
            user_id=bytes.fromhex(user_id) if _is_hex(user_id) else user_id.encode()[:64],
            user_name=login,
            challenge=challenge,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
        )
        return str(options_to_json(made))

    def registered(self, response: str, challenge: bytes) -> Passkey | None:
        """The new credential, None for a response that is not that. Source: WebAuthn level 3, section 7.1."""
        from webauthn import verify_registration_response
        from webauthn.helpers.exceptions import WebAuthnException

        try:
            found = verify_registration_response(
                credential=response,
                expected_challenge=challenge,
                expected_rp_id=self.id,
                expected_origin=self.origin,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError, AttributeError):
            return None
        return Passkey(found.credential_id, found.credential_public_key, found.sign_count)

    def authentication_options(self, challenge: bytes, known: Sequence[Passkey]) -> str:
        """JSON for `navigator.credentials.get`."""
        from webauthn import generate_authentication_options, options_to_json
        from webauthn.helpers.structs import PublicKeyCredentialDescriptor, UserVerificationRequirement

        made = generate_authentication_options(
            rp_id=self.id,
            challenge=challenge,
            allow_credentials=[PublicKeyCredentialDescriptor(id=one.credential_id) for one in known],
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return str(options_to_json(made))

    def authenticated(self, response: str, challenge: bytes, known: Sequence[Passkey]) -> Passkey | None:
        """The credential with its new count, None for a response that is not one of `known`. Source: section 7.2."""
        from webauthn import verify_authentication_response
        from webauthn.helpers import base64url_to_bytes, parse_authentication_credential_json
        from webauthn.helpers.exceptions import WebAuthnException

        try:
            raw_id = base64url_to_bytes(parse_authentication_credential_json(response).id)
            mine = next((one for one in known if hmac.compare_digest(one.credential_id, raw_id)), None)
            if mine is None:
                return None
            found = verify_authentication_response(
                credential=response,
                expected_challenge=challenge,
                expected_rp_id=self.id,
                expected_origin=self.origin,
                credential_public_key=mine.public_key,
                credential_current_sign_count=mine.sign_count,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError, AttributeError):
            return None
        return Passkey(mine.credential_id, mine.public_key, found.new_sign_count)


def _is_hex(text: str) -> bool:
    return len(text) == 32 and all(letter in "0123456789abcdef" for letter in text)
