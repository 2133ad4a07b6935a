"""A source of kind graphql that is a gateway like this one: `[source.options] yimen = true`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from adapters.manifest import SourceManifest
from adapters.secrets import Secrets

MOST_HOPS: Final = 3
"""District, city, province: nobody is further away."""
_OPTIONS: Final = frozenset({"yimen", "hops", "ledger_policy"})


@dataclass(frozen=True, slots=True)
class OtherGateway:
    """`names`: how it may be called in `Onward.via`. `hops`: how many gateways a question may have come through before
    it reaches us, to be put to this one all the same; none is usual."""

    hops: int
    names: frozenset[str]


def option_faults(options: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Faults of `[source.options]` of kind graphql."""
    faults = [(f"source.options.{one}", "kind graphql knows no such option") for one in options if one not in _OPTIONS]
    if not isinstance(options.get("yimen", False), bool):
        faults.append(("source.options.yimen", "true or false"))
    hops = options.get("hops", 0)
    if type(hops) is not int or not 0 <= hops <= MOST_HOPS:
        faults.append(("source.options.hops", f"a number from 0 to {MOST_HOPS}"))
    elif "hops" in options and not options.get("yimen"):
        faults.append(("source.options.hops", "only with yimen = true"))
    policy = options.get("ledger_policy", "file:x")
    if not isinstance(policy, str) or not policy.startswith("file:"):
        faults.append(("source.options.ledger_policy", "file:PATH, the policy with its log's key (tlog-policy)"))
    return faults


def is_gateway(manifest: SourceManifest) -> bool:
    return manifest.kind == "graphql" and manifest.options.get("yimen") is True


def other_gateway(manifest: SourceManifest, endpoint: str) -> OtherGateway | None:
    """None for a department's system. `endpoint` is resolved."""
    if not is_gateway(manifest):
        return None
    known = (endpoint, str(manifest.auth.get("issuer", "")))
    return OtherGateway(int(manifest.options.get("hops", 0)), frozenset(filter(None, map(name_of, known))))


def name_of(url: str) -> str:
    """How a gateway at this URL calls itself in `via`: host and port as they stand there, nothing that may be secret."""
    return urlsplit(url).netloc.rpartition("@")[2].lower()


def ledger_policy(manifest: SourceManifest, secrets: Secrets) -> str | None:
    """The text of the policy its log is checked by; None where the manifest names none. Raises SecretMissing."""
    reference = manifest.options.get("ledger_policy")
    return None if reference is None else secrets(str(reference))


def first_purpose(manifest: SourceManifest) -> str:
    """What a live probe says it is for, for nobody asks then: the first purpose the manifest wants a token for."""
    for detail in manifest.auth.get("authorization_details", ()):
        purpose = detail.get("purpose") if isinstance(detail, Mapping) else None
        if isinstance(purpose, Mapping) and isinstance(purpose.get("code"), str):
            return str(purpose["code"])
    return ""
