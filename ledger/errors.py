"""What can be wrong with a log, a note or a proof. Everything here raises one of these and never anything else."""

from __future__ import annotations


class LedgerError(Exception):
    """The base. `str()` is one plain sentence without any content of an entry."""


class Malformed(LedgerError):
    """The bytes are not in the form the specification asks for."""


class InvalidProof(LedgerError):
    """The path does not lead from what it starts from to the root it should reach."""


class InvalidSignature(LedgerError):
    """No signature by a known key, or a known key's signature that does not verify."""


class PolicyUnsatisfied(LedgerError):
    """Signed, but not by as many witnesses as the policy asks for."""


class Inconsistent(LedgerError):
    """Two signed statements of one log that cannot both be true, or a log that holds other bytes than it signed.

    `index` is the first bad entry, where that is known.
    """

    def __init__(self, message: str, *, index: int | None = None) -> None:
        super().__init__(message)
        self.index = index


class Unreadable(LedgerError):
    """A tile, bundle, checkpoint or file cannot be had."""
