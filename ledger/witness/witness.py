"""The witness itself: decide, sign, keep, answer; in that order."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Protocol

from ledger.note import COSIGNATURE, Note, Signer, VerifierKey
from ledger.witness.deciding import Cosigned, check_extends, signatures_of_log
from ledger.witness.errors import NotAnExtension, UnknownLog
from ledger.witness.request import AddCheckpoint, parse_request

Logs = Mapping[str, Sequence[VerifierKey]]
"""Origin -> the keys that may sign for it; several while a log changes its key."""


class States(Protocol):
    """What a witness remembers. May be called from several threads."""

    def last(self, origin: str) -> Cosigned | None:
        """None: nothing was ever cosigned for this origin."""
        ...

    def replace(self, last: Cosigned | None, new: Cosigned) -> bool:
        """Remember `new` if `last` is still what is remembered, as one step; False where it is not.

        True means durable: whatever happens to the machine now, `new` or a later one is found again. Raises NotKept.
        """
        ...

    def keep_split(self, ours: Cosigned, theirs: Note) -> None:
        """Two roots a log signed for one size: the proof of its misdeed. Kept as far as can be; raises nothing."""
        ...


def name_of(origin: str) -> str:
    """Under which name the monitoring face shows an origin. Source: tlog-witness."""
    return sha256(origin.encode()).hexdigest()


class Witness:
    """`logs` may be set anew while it works. `now`: POSIX seconds."""

    def __init__(
        self, signer: Signer, logs: Logs, states: States, *, now: Callable[[], int] = lambda: int(time.time())
    ) -> None:
        if signer.type != COSIGNATURE:
            raise ValueError("a witness signs cosignatures")
        self._signer, self._states, self._now = signer, states, now
        self.logs = logs

    @property
    def key(self) -> VerifierKey:
        return self._signer.key

    def add_checkpoint(self, body: bytes) -> bytes:
        """Our signature line over the checkpoint in `body`, which is durable on return.

        Raises Refused, whose kinds are the statuses of the specification, or NotKept.
        """
        request = parse_request(body)
        keys = self.logs.get(request.checkpoint.origin)
        if not keys:
            raise UnknownLog("this witness does not know the log")
        lines = signatures_of_log(request, keys)
        while True:
            last = self._states.last(request.checkpoint.origin)
            self._check(request, last)
            # A clock that was put back must not make it look as if the newer tree had been seen first.
            at = max(self._now(), last.at if last else 0, 0)
            ours = self._signer.sign(request.note.text, at)
            new = Cosigned(request.checkpoint, Note(request.note.text, (*lines, ours)), at)
            if self._states.replace(last, new):
                return str(ours).encode()

    def newest(self, name: str) -> bytes | None:
        """The newest cosigned checkpoint of the origin whose `name_of` this is, with the log's signature and ours."""
        for origin in self.logs:
            if name_of(origin) == name:
                last = self._states.last(origin)
                return bytes(last.note) if last else None
        return None

    def _check(self, request: AddCheckpoint, last: Cosigned | None) -> None:
        try:
            check_extends(request, last)
        except NotAnExtension as error:
            if error.split and last:
                self._states.keep_split(last, request.note)
            raise
