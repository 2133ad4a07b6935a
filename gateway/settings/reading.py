"""Gathers what was given: the environment, the settings file, and the files they point at."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gateway.settings import parsing
from gateway.settings.described import PREFIX, Described

FILE_VARIABLE = "YIMEN_SETTINGS"

_LARGEST_VALUE_BYTES = 64 << 10
_Given = tuple[str, tuple[str, Any]]  # name, (where it was given, raw value)


def gather(
    known: Sequence[Described], environ: Mapping[str, str], file: Path | None, faults: list[str]
) -> dict[str, tuple[str, Any]]:
    """Name -> (where it was given, its raw value); the environment wins. Adds to `faults` instead of raising."""
    given = dict(_from_file(known, file, faults)) if file else {}
    given.update(_from_environ(known, environ, faults))
    return given


def _from_environ(known: Sequence[Described], environ: Mapping[str, str], faults: list[str]) -> Iterator[_Given]:
    names = {setting.variable: setting.name for setting in known}
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or variable == FILE_VARIABLE:
            continue
        if variable in names:
            if variable + "_FILE" in environ:
                faults.append(f"{variable}: given twice, also as {variable}_FILE")
            else:
                yield names[variable], (variable, environ[variable])
        elif (bare := variable.removesuffix("_FILE")) in names:
            yield from _content(variable, names[bare], Path(environ[variable]), faults)
        else:
            faults.append(f"{variable}: no such setting{_did_you_mean(variable, names)}")


def _from_file(known: Sequence[Described], file: Path, faults: list[str]) -> Iterator[_Given]:
    try:
        table = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        faults.append(f"{file}: cannot be read ({type(error).__name__})")
        return
    except tomllib.TOMLDecodeError as error:
        faults.append(f"{file}: not TOML: {error}")
        return
    settings = {setting.name: setting for setting in known}
    for name, raw in table.items():
        if name in settings and settings[name].parse is parsing.key:
            faults.append(f"{file}: {name} is not written into a settings file; name its file in {name}_file")
        elif name in settings:
            if name + "_file" in table:
                faults.append(f"{file}: {name} given twice, also as {name}_file")
            # A path in the file means the same wherever the gateway is started from.
            beside = settings[name].parse is parsing.path and isinstance(raw, str) and raw
            yield name, (str(file), str(file.parent / raw) if beside else raw)
        elif (bare := name.removesuffix("_file")) in settings and isinstance(raw, str):
            yield from _content(str(file), bare, file.parent / raw, faults)
        else:
            faults.append(f"{file}: {name}: no such setting{_did_you_mean(name, settings)}")


def _content(where: str, name: str, path: Path, faults: list[str]) -> Iterator[_Given]:
    try:
        if path.stat().st_size > _LARGEST_VALUE_BYTES:
            raise ValueError
        yield name, (where, path.read_text("utf-8").strip())
    except (OSError, ValueError):
        faults.append(f"{where}: the file for {name} cannot be read")


def _did_you_mean(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""
