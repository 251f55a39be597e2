"""Small inline drawings: lines over a level, steps, maps, intervals.

Their colours are in the page's style sheet.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from markupsafe import Markup

from ...core.cases import Family, clean_words, levels_word
from .._text import level_text

_WIDTH = 440.0
_HEIGHT = 292.0
_LEFT = 42.0
_RIGHT = 12.0
_TOP = 22.0
_BOTTOM = 40.0
_INSET = 8.0
"""Room between the axis and the first level, and after the last one."""
_LABEL_WIDTH = 26.0
"""What the number of a level takes along the axis."""
COLOURS = 8
"""How many line colours the style sheet has."""
DASHES = 4
"""How many dash patterns the style sheet has."""
_AXIS_ENDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
_TICK_STEPS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5)
_MOST_TICKS = 6
_NEAR = 1.6
"""A ceiling up to this many times the highest value is still drawn to scale."""
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
"""Steps of a map, beside nothing at all."""


@dataclass(frozen=True)
class Trace:
    """One line."""

    number: int
    """Its place among all lines, which decides how it looks."""
    points: Sequence[tuple[float, float | None, float | None, float | None]]
    """(x, y, low, high); None where a number is not known."""


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
        self.top = top
        self.low = levels[0]
        self.high = levels[-1]
        if self.low == self.high:
            # A single level stands in the middle.
            self.low -= 0.5
            self.high += 0.5

    def x(self, level: float) -> float:
        share = (level - self.low) / (self.high - self.low)
        width = _WIDTH - _LEFT - _RIGHT - 2 * _INSET
        return _LEFT + _INSET + width * share

    def y(self, value: float) -> float:
        height = _HEIGHT - _TOP - _BOTTOM
        return _HEIGHT - _BOTTOM - height * min(value / self.top, 1.0)


@dataclass(frozen=True)
class Axes:
    """What a drawing's numbers are."""

    levels: Sequence[float]
    """Rising."""
    x_label: str
    y_label: str
    unit: str = "hidden"
    """The word beside a level at the pointer."""
    family: Family = "occlusion"
    """Levels of an occlusion are shown in %, severities of other families as they are."""


def panel(
    traces: Sequence[Trace],
    axes: Axes,
    label: str,
    *,
    rules: Sequence[Rule] = (),
    steps: bool = False,
) -> Markup:
    """Lines over the levels, shares in [0, 1] upward, bands between their bounds.

    Screen readers read `label`.
    """
    frame = _Frame(axes.levels, _top(traces, rules))
    parts = [*_grid(frame), *_axes(frame, axes)]
    parts += [_rule(frame, rule) for rule in rules]
    parts += [_trace(frame, trace, steps) for trace in traces]
    places = ",".join(_short(frame.x(level)) for level in axes.levels)
    shown = ",".join(f"{level:g}" for level in axes.levels)
    scale = Markup("" if axes.family == "occlusion" else ' data-scale="fraction"')
    head = Markup(
        '<svg class="plot" role="img" viewBox="0 0 {} {}" data-x="{}" data-levels="{}"'
        ' data-unit="{}"{} aria-label="{}">'
    ).format(int(_WIDTH), int(_HEIGHT), places, shown, axes.unit, scale, label)
    return head + Markup("".join(parts)) + Markup("</svg>")


def _top(traces: Iterable[Trace], rules: Iterable[Rule]) -> float:
    """The upper end of the axis.

    It shows every value, chance and bands up to 1; the ceiling only where it is near.
    """
    points = [point for trace in traces for point in trace.points]
    values = [value for _, value, _, _ in points if value is not None]
    bounds = [min(high, 1.0) for _, _, _, high in points if high is not None]
    chances = [rule.value for rule in rules if rule.kind == "chance"]
    highest = max([0.0, *values, *bounds, *chances])
    near = [rule.value for rule in rules if rule.value <= _NEAR * highest]
    highest = max([highest, *near])
    for end in _AXIS_ENDS:
        if highest <= end:
            return end
    return highest * 1.02


def _ticks(top: float) -> list[float]:
    fitting = (step for step in _TICK_STEPS if top / step <= _MOST_TICKS)
    step = next(fitting, math.ceil(top / _MOST_TICKS))
    # A millionth of a step is rounding, not a missing tick.
    count = int(top / step + 1e-9) + 1
    return [step * number for number in range(count)]


def _grid(frame: _Frame) -> Iterable[str]:
    lines = []
    numbers = []
    for tick in _ticks(frame.top):
        y = _short(frame.y(tick))
        lines.append(f"M{_LEFT:g} {y}H{_WIDTH - _RIGHT:g}")
        numbers.append(f'<text x="{_LEFT - 6:g}" y="{y}">{100 * tick:g}</text>')
    yield f'<path class="grid" d="{"".join(lines)}"/>'
    yield f'<g class="y">{"".join(numbers)}</g>'


def _axes(frame: _Frame, axes: Axes) -> Iterable[str]:
    scale = 100 if axes.family == "occlusion" else 1
    base = _HEIGHT - _BOTTOM
    ticks = []
    numbers = []
    for level in _thinned(frame):
        x = _short(frame.x(level))
        ticks.append(f"M{x} {base:g}v4")
        numbers.append(f'<text x="{x}" y="{base + 16:g}">{scale * level:g}</text>')
    line = f"M{_LEFT:g} {base:g}H{_WIDTH - _RIGHT:g}"
    yield f'<path class="axis" d="{line}{"".join(ticks)}"/>'
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    upward = (_TOP + base) / 2
    below = (
        f'<text x="{middle:g}" y="{_HEIGHT - 6:g}">{Markup.escape(axes.x_label)}</text>'
    )
    beside = (
        f'<text transform="rotate(-90 11 {upward:g})" x="11" y="{upward:g}">'
        f"{Markup.escape(axes.y_label)}</text>"
    )
    yield f'<g class="x">{"".join(numbers)}{below}{beside}</g>'


def _thinned(frame: _Frame) -> list[float]:
    """The levels whose numbers have room beside each other."""
    levels: list[float] = []
    for level in frame.levels:
        if not levels or frame.x(level) - frame.x(levels[-1]) >= _LABEL_WIDTH:
            levels.append(level)
    return levels


def _rule(frame: _Frame, rule: Rule) -> str:
    is_above = rule.value > frame.top
    y = frame.y(min(rule.value, frame.top))
    right = f"{_WIDTH - _RIGHT:g}"
    line = ""
    words = f"{rule.label} {100 * rule.value:.3g} %"
    if is_above:
        words += " ↑"
    else:
        path = f"M{_LEFT:g} {_short(y)}H{right}"
        line = f'<path class="rule {rule.kind}" d="{path}"/>'
    return (
        f'{line}<text class="rule-name" x="{right}" y="{_short(y - 4)}"'
        f' text-anchor="end">{Markup.escape(words)}</text>'
    )


def _trace(frame: _Frame, trace: Trace, steps: bool) -> str:
    value_at = {x: y for x, y, _, _ in trace.points if y is not None}
    places = [(frame.x(x), frame.y(y)) for x, y in value_at.items()]
    # What the page's script reads: an empty word where nothing was measured.
    values = ",".join(
        f"{100 * value_at[x]:.4g}" if x in value_at else "" for x in frame.levels
    )
    line = _path(places, steps)
    marks = ""
    if not steps:
        marker = _MARKERS[trace.number % len(_MARKERS)]
        path = "".join(f"M{_short(x)} {_short(y)}{marker}" for x, y in places)
        marks = f'<path class="mark" d="{path}"/>'
    return (
        f'<g class="trace {look(trace.number)}" data-series="{trace.number}"'
        f' data-values="{values}">{_band(frame, trace)}<path class="line"'
        f' d="{line}"/>{marks}</g>'
    )


def _band(frame: _Frame, trace: Trace) -> str:
    """The area between the bounds, forth along the upper ones and back along the lower."""
    upper: list[str] = []
    lower: list[str] = []
    for level, value, low, high in trace.points:
        if value is None or low is None or high is None:
            continue
        x = _short(frame.x(level))
        upper.append(f"{x} {_short(frame.y(high))}")
        lower.append(f"{x} {_short(frame.y(low))}")
    if len(upper) < 2:
        return ""
    return f'<path class="band" d="M{"L".join([*upper, *reversed(lower)])}z"/>'


def _path(places: Sequence[tuple[float, float]], steps: bool) -> str:
    if not places:
        return ""
    path = f"M{_short(places[0][0])} {_short(places[0][1])}"
    for x, y in places[1:]:
        path += f"H{_short(x)}V{_short(y)}" if steps else f"L{_short(x)} {_short(y)}"
    return path


def _short(place: float) -> str:
    return f"{place:.1f}".removesuffix(".0")


def heat_map(
    rows: Sequence[Sequence[float]], label: str, ground: str | None = None
) -> Markup:
    """A grid of cells, the darker the greater the number; nothing where it is 0 or below.

    `ground` is the id of a picture of the page, one unit wide and high, that lies beneath.
    """
    numbers = [value for row in rows for value in row]
    most = max(filter(math.isfinite, numbers), default=0.0)
    # Lines as broad as a cell take half the room of squares.
    runs: dict[int, list[str]] = {}
    for y, row in enumerate(rows):
        x = 0
        for shade, group in groupby(_shade(value, most) for value in row):
            width = len(list(group))
            runs.setdefault(shade, []).append(f"M{x} {y}h{width}")
            x += width
    runs.pop(0, None)
    paths = "".join(
        f'<path class="h{shade}" d="{"".join(runs[shade])}"/>' for shade in sorted(runs)
    )
    columns = max((len(row) for row in rows), default=1)
    picture = ""
    kind = "map"
    if ground is not None:
        kind = "map over"
        size = f"{columns} {len(rows)}"
        picture = f'<use href="#{ground}" transform="scale({size})"/>'
    head = Markup(
        '<svg class="{}" role="img" viewBox="0 0 {} {}" aria-label="{}">'
    ).format(kind, columns, len(rows), label)
    return head + Markup(f'{picture}<g transform="translate(0 .5)">{paths}</g></svg>')


def _shade(value: float, most: float) -> int:
    if most <= 0 or value <= 0 or not math.isfinite(value):
        return 0
    return math.ceil(SHADES * value / most)


def interval(value: float, low: float, high: float, reach: float) -> Markup:
    """A number and its interval on a scale from -`reach` to `reach`."""

    def place(number: float) -> str:
        return _short(60 + 56 * max(-1.0, min(1.0, number / reach)))

    return Markup(
        '<svg class="interval" viewBox="0 0 120 14" aria-hidden="true"><path'
        f' d="M{place(low)} 7H{place(high)}"/><path class="value" d="M{place(value)}'
        ' 7h0"/></svg>'
    )


def described(
    points: Iterable[tuple[float, float | None]],
    half: float | None,
    family: Family = "occlusion",
) -> str:
    """A line in words."""

    def at(level: float) -> str:
        word = "" if family == "occlusion" else "severity "
        return f"{word}{level_text(level, family)}"

    known = [(level, value) for level, value in points if value is not None]
    if not known:
        return "no number"
    first_level, first = known[0]
    last_level, last = known[-1]
    place = clean_words(family) if first_level == 0 else f"at {at(first_level)}"
    begin = f"{100 * first:.1f} % {place}"
    if len(known) == 1:
        return begin
    before, after = max(pairwise(known), key=lambda pair: pair[0][1] - pair[1][1])
    fall = f"the steepest fall from {at(before[0])} to {level_text(after[0], family)}"
    if before[1] <= after[1]:
        fall = f"no fall between any two {levels_word(family)}"
    end = f"{100 * last:.1f} % at {at(last_level)}"
    if half is None:
        return f"{begin}, {end}, {fall}"
    return f"{begin}, {end}, {fall}; half of it is gone at {at(round(half, 3))}"
