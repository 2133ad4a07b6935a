"""All one run found."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.contenders import PEERS, Field
from bench.measure import Measured, Plan, Point
from bench.overload import Overload
from bench.replicas import Replicas
from bench.soak import Soaked
from bench.split import Split


@dataclass(frozen=True, slots=True)
class Results:
    """`busy` are the rows with MANY connections; `points` the short soak's, `soaked` the long ones' that were kept."""

    plan: Plan
    field: Field
    measured: Mapping[str, Measured]
    alone_ms: float
    points: Sequence[Point] = ()
    splits: Sequence[Split] = ()
    replicas: Replicas | None = None
    overloads: Sequence[Overload] = ()
    soaked: Sequence[Soaked] = ()
    took_s: float = 0.0
    busy: Mapping[str, Measured] = dataclasses.field(default_factory=dict)

    def peers(self, question: str) -> dict[str, float]:
        """CPU ms a request of every peer that ran."""
        found = {name: self.measured[name].cpu(question) for name in PEERS if name in self.measured}
        return {name: value for name, value in found.items() if value is not None}
