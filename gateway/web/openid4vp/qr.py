"""QR codes as SVG, to be put into a page as they are."""

from __future__ import annotations

import io

import segno


def qr_svg(link: str) -> str:
    """One `<svg>` element that grows with its place; black on white, whatever the page's colours."""
    out = io.BytesIO()
    segno.make(link, error="l", micro=False).save(
        out, kind="svg", xmldecl=False, svgns=True, omitsize=True, border=4, light="#ffffff", dark="#000000"
    )
    return out.getvalue().decode("utf-8").strip()
