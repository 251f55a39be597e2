"""Models on an axis of their recall, beside bars that join those that are not told apart:
a critical difference diagram (J. Demsar, JMLR 7, 2006), turned so that many names have room.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from markupsafe import Markup

from ...gate.standings import Standing, Standings
from .._text import percent, short

_WIDTH = 440
_TOP = 26
"""Room for the numbers of the axis."""
_ROW = 32
_BELOW = 10
_RIGHT = 14
_EDGE = 8
_WIDEST_STEP = 9.0
"""Between bars."""
_BARS = 96.0
"""The most room that all bars take."""
_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
_MOST_TICKS = 5
_LEAST_SPAN = 0.01
_TITLE = 40
_LONGEST_TITLE = 72
_STYLE = Path(__file__).parents[1] / "html" / "templates" / "picture.css"


def picture(standings: Standings) -> Markup:
    """The picture of a table as an inline drawing; colours are in the page's style sheet."""
    height = _height(standings)
    head = Markup(
        '<svg class="standings" role="img" viewBox="0 0 {} {}" aria-label="{}">'
    ).format(_WIDTH, height, _words(standings))
    return head + _drawn(standings) + Markup("</svg>")


def standalone(tables: Sequence[Standings]) -> str:
    """The pictures of all tables below each other, as a file of its own."""
    top = 0
    parts = []
    for standings in tables:
        height = _height(standings)
        subject = _cut(f"{standings.setting}")
        question = _cut(standings.question.words(standings.setting))
        parts.append(
            Markup(
                '<text class="title" x="{}" y="{}">{}</text>'
                '<text x="{}" y="{}">{}</text>'
            ).format(_EDGE, top + 16, subject, _EDGE, top + 32, question)
        )
        parts.append(
            Markup('<g transform="translate(0 {})">').format(top + _TITLE)
            + _drawn(standings)
            + Markup("</g>")
        )
        top += _TITLE + height
    label = " ".join(map(_words, tables))
    head = Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" class="standings" role="img"'
        ' viewBox="0 0 {} {}" width="{}" height="{}" aria-label="{}">'
    ).format(_WIDTH, top, _WIDTH, top, label)
    style = Markup(f"<style>{_STYLE.read_text(encoding='utf-8')}</style>")
    ground = Markup('<rect class="ground" width="{}" height="{}"/>').format(_WIDTH, top)
    return str(head + style + ground + Markup("").join(parts) + Markup("</svg>\n"))


def _cut(text: str) -> str:
    shown = short(text)
    if len(shown) <= _LONGEST_TITLE:
        return shown
    return f"{shown[: _LONGEST_TITLE - 1]}…"


def _height(standings: Standings) -> int:
    return _TOP + _ROW * len(standings.ranked) + _BELOW


def _words(standings: Standings) -> str:
    """What the picture says, for who cannot see it."""
    names = [short(row.name) for row in standings.ranked]
    joined = [f"{names[first]} to {names[last]}" for first, last in standings.bars] or [
        "none"
    ]
    return (
        f"{standings.question.words(standings.setting)}. {standings.order_sentence} Not"
        f" told apart: {'; '.join(joined)}."
    )


def _drawn(standings: Standings) -> Markup:
    rows = standings.ranked
    columns = _columns(standings.bars)
    step = min(_WIDEST_STEP, _BARS / max(1, max(columns, default=0) + 1))
    left = _EDGE + step * (max(columns, default=-1) + 1) + 8
    axis = _Axis([row.value for row in rows], left)
    parts = [*_grid(axis, len(rows))]
    for place, row in enumerate(rows):
        parts.append(_row(row, place, left, axis))
    for (first, last), column in zip(standings.bars, columns, strict=True):
        x = _EDGE + step * column
        path = f"M{x:.1f} {_middle(first) - 8:.1f}V{_middle(last) + 5:.1f}"
        parts.append(Markup('<path class="bar" d="{}"/>').format(path))
    return Markup("").join(parts)


class _Axis:
    """Where values lie along the drawing."""

    def __init__(self, values: Sequence[float], left: float) -> None:
        low = min(values, default=0.0)
        high = max(values, default=1.0)
        span = max(high - low, _LEAST_SPAN)
        self.step = next(
            (step for step in _STEPS if span / step <= _MOST_TICKS - 1), _STEPS[-1]
        )
        self.low = math.floor(low / self.step + 1e-9) * self.step
        self.high = max(
            math.ceil(high / self.step - 1e-9) * self.step, self.low + self.step
        )
        self.left = left + 6

    def x(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.left + share * (_WIDTH - _RIGHT - self.left)

    @property
    def ticks(self) -> list[float]:
        count = round((self.high - self.low) / self.step) + 1
        return [self.low + self.step * number for number in range(count)]


def _grid(axis: _Axis, rows: int) -> Iterator[Markup]:
    bottom = _TOP + _ROW * rows
    for tick in axis.ticks:
        x = f"{axis.x(tick):.1f}"
        path = f"M{x} {_TOP - 6}V{bottom}"
        yield Markup('<path class="grid" d="{}"/>').format(path)
        yield Markup('<text class="tick" x="{}" y="{}">{}</text>').format(
            x, _TOP - 11, f"{100 * tick:.4g}"
        )


def _row(row: Standing, place: int, left: float, axis: _Axis) -> Markup:
    y = _middle(place)
    x = f"{axis.x(row.value):.1f}"
    interval = row.interval
    assert interval is not None
    ranks = f"{interval.best}"
    if not interval.is_known:
        ranks = f"{interval.best} to {interval.worst}"
    name = short(row.name)
    # What is longer would run into the ranks.
    room = int((_WIDTH - _RIGHT - left - 90) / 6.6)
    if len(name) > room:
        name = f"{name[: room - 1]}…"
    guide = f"M{axis.left:.1f} {y}H{x}"
    return Markup(
        '<g class="row"><title>{}: {} %, rank {}</title><text x="{}" y="{}">{}</text>'
        '<text class="ranks" x="{}" y="{}">rank {}</text><path class="guide" d="{}"/>'
        '<circle cx="{}" cy="{}" r="4"/></g>'
    ).format(
        short(row.name),
        percent(row.value),
        ranks,
        f"{axis.left:.1f}",
        y - 9,
        name,
        _WIDTH - _RIGHT,
        y - 9,
        ranks,
        guide,
        x,
        y,
    )


def _middle(place: int) -> int:
    """The height of a row's point."""
    return _TOP + _ROW * place + 23


def _columns(bars: Sequence[tuple[int, int]]) -> list[int]:
    """A column for each bar, so that no two of one column overlap."""
    ends: list[int] = []
    columns = []
    for first, last in bars:
        free = (number for number, end in enumerate(ends) if end < first)
        column = next(free, len(ends))
        if column == len(ends):
            ends.append(last)
        ends[column] = last
        columns.append(column)
    return columns
