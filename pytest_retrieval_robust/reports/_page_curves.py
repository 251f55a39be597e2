"""The page's curves, and the table of what they show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from ..core.errors import ConfigError
from ..core.names import parse_call
from ..core.verdict import VerdictName
from ._svg import Rule, Trace, described, panel
from ._text import level_text, percent, plain, short
from ._views import Switches, View
from .series import EXACT, Point, Series, what_is_hidden

_RANDOM = ("patches", "boxes", "blobs", "box")
"""Occluders that hide an asked share at random, the most usual first."""
_GUIDED = {
    "worst": "the worst case: the cells whose hiding hurts this model most",
    "salient": "what matters most to this model",
    "non-salient": "what matters least to this model",
}
MARKS: dict[VerdictName, tuple[str, str]] = {
    "pass": ("✓", "gate met"),
    "fail": ("✕", "gate not met"),
    "inconclusive": ("?", "inconclusive"),
    "ungated": ("", ""),
}


@dataclass(frozen=True)
class Words:
    """One line of a figure, in words."""

    number: int
    name: str
    text: str


@dataclass(frozen=True)
class Figure:
    """Two drawings side by side, with what they show in words."""

    view: View
    title: str
    note: str
    panels: tuple[Markup, ...]
    words: tuple[Words, ...]


def curve_figures(series: Sequence[Series], switches: Switches) -> Iterator[Figure]:
    """Models overlaid: one figure a data set, occluder, direction and k."""
    axes = ("dataset", "occluder", "direction", "k")
    yield from _figures(
        series,
        switches,
        axes,
        lambda one: (switches.models.index(one.model), one.model),
    )


def occluder_figures(series: Sequence[Series], switches: Switches) -> Iterator[Figure]:
    """Occluders overlaid: one figure a data set, model, direction and k; nothing where
    there is one occluder alone.
    """
    if len(switches.occluders) > 1:
        axes = ("dataset", "model", "direction", "k")
        yield from _figures(
            series,
            switches,
            axes,
            lambda one: (switches.occluders.index(one.occluder), one.occluder),
        )


def _figures(
    series: Sequence[Series],
    switches: Switches,
    axes: Sequence[str],
    line: Callable[[Series], tuple[int, str]],
) -> Iterator[Figure]:
    def place(one: Series) -> tuple[int, ...]:
        view = switches.view_of(one, *axes)
        return tuple(getattr(view, axis) for axis in axes)

    for _, group in groupby(sorted(series, key=place), key=place):
        drawn = list(group)
        yield _figure(
            drawn, switches.view_of(drawn[0], *axes), [line(one) for one in drawn]
        )


def _figure(
    drawn: Sequence[Series], view: View, names: Sequence[tuple[int, str]]
) -> Figure:
    first = drawn[0]
    levels = sorted({point.level for one in drawn for point in one.recall})
    what = f"Recall@{first.k}, {first.direction.replace('-', ' ')}"
    of = short(first.model) if view.occluder is None else short(first.occluder)
    title = f"{what}, {of} on {short(first.dataset)}"
    x_label, unit = _level_words(drawn)
    rules = [
        Rule(kind, kind, value)
        for kind in ("chance", "ceiling")
        if (value := getattr(first, kind)) is not None
    ]
    told = tuple(
        Words(
            place,
            short(name),
            described([(p.level, p.value) for p in one.recall], one.half_level)
            + _kept(one),
        )
        for (place, name), one in zip(names, drawn, strict=True)
    )
    recall = panel(
        [
            Trace(place, _points(one.recall))
            for (place, _), one in zip(names, drawn, strict=True)
        ],
        levels=levels,
        x_label=x_label,
        y_label=f"Recall@{first.k}, %",
        label=f"{title}. In words below.",
        rules=rules,
        unit=unit,
    )
    kept = [
        (place, one) for (place, _), one in zip(names, drawn, strict=True) if one.kept
    ]
    panels = [recall]
    if kept and len(levels) > 1:
        retained = panel(
            [Trace(place, _points(one.kept)) for place, one in kept],
            levels=levels,
            x_label=x_label,
            y_label="kept of Recall at level 0, %",
            label=f"What is kept of {title}. In words below.",
            unit=unit,
        )
        panels.append(retained)
    return Figure(view, title, _note(drawn, levels), tuple(panels), told)


def _points(
    points: Iterable[Point],
) -> list[tuple[float, float | None, float | None, float | None]]:
    return [(point.level, point.value, point.low, point.high) for point in points]


def _kept(one: Series) -> str:
    if one.is_at_chance:
        return "; at chance with nothing hidden, so that there is nothing to keep"
    return (
        ""
        if one.last_kept is None or len(one.kept) < 2
        else f"; {100 * one.last_kept:.0f} % of it is kept"
    )


def _level_words(drawn: Sequence[Series]) -> tuple[str, str]:
    """What the figure's levels are: the words below its axis, and those beside a number."""
    severe = [one.is_severity for one in drawn]
    if all(severe):
        return "severity of the occlusion, %", "severity"
    return (
        ("share hidden, or severity, %", "level")
        if any(severe)
        else ("share of the image hidden, %", "hidden")
    )


def _note(drawn: Sequence[Series], levels: Sequence[float]) -> str:
    first = drawn[0]
    parts = [f"{first.queries:,} queries, gallery of {first.gallery:,}."]
    parts += what_is_hidden(drawn)
    seeds = max(len(one.seeds) for one in drawn)
    if seeds > 1:
        parts.append(
            f"Means over {seeds} mask layouts; bands hold the error by queries and by"
            " layouts."
        )
    silent = [short(one.model) for one in drawn if one.is_at_chance]
    if silent:
        parts.append(
            f"No retention of {', '.join(dict.fromkeys(silent))}: at chance with"
            " nothing hidden."
        )
    if len(levels) == 1:
        parts.append("One level was measured: no curve, and nothing to keep.")
    return " ".join(parts)


@dataclass(frozen=True)
class Cell:
    """One number of the table, with its interval and what its gates say."""

    text: str
    order: str
    interval: str = ""
    verdict: VerdictName = "ungated"
    mark: str = ""
    told: str = ""


@dataclass(frozen=True)
class Row:
    view: View
    number: int
    model: str
    occluder: str
    cells: tuple[Cell, ...]


def table_levels(series: Sequence[Series]) -> list[float]:
    return sorted({point.level for one in series for point in one.recall})


def table_rows(series: Sequence[Series], switches: Switches) -> Iterator[Row]:
    """One row a series: a cell for each level, then area, what is kept, half level."""
    levels = table_levels(series)
    for one in series:
        by_level = {
            point.level: (point, verdict)
            for point, verdict in zip(one.recall, one.verdicts, strict=True)
        }
        cells = [
            _cell(*by_level[level]) if level in by_level else Cell("", "")
            for level in levels
        ]
        view = switches.view_of(one, "dataset", "direction", "k")
        missing = (
            ""
            if one.recall[-1].level == levels[-1]
            else level_text(one.recall[-1].level)
        )
        tail = (_tail_cell(one.auc, missing), _kept_cell(one, missing), _half_cell(one))
        yield Row(
            view,
            switches.models.index(one.model),
            short(one.model),
            short(one.occluder),
            (*cells, *tail),
        )


def _cell(point: Point, verdict: VerdictName) -> Cell:
    ends = (
        ""
        if point.low is None or point.high is None
        else f"{percent(point.low, 0)}–{percent(point.high, 0)}"
    )
    return Cell(
        percent(point.value), _order(point.value), ends, verdict, *MARKS[verdict]
    )


def _tail_cell(value: float | None, missing: str, ends: str = "") -> Cell:
    """A number of a whole curve; one that ends at a lower level than the table cannot
    be sorted among the others.
    """
    return (
        Cell(percent(value), "", f"to {missing} alone")
        if missing
        else Cell(percent(value), _order(value), ends)
    )


def _kept_cell(one: Series, missing: str) -> Cell:
    if len(one.kept) < 2:
        return Cell("at chance" if one.is_at_chance else "–", "")
    last = one.kept[-1]
    ends = (
        ""
        if last.low is None or last.high is None
        else f"{percent(last.low, 0)}–{percent(last.high, 0)}"
    )
    return _tail_cell(last.value, missing, ends)


def _half_cell(one: Series) -> Cell:
    if len(one.kept) < 2:
        return Cell("at chance" if one.is_at_chance else "–", "")
    if one.half_level is None:
        return Cell("not reached", "2")
    ends = ""
    if one.half_interval is not None:
        low, high = one.half_interval
        ends = (
            f"{percent(low, 0)}–{percent(high, 0)}"
            if high is not None
            else f"{percent(low, 0)} or more"
        )
    return Cell(percent(one.half_level), _order(one.half_level), ends)


def _order(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


CURVE_COLUMNS = (
    *(
        "model",
        "data set",
        "occluder",
        "direction",
        "k",
        "seeds",
        "level",
        "hidden share",
        "recall",
        "recall low",
    ),
    *("recall high", "kept", "kept low", "kept high", "chance", "ceiling", "gate"),
)


def curve_csv(series: Sequence[Series]) -> list[list[object]]:
    """One row a point, under `CURVE_COLUMNS`."""
    rows: list[list[object]] = []
    for one in series:
        kept = {point.level: point for point in one.kept}
        who = [
            plain(one.model),
            plain(one.dataset),
            plain(one.occluder),
            one.direction,
            one.k,
        ]
        for point, share, verdict in zip(
            one.recall, one.achieved, one.verdicts, strict=True
        ):
            retained = kept.get(point.level, Point(point.level, None))
            numbers = [
                point.value,
                point.low,
                point.high,
                retained.value,
                retained.low,
                retained.high,
            ]
            seeds = " ".join(map(str, one.seeds))
            rows.append(
                [
                    *who,
                    seeds,
                    point.level,
                    share,
                    *numbers,
                    one.chance,
                    one.ceiling,
                    verdict,
                ]
            )
    return rows


@dataclass(frozen=True)
class WorstRow:
    """What hiding as a model guides it leaves at each level, and how far that is from
    hiding as much at random.
    """

    view: View
    number: int
    model: str
    guided: str
    usual: str
    cells: tuple[Cell, ...]


def worst_rows(series: Sequence[Series], switches: Switches) -> Iterator[WorstRow]:
    """Each model-guided occluder beside one that hides as much at random; the cells are
    `table_levels`, but for 0.
    """
    grouped: dict[tuple[str, str, str, int], list[Series]] = {}
    for one in series:
        grouped.setdefault((one.model, one.dataset, one.direction, one.k), []).append(
            one
        )
    levels = [level for level in table_levels(series) if level > 0]
    for group in grouped.values():
        for guided in (one for one in group if is_guided(one.occluder)):
            usual = _random_beside(guided, group)
            if usual is None:
                continue
            cells = tuple(
                _gap_cell(level, _values(usual), _values(guided)) for level in levels
            )
            view = switches.view_of(guided, "dataset", "direction", "k")
            names = short(guided.model), short(guided.occluder), short(usual.occluder)
            yield WorstRow(view, switches.models.index(guided.model), *names, cells)


def _random_beside(guided: Series, group: Iterable[Series]) -> Series | None:
    """The measured occluder that hides as much as the guided one, at random; None where
    there is none.
    """
    hidden = dict(
        zip((point.level for point in guided.recall), guided.achieved, strict=True)
    )

    def hides_as_much(one: Series) -> bool:
        shares = zip((point.level for point in one.recall), one.achieved, strict=True)
        return all(
            abs(hidden[level] - share) <= EXACT
            for level, share in shares
            if level in hidden
        )

    alike = [
        one for one in group if _family(one.occluder) in _RANDOM and hides_as_much(one)
    ]
    return min(
        alike, key=lambda one: _RANDOM.index(_family(one.occluder)), default=None
    )


def _values(one: Series) -> dict[float, float]:
    return {point.level: point.value for point in one.recall if point.value is not None}


def _gap_cell(
    level: float, usual: dict[float, float], guided: dict[float, float]
) -> Cell:
    if level not in usual or level not in guided:
        return Cell("–", "")
    gap = guided[level] - usual[level]
    return Cell(
        f"{100 * gap:+.1f}",
        _order(gap),
        f"{percent(usual[level])} → {percent(guided[level])}",
    )


def is_guided(occluder: str) -> bool:
    """Whether a model decides what is hidden."""
    return _family(occluder) in _GUIDED


def guided_kinds(occluders: Iterable[str]) -> list[tuple[str, str]]:
    """(name, what it hides) of those that a model guides."""
    return [
        (short(name), _GUIDED[_family(name)]) for name in occluders if is_guided(name)
    ]


def _family(occluder: str) -> str:
    try:
        return parse_call(occluder)[0]
    except ConfigError:
        return occluder
