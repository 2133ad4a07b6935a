"""What goes along with a question that another gateway is asked: for what, in which case, for whom, by whom it comes."""

from __future__ import annotations

import base64
import hmac
from functools import lru_cache

from adapters.onward import Onward
from gateway.policy.decision import Question

_NAMED = 1024  # organisations whose reference is remembered
_TOKEN_BYTES = 15  # 120 bits: 24 letters and digits without padding


class GoesAlong:
    """`name`: what this gateway is called by others, host and port of its public URL. `key`: 32 bytes nobody else has.

    The other side learns a reference to the asking organisation that is the same each time and that only we can read
    back (`whose`). It learns nothing of the officer.
    """

    def __init__(self, name: str, key: bytes) -> None:
        self.name, self._key = name, key
        self._reference = lru_cache(_NAMED)(self.reference)

    def __call__(self, question: Question, via: tuple[str, ...]) -> Onward:
        """`via`: the gateways the question came through before it reached us."""
        purpose = question.purpose
        return Onward(purpose.code, purpose.case_no, self._reference(question.caller.org_id), (*via, self.name))

    def reference(self, org_id: str) -> str:
        """How we call this organisation to other gateways."""
        token = hmac.digest(self._key, org_id.encode(), "sha256")[:_TOKEN_BYTES]
        return f"{self.name}/{base64.b32encode(token).decode().lower()}"
