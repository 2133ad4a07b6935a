"""A status list's token of a million entries, from what is not valid to the signed text."""

from __future__ import annotations

from bench.credentials.table import Part
from bench.status_token import ENTRIES, TARGET_MS, one_more, status_token


def measured(rounds: int) -> Part:
    """Raises AssertionError where a verifier reads something else than was put in."""
    return part(status_token(max(rounds, 7)), one_more())


def part(rows: list[tuple[float, float, float, float, int]], more: float) -> Part:
    """`rows` as `bench.status_token.status_token` gives them; `more`: ms of ten changes in a list packed already."""
    lines = [
        f"{ENTRIES:,} entries of two bits; CPU milliseconds of one core, medians. Each token was read back by a verifier.",
        "",
        "| not valid | pack | zlib and signature | together | kB |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {share:.1%} | {packing:.1f} | {signing:.1f} | {both:.1f} | {size / 1000:,.0f} |"
        for share, packing, signing, both, size in rows
    ]
    lines += ["", f"Ten more in a list packed already: {more:.1f} ms. Wanted: each below {TARGET_MS:.0f} ms."]
    missed = tuple(f"status token {row[3]:.0f} ms at {row[0]:.1%}" for row in rows if row[3] >= TARGET_MS)
    return Part("A status token", "\n".join(lines), missed)
