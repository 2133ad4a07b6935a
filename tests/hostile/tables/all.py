"""All hostile requests, by id."""

from __future__ import annotations

from tests.hostile.tables import assertions, beyond, codes, others, proofs, pushed, resource, shapes

REQUESTS = [
    one for table in (assertions, shapes, pushed, codes, proofs, resource, beyond, others) for one in table.REQUESTS
]
BY_ID = {one.id: one for one in REQUESTS}
