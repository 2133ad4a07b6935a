"""One witness asked for its cosignature, and what is made of its answer. Source: C2SP tlog-witness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from gateway.errors import GatewayError
from gateway.services.ledger.ports import KeptCheckpoint, LedgerReader
from ledger.encoding import number
from ledger.errors import InvalidSignature, LedgerError
from ledger.note import VerifierKey, parse_signature, verify_signature
from ledger.witness.request import SIZE_TYPE, write_request

UNREACHABLE, FAILING, GARBAGE, CLAIMS_AHEAD, FORGOT = "UNREACHABLE", "FAILING", "GARBAGE", "CLAIMS_AHEAD", "FORGOT"
_REFUSALS = {400: "REJECTED", 403: "NOT_TRUSTED", 404: "UNKNOWN_ORIGIN", 409: "CONFLICT", 422: "REFUSED"}
_OTHER_TREE = frozenset({409, 422})
"""What a witness says to a tree that does not continue the one it saw: 422, and until 2025 a 409 that names no size."""
_MOST_LINES = 64
_MOST_SIZES = 3
_QUOTED = 16_384
_TIMES = range(1, 253_402_300_800)
"""POSIX seconds that a calendar knows. A witness's clock may be wrong; but pages must be able to show what it says."""


class WitnessUnreachable(GatewayError):
    """No whole answer came within the time there is. `str()` says what hindered it, never what was sent."""

    code = "WITNESS_UNREACHABLE"

    def __init__(self, reason: str, *, too_large: bool = False) -> None:
        super().__init__(reason)
        self.too_large = too_large


@dataclass(frozen=True, slots=True)
class Said:
    """An answer as it came; the body is bounded already."""

    status: int
    content_type: str
    body: bytes

    def quoted(self) -> str:
        """For an exhibit."""
        return f"{self.status} {self.content_type}\n\n{self.body[:_QUOTED].decode('utf-8', 'backslashreplace')}"


class Road(Protocol):
    """How one witness is reached. Nothing is followed elsewhere; both raise WitnessUnreachable."""

    async def add_checkpoint(self, body: bytes) -> Said: ...

    async def checkpoint(self, origin: str) -> Said:
        """What it shows as the newest checkpoint it cosigned of this log."""
        ...


@dataclass(frozen=True, slots=True)
class Cosigned:
    """`line` verifies. `forgot`: it once cosigned a larger tree than it said it had."""

    line: str
    forgot: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """Not cosigned. `fault` is a code; `documents` show what was sent and received."""

    fault: str
    documents: Mapping[str, str]
    suspicious: bool = False  # it may know a tree that ours does not lead to: see what it shows
    claimed: int = 0  # the size it says it cosigned


async def ask(
    road: Road, key: VerifierKey, kept: KeptCheckpoint, known: int, reader: LedgerReader
) -> Cosigned | Failed:
    """`known` is the size it cosigned last, as far as we know. A size it names is taken up; a further one only where it is
    larger: another leader of ours took it along meanwhile, one that lost its lead and does not know it yet."""
    old, forgot, taken = min(known, kept.size), None, 0
    while True:
        proof = await reader.consistency(kept.shard, old, kept.size)
        sent = write_request(old, proof, kept.note)
        try:
            said = await road.add_checkpoint(sent)
        except WitnessUnreachable as error:
            fault = GARBAGE if error.too_large else UNREACHABLE
            return Failed(fault, {"sent": sent.decode(), "received": str(error)})
        documents = {"sent": sent.decode(), "received": said.quoted()}
        if said.status == 200:
            line = _line(said.body, key, kept.note.text)
            return Failed(GARBAGE, documents) if line is None else Cosigned(line, forgot)
        size = _size(said)
        if size is None or (taken and size <= old):
            fault = _REFUSALS.get(said.status, FAILING)
            return Failed(fault, documents, suspicious=said.status in _OTHER_TREE)
        if size > kept.size:
            return Failed(CLAIMS_AHEAD, documents, suspicious=True, claimed=size)
        if taken == _MOST_SIZES:
            return Failed(FAILING, documents)
        if size < known:
            forgot = documents
        old, taken = size, taken + 1


def _size(said: Said) -> int | None:
    """The size a 409 names; None for any other answer. Older implementations say 409 of other things."""
    if said.status != 409 or said.content_type.partition(";")[0].strip().lower() != SIZE_TYPE:
        return None
    try:
        return number(said.body.decode("ascii").removesuffix("\n"))
    except (UnicodeDecodeError, LedgerError):
        return None


def _line(body: bytes, key: VerifierKey, text: str) -> str | None:
    """The line of this witness's key among those returned, if it verifies; whatever else stands there is dropped."""
    try:
        lines = [f"{line}\n" for line in body.decode("utf-8").split("\n")]
    except UnicodeDecodeError:
        return None
    for line in lines[:_MOST_LINES]:
        try:
            signature = parse_signature(line)
            if (signature.name, signature.key_id) == (key.name, key.id):
                verified = verify_signature(text, signature, key)
                return line if verified.at in _TIMES else None
        except InvalidSignature:
            return None
        except LedgerError:
            continue
    return None
