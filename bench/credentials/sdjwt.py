"""SD-JWT VC with ten claims: issued and verified by us, by PyPI `sd-jwt` and by node `@sd-jwt`, CPU for CPU.

The credential is one as the gateway issues it: `kid` and a certificate in the header, ten disclosures, `cnf`. Every
contender holds its keys ready and verifies the same text. Ours checks more (orphans, doubled names and disclosures, other
spellings); nothing of that is left out here.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from jwcrypto.jwk import JWK
from sd_jwt.common import SDObj
from sd_jwt.issuer import SDJWTIssuer
from sd_jwt.verifier import SDJWTVerifier

from bench import peers_node
from bench.credentials.table import Part
from credentials import key_binding, sd_jwt
from credentials.authority import make_leaf, make_root
from credentials.jose import LocalSigner
from credentials.x5c import ISSUER_PURPOSE, entry

_OPERATIONS = ("issue", "verify", "verify_kb")
_WORDS = {"issue": "issue", "verify": "verify", "verify_kb": "verify with key binding"}
_BLOCK = 400  # operations
_AUD, _NONCE = "https://bank.example", "n-0123456789"
_TARGETS = {("issue", "pypi"): 2.0, ("issue", "node"): 3.0, ("verify", "pypi"): 2.0, ("verify_kb", "pypi"): 2.0}
_HOME = Path("var/bench")


class WrongAnswer(Exception):
    """A contender did not do the work."""


@dataclass(slots=True)
class Given:
    """The same for all."""

    issuer: LocalSigner
    holder: LocalSigner
    always: dict[str, Any]
    selective: dict[str, Any]
    header: dict[str, Any]
    issued: str = ""
    shown: str = ""
    times: dict[tuple[str, str], list[float]] = field(default_factory=dict)


def measured(rounds: int) -> Part:
    """Raises WrongAnswer; without Node it says so and goes on."""
    given = _given()
    contenders: dict[str, dict[str, Callable[[int], float]]] = {"ours": _ours(given), "pypi": _pypi(given)}
    node = None
    try:
        node = _Node(given)
        contenders["node"] = {op: (lambda n, op=op: node.cpu_us(op, n)) for op in _OPERATIONS}  # type: ignore[misc]
    except peers_node.NotInstalled as error:
        print(f"bench: without node @sd-jwt: {error}", file=sys.stderr)
    try:
        for warm in range(-1, max(rounds, 5)):
            for op in _OPERATIONS:
                for name, operations in contenders.items():
                    spent = operations[op](_BLOCK)
                    if warm >= 0:
                        given.times.setdefault((op, name), []).append(spent)
    finally:
        if node is not None:
            node.stop()
    return _part(given, list(contenders))


def _given() -> Given:
    private, root_key, now = LocalSigner.generate(), ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    root = make_root(root_key, "https://yimen.example", "issuer", now)
    leaf = make_leaf(private.public.key, root, root_key, "https://yimen.example", ISSUER_PURPOSE, now)
    issuer, holder = LocalSigner(private.private_jwk(), x5c=(entry(leaf),)), LocalSigner.generate()
    at, vct = int(now.timestamp()), "https://yimen.example/credentials/types/residence/1"
    given = Given(
        issuer,
        holder,
        {
            "iss": "https://yimen.example", "iat": at, "nbf": at, "exp": at + 86_400, "vct": vct,
            "vct#integrity": "sha256-" + "A" * 43 + "=", "cnf": {"jwk": dict(holder.public.jwk)},
        },
        {f"claim_{n}": f"value number {n}" for n in range(10)},
        {"kid": issuer.kid, "x5c": list(issuer.x5c)},
    )  # fmt: skip
    given.issued = sd_jwt.issue(issuer, given.always, given.selective, header=given.header)
    given.shown = key_binding.bind(holder, given.issued, aud=_AUD, nonce=_NONCE, at=now)
    return given


def _ours(given: Given) -> dict[str, Callable[[int], float]]:
    key, now = given.issuer.public, datetime.now(UTC)

    def issue() -> Any:
        return sd_jwt.issue(given.issuer, given.always, given.selective, header=given.header)

    def verify() -> Any:
        return sd_jwt.check(sd_jwt.read(given.issued), key).claims

    def verify_kb() -> Any:
        taken = sd_jwt.read(given.shown)
        verified = sd_jwt.check(taken, key)
        key_binding.check(taken, verified, aud=_AUD, nonce=_NONCE, now=now)
        return verified.claims

    return _timed(given, issue, verify, verify_kb)


def _pypi(given: Given) -> dict[str, Callable[[int], float]]:
    private, public = JWK(**given.issuer.private_jwk()), JWK(**given.issuer.public.jwk)
    always = {name: value for name, value in given.always.items() if name != "cnf"}
    holder = JWK(**given.holder.public.jwk)

    def issue() -> Any:
        claims = always | {SDObj(name): value for name, value in given.selective.items()}
        made = SDJWTIssuer(
            claims, private, holder_key=holder, extra_header_parameters={"typ": sd_jwt.TYP, **given.header}
        )
        return made.sd_jwt_issuance

    def verify() -> Any:
        return SDJWTVerifier(given.issued, lambda *_: public).get_verified_payload()

    def verify_kb() -> Any:
        return SDJWTVerifier(given.shown, lambda *_: public, _AUD, _NONCE).get_verified_payload()

    return _timed(given, issue, verify, verify_kb)


def _timed(given: Given, issue: Callable[[], Any], *verifying: Callable[[], Any]) -> dict[str, Callable[[int], float]]:
    """CPU microseconds an operation, of blocks of n."""
    if issue().count("~") != 11 or any(work()["claim_9"] != "value number 9" for work in verifying):
        raise WrongAnswer

    def timed(work: Callable[[], Any]) -> Callable[[int], float]:
        def block(n: int) -> float:
            begun = time.process_time()
            for _ in range(n):
                work()
            return (time.process_time() - begun) / n * 1e6

        return block

    return dict(zip(_OPERATIONS, map(timed, (issue, *verifying)), strict=True))


class _Node:
    """The peer in its own process, driven line by line."""

    def __init__(self, given: Given) -> None:
        place = peers_node.install(_HOME, "sdjwt")
        self.version = peers_node.installed(place, "@sd-jwt/sd-jwt-vc")
        self._process = subprocess.Popen(
            peers_node.command(place, "peer.mjs"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        first = self._ask(
            issuer_private=given.issuer.private_jwk(), issuer_public=dict(given.issuer.public.jwk),
            holder_private=given.holder.private_jwk(), always=given.always, selective=given.selective,
            header=given.header, issued=given.issued, shown=given.shown, nonce=_NONCE,
        )  # fmt: skip
        if first != {"issue": 12, "verify": True, "verify_kb": True}:
            raise WrongAnswer(str(first))

    def cpu_us(self, op: str, n: int) -> float:
        return float(self._ask(op=op, n=n))

    def _ask(self, **asked: Any) -> Any:
        if self._process.stdin is None or self._process.stdout is None:
            raise WrongAnswer("no pipe")
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise WrongAnswer("node ended")
        return json.loads(line)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=10)


def _part(given: Given, names: list[str]) -> Part:
    words = {"ours": "yimen", "pypi": f"PyPI sd-jwt {metadata.version('sd-jwt')}", "node": "node @sd-jwt/sd-jwt-vc"}
    lines = [
        "CPU microseconds an operation (all threads); in brackets the least and most of a block.\n",
        f"| | {' | '.join(words[name] for name in names)} |",
        f"|---|{'---|' * len(names)}",
    ]
    missed = []
    for op in _OPERATIONS:
        cells = []
        for name in names:
            times = given.times[op, name]
            cells.append(f"{statistics.median(times):.0f} ({min(times):.0f} to {max(times):.0f})")
        lines.append(f"| {_WORDS[op]} | {' | '.join(cells)} |")
    lines.append("")
    for (op, name), target in _TARGETS.items():
        if name in names:
            ratio = statistics.median(given.times[op, name]) / statistics.median(given.times[op, "ours"])
            lines.append(f"- {_WORDS[op]}: {ratio:.2f} times {words[name]} (wanted: {target:g}).")
            if ratio < target:
                missed.append(f"{op} {ratio:.2f} < {target:g} times {name}")
    return Part("SD-JWT VC with ten claims", "\n".join(lines), tuple(missed))
