"""How long witnesses take: five processes on loopback, asked at once over the gateway's own way out, one tree after another.

A round is over when four of five have cosigned, which is when a checkpoint is sealed; what each took alone is told beside.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

from adapters.egress_http import HttpEgress
from bench.witnesses import FIRST_PORT
from demo.places import Places
from demo.processes import Children
from demo.witnesses import QUORUM, Agency, Witnesses
from gateway.bootstrap.witness_client import WitnessRoad, road_to
from ledger.checkpoint import Checkpoint
from ledger.merkle import Frontier, Node, consistency_ranges, proof_hashes
from ledger.note import ED25519, Note, Signer, parse_vkey, sign_note
from ledger.policy import KnownWitness
from ledger.witness.request import write_request

_ORIGIN = "bench.example/ledger/2026"
_GROWTH = 40  # entries between two rounds
_REST_S = 0.02


@dataclass(slots=True)
class Found:
    """Seconds: of each round until the quorum, and of each single answer."""

    sealed_s: list[float] = field(default_factory=list)
    answered_s: list[float] = field(default_factory=list)


class _Log:
    """A tree in memory that can show it only grew."""

    def __init__(self) -> None:
        self.signer = Signer(_ORIGIN, ED25519, os.urandom(32))
        self._tree, self._nodes = Frontier(), dict[Node, bytes]()

    def grow(self) -> tuple[int, tuple[bytes, ...], Note]:
        """The size before, the proof from there, and the signed checkpoint."""
        old, leaves = self._tree.size, [os.urandom(32) for _ in range(_GROWTH)]
        self._nodes |= {Node(0, number): leaf for number, leaf in enumerate(leaves, old)}
        self._tree = self._tree.extended(leaves, self._nodes.__setitem__, every=1)
        proof = proof_hashes(
            consistency_ranges(old, self._tree.size), lambda nodes: [self._nodes[one] for one in nodes]
        )
        text = Checkpoint(_ORIGIN, self._tree.size, self._tree.root()).text
        return old, tuple(proof), sign_note(text, [self.signer])


async def measured(home: Path, rounds: int, children: Children) -> Found:
    """Raises NotReady; RuntimeError where a witness does not cosign."""
    shutil.rmtree(home, ignore_errors=True)
    log, found = _Log(), Found()
    agencies = await asyncio.to_thread(_started, home, children, str(log.signer.key))
    egress = HttpEgress()
    roads = [road_to(KnownWitness(one.code, parse_vkey(one.vkey), one.url), egress) for one in agencies]
    try:
        for number in range(-5, rounds):
            old, proof, note = log.grow()
            one = await _round(roads, write_request(old, proof, note))
            if number >= 0:
                found.answered_s += one
                found.sealed_s.append(sorted(one)[QUORUM - 1])
            await asyncio.sleep(_REST_S)
    finally:
        await egress.close()
        for agency in agencies:
            children.stop_one(agency.child)
    return found


async def _round(roads: list[WitnessRoad], body: bytes) -> list[float]:
    began = time.perf_counter()

    async def ask(road: WitnessRoad) -> float:
        said = await road.add_checkpoint(body)
        if said.status != 200:
            raise RuntimeError(f"a witness answered {said.status}: {said.quoted()}")
        return time.perf_counter() - began

    return list(await asyncio.gather(*map(ask, roads)))


def _started(home: Path, children: Children, vkey: str) -> list[Agency]:
    witnesses = Witnesses(Places(home), FIRST_PORT, set(), children, lambda _: None)
    witnesses.start([])
    witnesses.introduce([vkey])
    return witnesses.agencies
