"""`python -m tests.replicas.skewed SECONDS serve ...`: yimen on a machine whose clock is wrong by so much."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

from gateway.cli import main
from gateway.clock import SystemClock


def shifted(by: timedelta) -> None:
    """Every `SystemClock` of this process from now on."""
    setattr(SystemClock, "now", lambda _: datetime.now(UTC) + by)  # noqa: B010  (whoever holds one has it from now on)


if __name__ == "__main__":
    shifted(timedelta(seconds=float(sys.argv[1])))
    raise SystemExit(main(sys.argv[2:]))
