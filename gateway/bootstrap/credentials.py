"""Everything about credentials, put together once for a process: each room adds its own lines here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from starlette.routing import BaseRoute

from gateway.services.run_jobs import Handler


@dataclass(frozen=True, slots=True)
class CredentialHouse:
    """`routes` for the application, `handlers` for background jobs."""

    routes: Sequence[BaseRoute] = ()
    handlers: Mapping[str, Handler] = field(default_factory=dict)
