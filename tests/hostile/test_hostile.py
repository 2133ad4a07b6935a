"""None is let in, none is an error of ours, each is told the standard's word, and quickly.

The requests are data, in `tables`. What guards against each is shown to be alive in `test_alive`.
"""

from __future__ import annotations

import pytest

from tests.hostile.attacker import Attacker
from tests.hostile.hostile import Hostile, check_form
from tests.hostile.tables.all import REQUESTS

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("one", REQUESTS, ids=lambda one: one.id)
async def test_refused(attacker: Attacker, one: Hostile) -> None:
    request = await one.request(attacker)
    answer = await one.send(attacker, request)
    check_form(request, answer)
    assert (answer.status, answer.told) == (one.status, one.error), answer.body
    assert await one.refused(attacker, request, answer), "something came of it"


def test_there_are_many_and_no_two_are_the_same() -> None:
    assert len({one.id for one in REQUESTS}) == len(REQUESTS) >= 150
    assert len({one.says for one in REQUESTS}) == len(REQUESTS)
    assert all(one.says.endswith(".") for one in REQUESTS)
