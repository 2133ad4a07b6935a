"""Manifests from their templates, and the secrets those name."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from string import Template

from demo.places import write_private

BROUGHT = ("policy", "policies")
_SECRET = re.compile(r"\$\{SECRETS\}/([a-z0-9_]+)")


def secret_names(*templates: Path) -> frozenset[str]:
    """Every `${SECRETS}/name` the templates of these directories mention."""
    texts = (file.read_text(encoding="utf-8") for directory in templates for file in directory.glob("*.toml.in"))
    return frozenset(name for text in texts for name in _SECRET.findall(text))


def write_secrets(directory: Path, names: frozenset[str]) -> dict[str, str]:
    """A new random secret for each name, one file each, 0600."""
    made = {name: secrets.token_urlsafe(24) for name in sorted(names)}
    for name, value in made.items():
        write_private(directory / name, value)
    return made


def render_manifests(templates: Path, into: Path, values: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Write `<name>.toml` for each `<name>.toml.in`; gives (written, left out for want of a value).

    What an application brings besides its manifest goes along with it: `policy/<name>.toml` (purposes) and
    `policies/<name>.*` (rules). Files of an earlier demo are removed first, so that a department that is gone is gone.
    """
    for old in (*into.glob("*.toml"), *(file for folder in BROUGHT for file in into.glob(f"{folder}/*"))):
        old.unlink()
    written, left_out = [], []
    for template in sorted(templates.glob("*.toml.in")):
        name = template.name.removesuffix(".in")
        try:
            text = Template(template.read_text(encoding="utf-8")).substitute(values)
        except KeyError:
            left_out.append(name)
            continue
        write_private(into / name, text)
        written.append(name)
        for folder in BROUGHT:
            for brought in templates.glob(f"{folder}/{name.removesuffix('.toml')}.*"):
                (into / folder).mkdir(exist_ok=True)
                write_private(into / folder / brought.name, brought.read_text(encoding="utf-8"))
    return written, left_out
