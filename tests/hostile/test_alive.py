"""Every guard is alive: break its line, and the hostile request it guards against is refused no longer.

So a guard that did nothing, or that another one did all the work of, would be found here, and the suite of hostile requests
cannot be green by accident.
"""

from __future__ import annotations

import pytest

from tests.hostile.attacker import Attacker
from tests.hostile.guards import GUARDS, Guard
from tests.hostile.tables.all import BY_ID

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.id.replace(" ", "-"))
async def test_broken_it_lets_in(attacker: Attacker, guard: Guard) -> None:
    hostile = BY_ID[guard.hostile]
    try:
        with pytest.MonkeyPatch.context() as patch:
            if not guard.first:
                request = await hostile.request(attacker)
            for broken in guard.breaks:
                broken.do(patch)
            if guard.first:
                request = await hostile.request(attacker)
            answer = await hostile.send(attacker, request)
            assert answer.status == guard.then, (answer.status, answer.told, answer.body)
            assert not await hostile.refused(attacker, request, answer)
    finally:
        attacker.forget()


def test_there_are_many_guards_and_each_one_names_why_it_has_two_lines() -> None:
    assert len({guard.id for guard in GUARDS}) == len(GUARDS) >= 40
    assert all(guard.also for guard in GUARDS if len(guard.breaks) > 1)
