"""The page's figures: Recall@k over the level, and what is kept of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from ...core.cases import clean_words, level_word
from .._text import short
from ..family_summary import FAMILY_SUBJECTS
from ..series import Point, Series, what_is_hidden
from .svg import Axes, Rule, Trace, described, panel
from .views import AXES, Switches, View


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


@dataclass(frozen=True)
class _Line:
    """A series as a line of a figure."""

    number: int
    """Its place among the switch's names, which decides how it looks."""
    name: str
    series: Series


def curve_figures(series: Sequence[Series], switches: Switches) -> Iterator[Figure]:
    """Models overlaid: one figure per data set, perturbation, direction and k.

    All series are of one family.
    """

    def line(one_series: Series) -> _Line:
        number = switches.models.index(one_series.model)
        return _Line(number, one_series.model, one_series)

    if not series:
        return iter(())
    axes = ("dataset", AXES[series[0].family], "direction", "k")
    return _figures(series, switches, axes, line)


def member_figures(series: Sequence[Series], switches: Switches) -> Iterator[Figure]:
    """The members of one family overlaid: one figure per data set, model, direction and
    k.

    There is none where the run has a single member.
    """
    if not series:
        return iter(())
    members = switches.names(AXES[series[0].family])
    if len(members) < 2:
        return iter(())

    def line(one_series: Series) -> _Line:
        number = members.index(one_series.occluder)
        return _Line(number, one_series.occluder, one_series)

    axes = ("dataset", "model", "direction", "k")
    return _figures(series, switches, axes, line)


def _figures(
    series: Sequence[Series],
    switches: Switches,
    axes: Sequence[str],
    line: Callable[[Series], _Line],
) -> Iterator[Figure]:
    def place(one_series: Series) -> tuple[int, ...]:
        view = switches.view_of(one_series, *axes)
        return tuple(getattr(view, axis) for axis in axes)

    for _, group in groupby(sorted(series, key=place), key=place):
        lines = [line(one_series) for one_series in group]
        yield _figure(lines, switches.view_of(lines[0].series, *axes))


def _figure(lines: Sequence[_Line], view: View) -> Figure:
    series = [line.series for line in lines]
    first = series[0]
    levels = sorted({point.level for line in series for point in line.recall})
    subject = first.occluder if view.model is None else first.model
    title = (
        f"Recall@{first.k}, {first.direction.replace('-', ' ')},"
        f" {short(subject)} on {short(first.dataset)}"
    )
    axis = _axis_of(series)
    recall = panel(
        [Trace(line.number, _points(line.series.recall)) for line in lines],
        Axes(levels, axis.label, f"Recall@{first.k}, %", axis.unit, first.family),
        f"{title}. In words below.",
        rules=_rules(first),
    )
    panels = [recall]
    retained = [line for line in lines if line.series.retention]
    if retained and len(levels) > 1:
        retention = panel(
            [Trace(line.number, _points(line.series.retention)) for line in retained],
            Axes(
                levels,
                axis.label,
                f"kept of Recall at {level_word(first.family)} 0, %",
                axis.unit,
                first.family,
            ),
            f"What is kept of {title}. In words below.",
        )
        panels.append(retention)
    return Figure(
        view,
        title,
        _note(series, levels),
        tuple(panels),
        tuple(map(_words, lines)),
    )


def _rules(series: Series) -> list[Rule]:
    rules = []
    if series.chance is not None:
        rules.append(Rule("chance", "chance", series.chance))
    if series.ceiling is not None:
        rules.append(Rule("ceiling", "ceiling", series.ceiling))
    return rules


def _points(
    points: Iterable[Point],
) -> list[tuple[float, float | None, float | None, float | None]]:
    return [(point.level, point.value, point.low, point.high) for point in points]


def _words(line: _Line) -> Words:
    series = line.series
    recalls = [(point.level, point.value) for point in series.recall]
    text = described(recalls, series.half_level, series.family)
    text += _retention_words(series)
    return Words(line.number, short(line.name), text)


def _retention_words(series: Series) -> str:
    if series.is_at_chance:
        clean = clean_words(series.family)
        return f"; at chance {clean}, so there is nothing to keep"
    if series.last_retention is None or len(series.retention) < 2:
        return ""
    return f"; {100 * series.last_retention:.0f} % of it is kept"


@dataclass(frozen=True)
class _Axis:
    """What the levels of a figure are."""

    label: str
    """Below the axis."""
    unit: str
    """Beside a level at the pointer."""


def _axis_of(series: Sequence[Series]) -> _Axis:
    family = series[0].family
    if family != "occlusion":
        return _Axis(f"severity of the {FAMILY_SUBJECTS[family]}, 0 to 1", "severity")
    severities = [line.is_severity for line in series]
    if all(severities):
        return _Axis("severity of the occlusion, %", "severity")
    if any(severities):
        return _Axis("share hidden, or severity, %", "level")
    return _Axis("share of the image hidden, %", "hidden")


def _note(series: Sequence[Series], levels: Sequence[float]) -> str:
    first = series[0]
    noun = "query" if first.queries == 1 else "queries"
    sentences = [f"{first.queries:,} {noun}, gallery of {first.gallery:,}."]
    sentences += what_is_hidden(series)
    seeds = max(len(line.seeds) for line in series)
    layouts = "mask layouts" if first.family == "occlusion" else "seeds"
    if seeds > 1:
        sentences.append(
            f"Means over {seeds} {layouts}. Bands hold the error by queries and by"
            f" {layouts.split()[-1]}."
        )
    at_chance = dict.fromkeys(short(line.model) for line in series if line.is_at_chance)
    if at_chance:
        sentences.append(
            f"No retention of {', '.join(at_chance)}: at chance"
            f" {clean_words(first.family)}."
        )
    if len(levels) == 1:
        word = level_word(first.family)
        sentences.append(f"One {word} was measured: no curve, and nothing to keep.")
    return " ".join(sentences)
