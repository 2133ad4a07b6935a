"""A request to an endpoint of the authorization server, as it arrived."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Incoming:
    """`form` was read strictly: no parameter twice, none empty. `headers`: lower-case names, each once.

    The URL is not here on purpose: what a proof is compared with is our configured base URL and `path`.
    """

    path: str
    form: Mapping[str, str] = field(repr=False)
    headers: Mapping[bytes, bytes] = field(repr=False)
    method: str = "POST"
    network: str = ""  # where it came from, as far as failures are counted by it

    @property
    def dpop(self) -> str | None:
        found = self.headers.get(b"dpop")
        return None if found is None else found.decode("latin-1")
