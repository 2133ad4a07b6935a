"""Type metadata: what the draft asks of the document, the same bytes every time, and integrity that holds."""

from __future__ import annotations

import base64
import hashlib
import json
import re

import pytest

from credentials.credential_type import CredentialType
from credentials.type_files import load_types
from credentials.type_metadata import card_svg, integrity_of, type_metadata

BASE = "https://yimen.example"
TYPES = tuple(load_types().values())
MEMBERS = {"vct", "name", "description", "display", "claims"}


def test_an_integrity_string_is_that_of_subresource_integrity() -> None:
    """The example of W3C SRI, section 3.5 ("alert('Hello, world.');"), in SHA-256 as `openssl dgst` has it."""
    data = b"alert('Hello, world.');"
    assert integrity_of(data) == "sha256-" + base64.b64encode(hashlib.sha256(data).digest()).decode()
    assert integrity_of(b"") == "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


@pytest.mark.parametrize("ctype", TYPES, ids=lambda one: one.id)
def test_the_document_says_what_the_draft_asks(ctype: CredentialType) -> None:
    document = json.loads(type_metadata(ctype, BASE))
    assert document.keys() == MEMBERS
    assert document["vct"] == ctype.vct(BASE) == f"{BASE}/credentials/types/{ctype.id}/{ctype.version}"
    assert [one["locale"] for one in document["display"]] == ["zh-CN", "en"]
    for one in document["display"]:
        assert one["name"]
        simple, (card,) = one["rendering"]["simple"], one["rendering"]["svg_templates"]
        assert re.fullmatch(r"#[0-9a-f]{6}", simple["background_color"])
        assert card["uri"] == f"{document['vct']}/card.svg"
        assert card["uri#integrity"] == integrity_of(card_svg(ctype))
    for claim, known in zip(document["claims"], ctype.claims, strict=True):
        assert claim["path"] == [known.name]
        assert [one["locale"] for one in claim["display"]] == ["zh-CN", "en"]
        assert all(one["label"] for one in claim["display"])
        # `sd`: whether the issuer makes it selectively disclosable, not whether the holder shows it
        assert claim["sd"] == ("always" if known.name in ctype.selective else "never")
    ids = {claim.get("svg_id") for claim in document["claims"]} - {None}
    assert ids == set(re.findall(r"\{\{(\w+)\}\}", ctype.card.svg))


def test_a_version_is_one_document_for_ever() -> None:
    again = load_types()
    for one in TYPES:
        assert type_metadata(one, BASE) == type_metadata(again[one.id], BASE)


def test_what_is_published_as_a_version_is_what_wallets_hold_the_hash_of() -> None:
    """A change of these bytes breaks `vct#integrity` of every credential issued: then the version must change as well."""
    held = {one.id: integrity_of(type_metadata(one, BASE)) for one in TYPES}
    assert held == HELD


HELD = {
    "business": "sha256-72hO+h3e/M+qHUbx/YqsGkftpjWgv5K00OH0cl92LSE=",
    "conduct-no-warning": "sha256-iz5naUE6C4r5fYvfSbaaJhM06RkXye+xivxvdA7xnqc=",
    "conduct-plan": "sha256-GjntVETfvBztQFzfDVbqrzV48ujyoWN7VK1WELg4OBQ=",
    "conduct-reporting": "sha256-BZSR2YNFPywhGmBcxaFf9LuUNmPWNvtd2D+ExMAicOE=",
    "discharge": "sha256-zdfXB8829nmcsm3udQxB6Bp3NluvFUUfk96/RqZy1Wo=",
    "leave-clearance": "sha256-fAXZGzsCtGWK0EY8kphYOaB7kknA1x1wIJXk/xN3228=",
    "residence": "sha256-Ugt5P8DDDt4EyKrVEgLpE0jlZDcB4yefrjlMSaNj6X8=",
    "social-insurance": "sha256-GiV8RFAHNnyqaPwnEXMAHTCiPdx96CsgwaaKlOeX10s=",
    "stable-income": "sha256-0vC/OC2Taybc2tmZ0DJo4eCq8gkCgJjvYQPbNbo2YCQ=",
}
