"""The register of purposes: whatever stands in a file, the faults come as faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import SettingsInvalid
from gateway.policy.purposes import read_register


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[X]\nnouns = "*"', "X.nouns must be a table of nouns"),
        ("[X]\nmask = 3", "X.mask must be a table of nouns"),
        ("[X]\nnouns = [1]", "X.nouns must be a table of nouns"),
        ("X = 1", "X must be a table"),
        ("[[X]]", "X must be a table"),
        ("# note\n[X]\ncase_required = 1", "x.toml:2: purpose X: case_required must be"),
        ('[X]\ntitle = "t"', "x.toml:1: purpose X: title.zh is missing"),
        ("[X.nouns]\nresidence = 5", "residence must be"),
        ("[X]\norg_kinds = 7", "org_kinds must be"),
        ("[CC_RECEPTION.nouns]\nresidence = []", "is already set"),
        ("[X", "x.toml"),
        (
            "[CC_HELPS.nouns]\nresidence = []",
            "x.toml:1: purpose CC_HELPS: there is no such purpose; did you mean CC_HELP?",
        ),
    ],
)
def test_a_bad_register_is_refused_with_its_faults(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "x.toml"
    path.write_text(text)
    with pytest.raises(SettingsInvalid) as caught:
        read_register([path])
    assert expected in str(caught.value)
