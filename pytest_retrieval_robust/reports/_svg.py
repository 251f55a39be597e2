"""Small inline drawings: lines over a level, steps, maps, intervals. The colours are
the page's style sheet's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from markupsafe import Markup

from ._text import level_text

_WIDTH, _HEIGHT = 440.0, 292.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 42.0, 12.0, 22.0, 40.0
COLOURS, DASHES = 8, 4
"""How many of each the style sheet has."""
_MARKERS = (
    "m-3.4 0a3.4 3.4 0 1 0 6.8 0a3.4 3.4 0 1 0-6.8 0",
    "m-3-3h6v6h-6z",
    "m0-4.4l3.9 6.9h-7.8z",
    "m0-4.5l4.5 4.5-4.5 4.5-4.5-4.5z",
    "m0 4.4l3.9-6.9h-7.8z",
    "m-3-3l6 6m0-6l-6 6",
    "m-4 0h8m-4-4v8",
    "m-2.2-4h4.4v8h-4.4z",
)
SHADES = 9


@dataclass(frozen=True)
class Trace:
    """One line: its number among all, which decides how it looks, and (x, y, low, high) points."""

    number: int
    points: Sequence[tuple[float, float | None, float | None, float | None]]


@dataclass(frozen=True)
class Rule:
    """A horizontal line: chance, ceiling."""

    kind: str
    label: str
    value: float


def look(number: int) -> str:
    """The classes of a line's colour and dashes."""
    return f"s{number % COLOURS} d{number % DASHES}"


def swatch(number: int) -> Markup:
    """A line's sample for a legend."""
    line = (
        '<path class="line" d="M1 8H31"/><path class="mark" d="M16'
        f' 8{_MARKERS[number % len(_MARKERS)]}"/>'
    )
    return Markup(
        f'<svg class="swatch {look(number)}" viewBox="0 0 32 16"'
        f' aria-hidden="true">{line}</svg>'
    )


class _Frame:
    """Where numbers lie on the drawing."""

    def __init__(self, levels: Sequence[float], top: float) -> None:
        self.levels = list(levels)
        self.low, self.high = (
            (levels[0], levels[-1])
            if len(levels) > 1
            else (levels[0] - 0.5, levels[0] + 0.5)
        )
        self.top = top

    def x(self, level: float) -> float:
        share = (level - self.low) / (self.high - self.low)
        return _LEFT + 8 + (_WIDTH - _LEFT - _RIGHT - 16) * share

    def y(self, value: float) -> float:
        return (
            _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * min(value / self.top, 1.0)
        )


def panel(
    traces: Sequence[Trace],
    *,
    levels: Sequence[float],
    x_label: str,
    y_label: str,
    label: str,
    rules: Sequence[Rule] = (),
    steps: bool = False,
    unit: str = "hidden",
) -> Markup:
    """Lines over rising `levels`, shares in [0, 1] upward, with bands between their
    bounds; `label` is read aloud.

    `unit` is what a level says, in the words beside the pointer.
    """
    frame = _Frame(levels, _top(traces, rules))
    parts = [
        *_grid(frame),
        *_axes(frame, x_label, y_label),
        *(_rule(frame, rule) for rule in rules),
    ]
    parts += [_trace(frame, trace, steps) for trace in traces]
    places = ",".join(_short(frame.x(level)) for level in levels)
    shown = ",".join(f"{level:g}" for level in levels)
    head = Markup(
        '<svg class="plot" role="img" viewBox="0 0 {} {}" data-x="{}" data-levels="{}"'
        ' data-unit="{}" aria-label="{}">'
    ).format(int(_WIDTH), int(_HEIGHT), places, shown, unit, label)
    return head + Markup("".join(parts)) + Markup("</svg>")


def _top(traces: Iterable[Trace], rules: Iterable[Rule]) -> float:
    """The upper end of the axis: everything measured, chance too, bands up to 1, and
    the ceiling where it is near.
    """
    points = [point for trace in traces for point in trace.points]
    highest = max((point[1] for point in points if point[1] is not None), default=0.0)
    bands = max((point[3] for point in points if point[3] is not None), default=0.0)
    highest = max(
        [
            highest,
            min(bands, 1.0),
            *(rule.value for rule in rules if rule.kind == "chance"),
        ]
    )
    near = [rule.value for rule in rules if highest < rule.value <= 1.6 * highest]
    most = max([highest, *near], default=1.0)
    return next(
        (
            top
            for top in (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
            if most <= top
        ),
        most * 1.02,
    )


def _ticks(top: float) -> list[float]:
    step = next(
        (
            step
            for step in (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5)
            if top / step <= 6
        ),
        math.ceil(top / 6),
    )
    return [step * place for place in range(int(top / step + 1e-9) + 1)]


def _grid(frame: _Frame) -> Iterable[str]:
    places = [(_short(frame.y(tick)), f"{100 * tick:g}") for tick in _ticks(frame.top)]
    lines = "".join(f"M{_LEFT:g} {y}H{_WIDTH - _RIGHT:g}" for y, _ in places)
    yield f'<path class="grid" d="{lines}"/>'
    yield (
        f'<g class="y">{"".join(f"""<text x="{_LEFT - 6:g}" y="{y}">{text}</text>""" for y, text in places)}</g>'
    )


def _axes(frame: _Frame, x_label: str, y_label: str) -> Iterable[str]:
    base, places = (
        _HEIGHT - _BOTTOM,
        [(_short(frame.x(level)), f"{100 * level:g}") for level in _thinned(frame)],
    )
    ticks = "".join(f"M{x} {base:g}v4" for x, _ in places)
    yield f'<path class="axis" d="M{_LEFT:g} {base:g}H{_WIDTH - _RIGHT:g}{ticks}"/>'
    middle, upward = (_LEFT + _WIDTH - _RIGHT) / 2, (_TOP + base) / 2
    yield (
        f'<g class="x">{"".join(f"""<text x="{x}" y="{base + 16:g}">{text}</text>""" for x, text in places)}<text'
        f' x="{middle:g}" y="{_HEIGHT - 6:g}">{Markup.escape(x_label)}</text><text'
        f' transform="rotate(-90 11 {upward:g})" x="11"'
        f' y="{upward:g}">{Markup.escape(y_label)}</text></g>'
    )


def _thinned(frame: _Frame) -> list[float]:
    """The levels whose numbers have room beside each other."""
    kept: list[float] = []
    for level in frame.levels:
        if not kept or frame.x(level) - frame.x(kept[-1]) >= 26:
            kept.append(level)
    return kept


def _rule(frame: _Frame, rule: Rule) -> str:
    above = rule.value > frame.top
    y = frame.y(min(rule.value, frame.top))
    words = f"{rule.label} {100 * rule.value:.3g} %{' ↑' if above else ''}"
    line = (
        ""
        if above
        else (
            f'<path class="rule {rule.kind}" d="M{_LEFT:g}'
            f' {_short(y)}H{_WIDTH - _RIGHT:g}"/>'
        )
    )
    return (
        f'{line}<text class="rule-name" x="{_WIDTH - _RIGHT:g}" y="{_short(y - 4)}"'
        f' text-anchor="end">{Markup.escape(words)}</text>'
    )


def _trace(frame: _Frame, trace: Trace, steps: bool) -> str:
    known = [
        (frame.x(x), frame.y(y), low, high)
        for x, y, low, high in trace.points
        if y is not None
    ]
    at = {x: y for x, y, _, _ in trace.points if y is not None}
    values = ",".join(f"{100 * at[x]:.4g}" if x in at else "" for x in frame.levels)
    banded = [
        (x, low, high)
        for x, _, low, high in known
        if low is not None and high is not None
    ]
    band = ""
    if len(banded) > 1:
        upper = [f"{_short(x)} {_short(frame.y(high))}" for x, _, high in banded]
        lower = [
            f"{_short(x)} {_short(frame.y(low))}" for x, low, _ in reversed(banded)
        ]
        band = f'<path class="band" d="M{"L".join(upper + lower)}z"/>'
    line, marks = _path([(x, y) for x, y, _, _ in known], steps), ""
    if not steps:
        marker = _MARKERS[trace.number % len(_MARKERS)]
        marks = "".join(f"M{_short(x)} {_short(y)}{marker}" for x, y, _, _ in known)
        marks = f'<path class="mark" d="{marks}"/>'
    return (
        f'<g class="trace {look(trace.number)}" data-series="{trace.number}"'
        f' data-values="{values}">{band}<path class="line" d="{line}"/>{marks}</g>'
    )


def _path(places: Sequence[tuple[float, float]], steps: bool) -> str:
    if not places:
        return ""
    first = f"M{_short(places[0][0])} {_short(places[0][1])}"
    if steps:
        return first + "".join(f"H{_short(x)}V{_short(y)}" for x, y in places[1:])
    return first + "".join(f"L{_short(x)} {_short(y)}" for x, y in places[1:])


def _short(place: float) -> str:
    return f"{place:.1f}".removesuffix(".0")


def heat_map(
    rows: Sequence[Sequence[float]], label: str, ground: str | None = None
) -> Markup:
    """A grid of cells, the darker the greater the number; nothing where it is 0 or below.

    `ground` is the id of a picture of the page, one unit wide and high, that lies beneath.
    """
    most = max(
        (value for row in rows for value in row if math.isfinite(value)), default=0.0
    )
    runs: dict[int, list[str]] = {}
    for y, row in enumerate(rows):
        x = 0
        for shade, group in groupby(_shade(value, most) for value in row):
            width = len(list(group))
            runs.setdefault(shade, []).append(f"M{x} {y}h{width}")
            x += width
    # Lines as broad as a cell take half the room of squares.
    paths = "".join(
        f'<path class="h{shade}" d="{"".join(runs[shade])}"/>'
        for shade in sorted(runs)
        if shade
    )
    columns = max((len(row) for row in rows), default=1)
    head = Markup(
        '<svg class="map{3}" role="img" viewBox="0 0 {0} {1}" aria-label="{2}">'
    ).format(columns, len(rows), label, "" if ground is None else " over")
    below = (
        ""
        if ground is None
        else f'<use href="#{ground}" transform="scale({columns} {len(rows)})"/>'
    )
    return head + Markup(f'{below}<g transform="translate(0 .5)">{paths}</g></svg>')


def _shade(value: float, most: float) -> int:
    return (
        math.ceil(SHADES * value / most)
        if most > 0 and math.isfinite(value) and value > 0
        else 0
    )


def interval(value: float, low: float, high: float, reach: float) -> Markup:
    """A number and its interval on a scale from -`reach` to `reach`."""

    def place(number: float) -> str:
        return _short(60 + 56 * max(-1.0, min(1.0, number / reach)))

    return Markup(
        '<svg class="interval" viewBox="0 0 120 14" aria-hidden="true"><path'
        f' d="M{place(low)} 7H{place(high)}"/><path class="value" d="M{place(value)}'
        ' 7h0"/></svg>'
    )


def described(points: Iterable[tuple[float, float | None]], half: float | None) -> str:
    """A line in words."""
    known = [(level, value) for level, value in points if value is not None]
    if not known:
        return "no number"
    (first, start), (last, end) = known[0], known[-1]
    begin = (
        f"{100 * start:.1f} % with nothing hidden"
        if first == 0
        else f"{100 * start:.1f} % at {level_text(first)}"
    )
    if len(known) == 1:
        return begin
    steepest = max(pairwise(known), key=lambda pair: pair[0][1] - pair[1][1])
    fall = (
        f"the steepest fall from {level_text(steepest[0][0])} to"
        f" {level_text(steepest[1][0])}"
    )
    if steepest[0][1] <= steepest[1][1]:
        fall = "no fall between any two levels"
    halved = (
        "" if half is None else f"; half of it is gone at {level_text(round(half, 3))}"
    )
    return f"{begin}, {100 * end:.1f} % at {level_text(last)}, {fall}{halved}"
