"""SD-JWT VC type metadata: what a wallet and a verifier read at the type's own address. The same bytes for ever per version.

Source: draft-ietf-oauth-sd-jwt-vc, section "SD-JWT VC Type Metadata"; W3C Subresource Integrity for the integrity strings.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from credentials.credential_type import ClaimType, CredentialType, Disclosed, Text

LOCALES = (("zh-CN", "zh"), ("en", "en"))
_SD = {Disclosed.ALWAYS: "never", Disclosed.ALLOWED: "always"}
"""`sd` says whether the issuer makes a claim selectively disclosable: what is always shown never is, the rest always."""


def integrity_of(data: bytes) -> str:
    """`sha256-<base64>` (W3C SRI), for `vct#integrity` and `uri#integrity`."""
    return "sha256-" + base64.b64encode(hashlib.sha256(data).digest()).decode("ascii")


def card_svg(ctype: CredentialType) -> bytes:
    """The card's template as it is served."""
    return ctype.card.svg.encode()


def card_url(ctype: CredentialType, base_url: str) -> str:
    return f"{ctype.vct(base_url)}/card.svg"


def type_metadata(ctype: CredentialType, base_url: str) -> bytes:
    """The document of this version, as UTF-8 JSON; `integrity_of` it is the credential's `vct#integrity`."""
    document: dict[str, Any] = {
        "vct": ctype.vct(base_url),
        "name": ctype.name.zh,
        "description": ctype.description.zh,
        "display": [_display(ctype, base_url, locale, language) for locale, language in LOCALES],
        "claims": [_claim(claim) for claim in ctype.claims],
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _display(ctype: CredentialType, base_url: str, locale: str, language: str) -> dict[str, Any]:
    card = {
        "uri": card_url(ctype, base_url),
        "uri#integrity": integrity_of(card_svg(ctype)),
        "properties": {"orientation": "landscape", "color_scheme": "light", "contrast": "normal"},
    }
    return {
        "locale": locale,
        "name": _in(ctype.name, language),
        "description": _in(ctype.description, language),
        "rendering": {
            "simple": {"background_color": ctype.card.background, "text_color": ctype.card.text},
            "svg_templates": [card],
        },
    }


def _claim(claim: ClaimType) -> dict[str, Any]:
    found: dict[str, Any] = {
        "path": list(claim.path),
        "display": [
            {"locale": locale, "label": _in(claim.label, language)}
            | ({"description": _in(claim.description, language)} if claim.description is not None else {})
            for locale, language in LOCALES
        ],
        "mandatory": claim.mandatory,
        "sd": _SD[claim.disclosed],
    }
    return found | ({"svg_id": claim.svg_id} if claim.svg_id is not None else {})


def _in(text: Text, language: str) -> str:
    return text.zh if language == "zh" else text.en
