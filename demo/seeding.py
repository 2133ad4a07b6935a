"""`python -m demo.seeding FILE`: the product's own commands, one after another, in one process.

FILE is a JSON array of command lines without the leading `yimen`. Ends with the first one that fails.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from demo.processes import die_with_parent


def main() -> int:
    die_with_parent()
    from gateway.cli import main as yimen  # the demo drives the product; never the other way round

    for command in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        print("yimen", *command, flush=True)
        if code := yimen(command):
            print(f"exit code {code}", file=sys.stderr, flush=True)
            return int(code)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
