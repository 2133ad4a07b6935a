"""What a status list's token costs: `python -m bench.status_token`. CPU milliseconds of one core, this machine."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from credentials.jose import LocalSigner
from credentials.status_list import make_token, pack, put, read_token

ENTRIES = 1_000_000
TARGET_MS = 100.0
_SHARES = (0.0, 0.002, 0.02, 0.1)
_URI = "https://issuer.example/credentials/status/1"


def status_token(rounds: int = 7) -> list[tuple[float, float, float, float, int]]:
    """For each share of entries that are not valid: pack, and sign with packing into zlib, and their sum (median ms), and
    the token's bytes. Each token is read back by a verifier before it counts."""
    signer, now = LocalSigner.generate(), datetime.now(UTC)
    terms: dict[str, Any] = {"issued_at": now, "expires_at": now + timedelta(days=1), "ttl_s": 30}
    rows = []
    for share in _SHARES:
        chosen = random.sample(range(ENTRIES), int(ENTRIES * share))
        statuses = {index: 1 + (number % 4 == 0) for number, index in enumerate(chosen)}
        packing, signing, size = [], [], 0
        for _ in range(rounds):
            packed, took = _timed(partial(pack, ENTRIES, statuses))
            packing.append(took)
            token, took = _timed(partial(make_token, signer, _URI, packed, **terms))
            signing.append(took)
            size = len(token)
            read = read_token(token, signer.public, _URI, now=now)
            if any(read.at(index) != value for index, value in list(statuses.items())[:1000]):
                raise AssertionError("the token says something else")
        p, s = statistics.median(packing), statistics.median(signing)
        rows.append((share, p, s, p + s, size))
    return rows


def one_more() -> float:
    """Median ms of setting ten entries in a list that is packed already, and its new token."""
    signer, now = LocalSigner.generate(), datetime.now(UTC)
    packed = bytearray(pack(ENTRIES, dict.fromkeys(range(0, ENTRIES, 50), 1)))
    took = []
    for number in range(9):
        changed = {number * 1000 + step: 1 for step in range(10)}
        began = time.process_time()
        put(packed, changed, size=ENTRIES)
        make_token(signer, _URI, bytes(packed), issued_at=now, expires_at=now + timedelta(days=1), ttl_s=30)
        took.append((time.process_time() - began) * 1000)
    return statistics.median(took)


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    began = time.process_time()
    done = work()
    return done, (time.process_time() - began) * 1000


def main() -> int:
    print(f"status token, {ENTRIES:,} entries of 2 bits (target: < {TARGET_MS:.0f} ms)")
    rows = status_token()
    for share, packing, signing, both, size in rows:
        print(
            f"  {share:5.1%} not valid: pack {packing:5.1f} ms, zlib + sign {signing:5.1f} ms, "
            f"together {both:5.1f} ms, {size / 1000:.0f} kB"
        )
    print(f"  ten more in a list packed already: {one_more():.1f} ms")
    return 0 if all(row[3] < TARGET_MS for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
