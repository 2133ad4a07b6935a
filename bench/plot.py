"""Bars as SVG, written by hand: no plotting library, readable where pages are light and where they are dark.

Words stand in Chinese with English beside. A picture carries its own ground, so that it never depends on the page's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from typing import Literal

Kind = Literal["on", "bare", "peer"]

_WIDTH = 920
_LABEL_X, _BAR_X, _BAR_END = 24, 336, 700
_ROW, _BAR, _HEAD, _FOOT, _TOP = 34, 18, 64, 34, 62
_MIDDLE = _BAR // 2 + 2
_STYLE = """
svg { font-family: system-ui, -apple-system, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif; }
.ground { fill: #ffffff; stroke: #d0d7de; } .ink { fill: #1f2328; } .soft { fill: #59636e; } .grid { stroke: #d8dee4; }
.on { fill: #0a5cc2; } .bare { fill: #4f9df0; } .peer { fill: #8c96a1; } .goal { stroke: #b3261e; } .goal-word { fill: #b3261e; }
.zh { font-size: 14px; } .en { font-size: 11px; } .head { font-size: 16px; font-weight: 600; } 
.value { font-size: 13px; font-weight: 600; stroke: #ffffff; stroke-width: 4px; stroke-linejoin: round; paint-order: stroke; }
.range { stroke: #1f2328; opacity: 0.5; }
@media (prefers-color-scheme: dark) {
.ground { fill: #0d1117; stroke: #3d444d; } .ink { fill: #f0f6fc; } .soft { fill: #9aa4ae; } .grid { stroke: #2b323a; }
.on { fill: #58a6ff; } .bare { fill: #2f6fbd; } .peer { fill: #6e7781; } .value { stroke: #0d1117; } .range { stroke: #f0f6fc; }
.goal { stroke: #ff8f85; } .goal-word { fill: #ff8f85; }
}
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One row. `low` and `high` are drawn as a thin line over the bar's end; `beside` stands in the right column."""

    zh: str
    en: str
    value: float
    kind: Kind
    low: float | None = None
    high: float | None = None
    beside: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """Bars on one scale. `beside` heads the right column; `goal` is a dashed line with its word."""

    zh: str
    en: str
    bars: Sequence[Bar]
    unit: str
    digits: int
    goal: float | None = None
    goal_word: str = ""
    beside: tuple[str, str] | None = None


def svg(zh: str, en: str, panels: Sequence[Panel], note: str) -> str:
    """The whole picture."""
    heights = [_HEAD + _ROW * len(panel.bars) + _FOOT for panel in panels]
    height = _TOP + sum(heights) + 34
    said = "; ".join(
        f"{panel.en}: " + ", ".join(f"{bar.en} {bar.value:.{panel.digits}f}" for bar in panel.bars) for panel in panels
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        'role="img" aria-labelledby="title desc">',
        f'<title id="title">{escape(zh)} / {escape(en)}</title>',
        f'<desc id="desc">{escape(said)}</desc>',
        f"<style>{_STYLE}</style>",
        f'<rect class="ground" x="0.5" y="0.5" width="{_WIDTH - 1}" height="{height - 1}" rx="8"/>',
        f'<text class="ink head" x="{_LABEL_X}" y="34">{escape(zh)}</text>',
        f'<text class="soft en" x="{_LABEL_X}" y="52">{escape(en)}</text>',
        *_legend(),
    ]
    top = _TOP
    for panel, tall in zip(panels, heights, strict=True):
        parts += _panel(panel, top)
        top += tall
    parts += [f'<text class="soft en" x="{_LABEL_X}" y="{height - 16}">{escape(note)}</text>', "</svg>"]
    return "\n".join(parts) + "\n"


def _legend() -> list[str]:
    parts, x = [], 556
    for kind, zh, en in (
        ("on", "全部启用", "everything on"),
        ("bare", "裸", "bare"),
        ("peer", "同类（无鉴权）", "peers, no auth"),
    ):
        parts.append(f'<rect class="{kind}" x="{x}" y="24" width="12" height="12" rx="2"/>')
        parts.append(
            f'<text class="ink en" x="{x + 17}" y="34">{zh}</text><text class="soft en" x="{x + 17}" y="49">{en}</text>'
        )
        x += 118
    return parts


def _panel(panel: Panel, top: int) -> list[str]:
    largest = max([bar.high or bar.value for bar in panel.bars] + [panel.goal or 0.0])
    step, most = _scale(largest)

    def x_of(value: float) -> float:
        return _BAR_X + (_BAR_END - _BAR_X) * min(value, most) / most

    rows_top, rows_end = top + _HEAD, top + _HEAD + _ROW * len(panel.bars)
    parts = [
        f'<text class="ink head" x="{_LABEL_X}" y="{top + 28}">{escape(panel.zh)}</text>',
        f'<text class="soft en" x="{_LABEL_X}" y="{top + 46}">{escape(panel.en)}</text>',
    ]
    if panel.beside is not None:
        parts.append(
            f'<text class="ink en" x="{_WIDTH - 24}" y="{top + 30}" text-anchor="end">{escape(panel.beside[0])}</text>'
        )
        parts.append(
            f'<text class="soft en" x="{_WIDTH - 24}" y="{top + 46}" text-anchor="end">{escape(panel.beside[1])}</text>'
        )
    for number in range(floor(most / step + 1e-9) + 1):
        at = x_of(number * step)
        parts.append(f'<line class="grid" x1="{at:.1f}" y1="{rows_top - 6}" x2="{at:.1f}" y2="{rows_end}"/>')
        parts.append(
            f'<text class="soft en" x="{at:.1f}" y="{rows_end + 16}" text-anchor="middle">{number * step:g}</text>'
        )
    parts.append(f'<text class="soft en" x="{_BAR_END + 24}" y="{rows_end + 16}">{escape(panel.unit)}</text>')
    for number, bar in enumerate(panel.bars):
        parts += _bar(bar, rows_top + _ROW * number, x_of)
    if panel.goal is not None:
        at = x_of(panel.goal)
        parts.append(
            f'<line class="goal" x1="{at:.1f}" y1="{rows_top - 6}" x2="{at:.1f}" y2="{rows_end}" stroke-width="1.5" '
            'stroke-dasharray="4 3"/>'
        )
        word = escape(panel.goal_word)
        parts.append(f'<text class="goal-word en" x="{at:.1f}" y="{rows_top - 11}" text-anchor="middle">{word}</text>')
    for number, bar in enumerate(panel.bars):  # over the goal's line, so that it crosses no figure
        at, middle = x_of(max(bar.value, bar.high or 0.0)) + 8, rows_top + _ROW * number + _MIDDLE
        figure = f"{bar.value:.{panel.digits}f}"
        parts.append(f'<text class="ink value" x="{at:.1f}" y="{middle + 5}">{figure}</text>')
    return parts


def _bar(bar: Bar, top: int, x_of: Callable[[float], float]) -> list[str]:
    middle, wide = top + _MIDDLE, max(1.0, x_of(bar.value) - _BAR_X)
    parts = [
        f'<text class="ink zh" x="{_LABEL_X}" y="{top + 11}">{escape(bar.zh)}</text>',
        f'<text class="soft en" x="{_LABEL_X}" y="{top + 25}">{escape(bar.en)}</text>',
        f'<rect class="{bar.kind}" x="{_BAR_X}" y="{top + 2}" width="{wide:.1f}" height="{_BAR}" rx="2"/>',
    ]
    if bar.low is not None and bar.high is not None:
        low, high = x_of(bar.low), x_of(bar.high)
        parts.append(f'<line class="range" x1="{low:.1f}" y1="{middle}" x2="{high:.1f}" y2="{middle}"/>')
    if bar.beside:
        word = escape(bar.beside)
        parts.append(f'<text class="ink zh" x="{_WIDTH - 24}" y="{middle + 5}" text-anchor="end">{word}</text>')
    return parts


def _scale(largest: float) -> tuple[float, float]:
    """Step and end of an axis that begins at nothing: four to six round steps."""
    if largest <= 0:
        return 1.0, 1.0
    rough = largest / 5
    power = 10.0 ** floor(log10(rough))
    step = next(power * one for one in (1, 2, 2.5, 5, 10) if power * one >= rough - 1e-12)
    return step, step * ceil(largest / step - 1e-9)
