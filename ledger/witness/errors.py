"""What a witness refuses, by the status the specification gives it, and what keeps it from working."""

from __future__ import annotations

from ledger.errors import LedgerError


class Refused(LedgerError):
    """Nothing was cosigned. `status` is the HTTP status of tlog-witness, `add-checkpoint`."""

    status = 400


class BadRequest(Refused):
    """No request of the specification's form, or one whose old size is above the checkpoint's."""


class UnknownLog(Refused):
    """This witness was told of no log of that origin."""

    status = 404


class NotOfThisLog(Refused):
    """No key trusted for the origin signed, or a trusted key's signature does not verify."""

    status = 403


class OtherSize(Refused):
    """The request starts from another size than the one cosigned last, which is `size`; 0 = none yet."""

    status = 409

    def __init__(self, size: int) -> None:
        super().__init__(f"the tree cosigned last has {size} entries")
        self.size = size


class NotAnExtension(Refused):
    """The proof does not lead from the tree cosigned last to this one. `split`: a second root for the same size."""

    status = 422

    def __init__(self, message: str, *, split: bool = False) -> None:
        super().__init__(message)
        self.split = split


class NotKept(LedgerError):
    """The new state could not be made durable, so nothing was cosigned; the log may try again later."""


class Damaged(LedgerError):
    """What this witness remembers is not what it wrote. It must not begin from nothing: it could cosign a second history."""


class InUse(LedgerError):
    """Another process works on this directory."""
