"""`yimen verify` of one presentation, cold: a process from nothing to the verdict, beside an empty Python."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from bench.credentials.table import Part
from credentials import key_binding, sd_jwt
from credentials.authority import make_leaf, make_root
from credentials.jose import LocalSigner
from credentials.keys import RingKey
from credentials.kit import make_kit
from credentials.status_list import make_token, pack
from credentials.type_files import load_types
from credentials.type_metadata import card_svg, integrity_of, type_metadata
from credentials.x5c import ISSUER_PURPOSE, entry

_ISS = "https://yimen.example"
_MOST_MS = 200.0
_LEAST = 20
_LIST = 131_072  # entries, as a gateway makes them by default


class WrongAnswer(Exception):
    """It did not say that it is good."""


def measured(rounds: int) -> Part:
    """Raises WrongAnswer."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        _write(folder)
        command = [
            sys.executable, "-m", "gateway.cli", "verify", str(folder / "shown.txt"), "--kit", str(folder), "--nonce", "482913",
        ]  # fmt: skip
        bare_command = [sys.executable, "-c", "pass"]
        turns = [(_run(command), _run(bare_command)) for _ in range(max(rounds, _LEAST) + 1)][
            1:
        ]  # the first fills caches
        ours, empty = [one for one, _ in turns], [one for _, one in turns]
    wall, cpu = (statistics.median(one[place] for one in ours) for place in (0, 1))
    bare = statistics.median(one[0] for one in empty)
    text = (
        f"One presentation of ten claims with a kit of nine types and a list of {_LIST:,} entries, a new process each time: "
        f"{wall:.0f} ms from start to verdict ({min(one[0] for one in ours):.0f} to {max(one[0] for one in ours):.0f}), "
        f"{cpu:.0f} ms of CPU; an empty Python takes {bare:.0f} ms. Wanted: below {_MOST_MS:.0f} ms. "
        f"Load of the machine just before: {load:.1f} on {os.cpu_count()} CPUs."
    )
    missed = (f"cold verification {wall:.0f} ms",) if wall >= _MOST_MS else ()
    return Part("`yimen verify`, cold", text, missed)


def _run(command: list[str]) -> tuple[float, float]:
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ended = subprocess.run(command, capture_output=True, timeout=60, check=False)
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended.returncode != 0:
        raise WrongAnswer(ended.stdout.decode()[-400:] + ended.stderr.decode()[-400:])
    return wall * 1e3, (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3


def _write(folder: Path) -> None:
    now = datetime.now(UTC)
    private, root_key, holder = LocalSigner.generate(), ec.generate_private_key(ec.SECP256R1()), LocalSigner.generate()
    root = make_root(root_key, _ISS, "issuer", now)
    leaf = make_leaf(private.public.key, root, root_key, _ISS, ISSUER_PURPOSE, now)
    issuer = LocalSigner(private.private_jwk(), x5c=(entry(leaf),))
    types, uri = load_types([]), f"{_ISS}/credentials/status/1"
    spread = dict.fromkeys(range(0, _LIST, 97), 1)  # one in a hundred revoked: what hardly compresses
    token = make_token(issuer, uri, pack(_LIST, spread), issued_at=now, expires_at=now + timedelta(days=1), ttl_s=30)
    kit = make_kit(
        issuer,
        issuer=_ISS,
        made_at=now,
        anchors=[root.public_bytes(Encoding.DER)],
        keys=[RingKey(issuer.kid, "ES256", issuer.public, issuer.x5c)],
        types=[(type_metadata(one, _ISS), card_svg(one)) for one in types.values()],
        lists={uri: token},
    )
    (folder / "yimen-kit.jwt").write_text(kit)
    at, ctype = int(now.timestamp()), types["residence"]
    claims = {
        "iss": _ISS, "iat": at, "exp": at + 86_400, "vct": ctype.vct(_ISS),
        "vct#integrity": integrity_of(type_metadata(ctype, _ISS)), "cnf": {"jwk": dict(holder.public.jwk)},
        "status": {"status_list": {"idx": 5, "uri": uri}},
    }  # fmt: skip
    selective = {f"claim_{n}": f"value number {n}" for n in range(10)}
    header = {"kid": issuer.kid, "x5c": list(issuer.x5c)}
    text = sd_jwt.issue(issuer, claims, selective, header=header)
    shown = key_binding.bind(holder, text, aud=f"{_ISS}/verify", nonce="482913", at=now)
    (folder / "shown.txt").write_text(shown)
