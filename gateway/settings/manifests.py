"""One setting by itself."""

from __future__ import annotations

import os
from pathlib import Path

from gateway.errors import SettingsInvalid
from gateway.settings import parsing
from gateway.settings.described import PREFIX
from gateway.settings.reading import FILE_VARIABLE, gather
from gateway.settings.settings import Settings, describe


def manifests_dir() -> Path:
    """The manifests' folder alone, for what needs no other setting: a missing master key is not its matter.

    Raises SettingsInvalid where this one setting is at fault, or the settings file it may stand in.
    """
    name, variable = "manifests_dir", f"{PREFIX}MANIFESTS_DIR"
    environ = {key: os.environ[key] for key in (variable, variable + "_FILE") if key in os.environ}
    named = os.environ.get(FILE_VARIABLE)
    faults: list[str] = []
    given = gather(describe(), environ, Path(named) if named else None, faults)
    if name not in given:
        if faults:
            raise SettingsInvalid(tuple(faults))
        return Settings().manifests_dir
    where, raw = given[name]
    try:
        path = parsing.path(raw)
    except parsing.Fault as fault:
        raise SettingsInvalid((f"{where}: {name} {fault}",)) from None
    if not path.is_dir():
        raise SettingsInvalid((f"{name}: {path} is not a folder",))
    return path
