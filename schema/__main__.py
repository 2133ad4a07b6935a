"""`python -m schema` prints the built-in schema; `--check` compares it with the golden file, `--write` renews that."""

from __future__ import annotations

import sys
from pathlib import Path

from schema.build import build_schema

GOLDEN = Path(__file__).with_name("schema.graphql")


def main(arguments: list[str]) -> int:
    sdl = build_schema().sdl
    if "--write" in arguments:
        GOLDEN.write_text(sdl, encoding="utf-8")
        return 0
    if "--check" in arguments:
        if GOLDEN.read_text(encoding="utf-8") == sdl:
            return 0
        print("schema.graphql is not what the code builds; read the difference, then run: python -m schema --write")
        return 1
    print(sdl, end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
