"""A demo department's own manifest, rendered and opened as the gateway would."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from adapters.clock import utc_now
from adapters.egress_http import HttpEgress
from adapters.manifest_reader import read_manifests
from adapters.manifest_rules import KnownNouns
from adapters.registry import KINDS, OpenSource, open_source
from demo.places import TEMPLATES
from demo.render import render_manifests
from schema.builtin import builtin_nouns, enum_names


def known_nouns() -> KnownNouns:
    """The built-in nouns in the form the manifest reader asks for."""
    return {noun.name: {field.name: enum_names(field.type) for field in noun.fields} for noun in builtin_nouns()}


@asynccontextmanager
async def opened(
    name: str, values: Mapping[str, str], tmp_path: Path, environ: Mapping[str, str] | None = None, endpoint: str = ""
) -> AsyncIterator[OpenSource]:
    """The source of `demo/manifests/<name>.toml.in`, every check passed; at `endpoint` if that is given."""
    templates, manifests = tmp_path / "templates", tmp_path / "manifests"
    templates.mkdir(exist_ok=True)
    manifests.mkdir(exist_ok=True)
    shutil.copy(TEMPLATES / f"{name}.toml.in", templates)
    render_manifests(templates, manifests, values)
    if endpoint:
        file = manifests / f"{name}.toml"
        lines = file.read_text().splitlines()
        file.write_text("\n".join(f'endpoint = "{endpoint}"' if x.startswith("endpoint =") else x for x in lines))
    (manifest,) = read_manifests(manifests, known_nouns(), KINDS).sources
    egress = HttpEgress()
    source = open_source(
        manifest, egress=egress, environ=environ or {}, base_dir=manifests, state_dir=tmp_path / "state", now=utc_now
    )
    yield source
    await source.close()
    await egress.close()
