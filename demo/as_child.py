"""`python -m demo.as_child serve`: the product's own command line, ending when the demo that started it dies."""

from __future__ import annotations

import sys

from demo.processes import die_with_parent


def main() -> int:
    die_with_parent()
    # The checkers bring it along, structlog loads what it finds, and nobody uses it: 4 MiB that no installed gateway has.
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]
    if sys.argv[1:2] == ["witness"]:
        from gateway.bootstrap.witness import main as witness  # the same commands, in half the memory

        del sys.argv[1]
        return witness()
    from gateway.cli import main as yimen  # the demo drives the product; never the other way round

    sys.argv[0] = "yimen"
    return int(yimen() or 0)


if __name__ == "__main__":
    raise SystemExit(main())
