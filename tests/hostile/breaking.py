"""To break one line of the gateway in this process, for one request: its source is read, changed and compiled anew.

No file is touched. Everybody who holds the function sees the change, for it is the code inside it that is replaced.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import textwrap
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

import pytest

_SOURCES: dict[CodeType, str] = {}
"""Of what was broken once, so that a second line of the same function can be broken, too."""


@dataclass(frozen=True)
class Break:
    """`place` is "module:function" or "module:Class.method"; `old` stands in it exactly once, and `new` in its stead."""

    place: str
    old: str
    new: str

    def do(self, patch: pytest.MonkeyPatch) -> None:
        function = self._function()
        source = _SOURCES.get(function.__code__) or textwrap.dedent(inspect.getsource(function))
        assert source.count(self.old) == 1, (
            f"{self.place} has moved: {self.old!r} stands in it {source.count(self.old)} times"
        )
        made: dict[str, Any] = {}
        text = "from __future__ import annotations\n" + source.replace(self.old, self.new)
        exec(compile(text, f"<broken {self.place}>", "exec"), sys.modules[function.__module__].__dict__, made)
        broken = made[function.__name__]
        broken = broken.__func__ if isinstance(broken, staticmethod) else broken
        assert broken.__code__.co_freevars == function.__code__.co_freevars, f"{self.place} is a closure"
        _SOURCES[broken.__code__] = source.replace(self.old, self.new)
        patch.setattr(function, "__code__", broken.__code__)

    def _function(self) -> FunctionType:
        module, _, path = self.place.partition(":")
        found: Any = importlib.import_module(module)
        for name in path.split("."):
            found = getattr(found, name)
        found = getattr(found, "__func__", found)
        assert isinstance(found, FunctionType), self.place
        return found
