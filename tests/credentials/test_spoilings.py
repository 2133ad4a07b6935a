"""The shared table, by the verifier in Python."""

from __future__ import annotations

import time

import pytest

from credentials.kit import read_kit
from credentials.verifying import Binding, verify
from tests.credentials.spoilings import Case, town

TOWN = town()
KIT = read_kit(TOWN.kit)


@pytest.mark.parametrize("case", TOWN.cases(), ids=lambda case: case.name)
def test_each_is_judged_as_the_table_says(case: Case) -> None:
    binding = Binding(KIT.audience, case.nonce) if case.bound else None
    begun = time.process_time()
    checked = verify(case.text, trust=KIT.trust, now=TOWN.now, status=KIT.statuses, binding=binding)
    assert time.process_time() - begun < 0.5
    assert checked.verdict.value == case.verdict, checked.reasons
    assert (checked.reasons[0] if checked.reasons else "").startswith(case.reason)
    assert bool(case.reason) is bool(checked.reasons)
