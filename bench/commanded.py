"""How a command that measures with children ends: its result, or a word and an exit code; the children never outlive it."""

from __future__ import annotations

import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

from bench.contenders import DidNotStart
from bench.load import WrongAnswer
from demo.processes import Children

_T = TypeVar("_T")


def measured(work: Coroutine[Any, Any, _T], children: Children) -> _T:
    """Raises SystemExit: 1 where a contender did not do what it should, 130 where somebody stopped it."""
    try:
        return uvloop.run(work)
    except (DidNotStart, WrongAnswer, TimeoutError) as error:
        print(f"bench: {error or type(error).__name__}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    finally:
        children.stop()
