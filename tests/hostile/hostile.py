"""A hostile request as data, and what every answer to one is held to."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.hostile.attacker import Attacker
from tests.hostile.wire import Answer, Request

QUICK_S = 3.0
"""No refusal takes longer, on a busy machine with two cores; most take a few milliseconds."""

_STANDARD = {"error", "error_description", "error_description#zh"}
_GRAPHQL = {"data", "errors", "extensions"}

Build = Callable[[Attacker], Request | Awaitable[Request]]


@dataclass(frozen=True)
class Hostile:
    """`build` makes everything up to the request itself, honest steps included; `error` is the word of `Answer.told`;
    `after` sees that nothing came of it, where the answer alone does not say so. `ahead`: seconds the clock is put
    forward while it is sent."""

    id: str
    says: str
    build: Build
    status: int
    error: str
    after: Callable[[Attacker, Request], Awaitable[bool]] | None = None
    ahead: float = 0.0

    async def request(self, attacker: Attacker) -> Request:
        made = self.build(attacker)
        return await made if inspect.isawaitable(made) else made

    async def refused(self, attacker: Attacker, request: Request, answer: Answer) -> bool:
        """Whether it was refused the way it should be: what a broken guard must change."""
        if (answer.status, answer.told) != (self.status, self.error):
            return False
        return self.after is None or await self.after(attacker, request)

    async def send(self, attacker: Attacker, request: Request) -> Answer:
        with attacker.later(self.ahead):
            return await attacker.send(request)


def check_form(request: Request, answer: Answer) -> None:
    """Whatever was wrong: no fault of ours, nothing to be kept, nothing repeated, nothing unheard of, and quick."""
    assert answer.status < 500, answer.body
    assert answer.headers.get("cache-control") == "no-store", answer.headers
    assert answer.seconds < QUICK_S
    shown = answer.body.decode("utf-8", "replace") + repr(dict(answer.headers))
    for word in request.words():
        assert word not in shown, f"the answer repeats {word!r}"
    said: Any = answer.json
    if isinstance(said, dict) and answer.status >= 400:
        assert set(said) <= (_STANDARD if "error" in said else _GRAPHQL), said
