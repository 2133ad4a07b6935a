"""`authorization_details` that ask for credentials (OpenID4VCI 1.0, section 5.1.1), apart from those that ask for data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gateway.oauth.errors import OAuthError

CREDENTIAL = "openid_credential"
_LONGEST, _MOST, _LONGEST_ID = 16_384, 20, 256


def read_credential_details(text: str, issuer: str) -> tuple[str, ...]:
    """The configurations asked for, each once. Raises OAuthError invalid_authorization_details."""
    if len(text) > _LONGEST:
        raise _invalid()
    try:
        value = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise _invalid() from None
    if not isinstance(value, list) or not 0 < len(value) <= _MOST:
        raise _invalid()
    found = tuple(_configuration(one, issuer) for one in value)
    if len(set(found)) != len(found):
        raise _invalid()
    return found


def granted_details(identifiers: Mapping[str, str]) -> list[dict[str, Any]]:
    """As the token answer says them (section 6.2); `identifiers`: credential_identifier -> configuration."""
    by_configuration: dict[str, list[str]] = {}
    for identifier, configuration_id in identifiers.items():
        by_configuration.setdefault(configuration_id, []).append(identifier)
    return [
        {"type": CREDENTIAL, "credential_configuration_id": one, "credential_identifiers": named}
        for one, named in by_configuration.items()
    ]


def _configuration(value: Any, issuer: str) -> str:
    if not isinstance(value, dict) or value.get("type") != CREDENTIAL or value.get("locations", [issuer]) != [issuer]:
        raise _invalid()
    configuration_id = value.get("credential_configuration_id")
    if not isinstance(configuration_id, str) or not 0 < len(configuration_id) <= _LONGEST_ID:
        raise _invalid()
    return configuration_id


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("doubled")
    return found


def _invalid() -> OAuthError:
    return OAuthError("invalid_authorization_details", "vci_details")
