"""The page's searches: breaking shares, and maps of where a model looks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ...core.searches import BreakingOutcome, HeatMap
from ...core.words import counted
from ...gate.breaking import breaking_bounds
from ...gate.record import RunRecord
from .._text import QUANTILES, number, percent, plain, short
from .svg import Axes, Trace, heat_map, panel

_CONFIDENCE = 0.975
"""Of each bound: together they make a 95 % interval."""
SHARE_COLUMNS = ("model", "data set", "k", "grid", "fill", "share")
Point = tuple[float, float | None, float | None, float | None]


@dataclass(frozen=True)
class SearchRow:
    """One model's search."""

    number: int
    """The model's place, which decides how its line looks."""
    model: str
    quantiles: tuple[tuple[str, str], ...]
    """(share, interval) each."""
    found: int
    unbroken: int
    encodings: str


@dataclass(frozen=True)
class Breaking:
    """Searches that can be set side by side: the same data set, k, grid and fill."""

    title: str
    note: str
    drawing: Markup
    quantiles: tuple[str, ...]
    rows: tuple[SearchRow, ...]


def breaking_figures(run: RunRecord, numbers: Mapping[str, int]) -> Iterator[Breaking]:
    """How many images break by hiding no more than a share: a figure per kind of search."""
    kinds: dict[tuple[str, int, int, str], list[BreakingOutcome]] = {}
    for search in run.breaking:
        kind = (search.dataset, search.k, search.grid, search.fill)
        kinds.setdefault(kind, []).append(search)
    for searches in kinds.values():
        yield _breaking(searches, numbers)


def _breaking(
    searches: Sequence[BreakingOutcome], numbers: Mapping[str, int]
) -> Breaking:
    first = searches[0]
    title = (
        f"{short(first.dataset)}: smallest hidden area that pushes the report out of the"
        f" top {first.k}"
    )
    end = _axis_end(searches)
    axes = Axes(
        levels=[end * tenth / 10 for tenth in range(11)],
        x_label="share of the image hidden, %",
        y_label="images broken, %",
    )
    drawing = panel(
        [Trace(numbers[search.model], _steps(search, end)) for search in searches],
        axes,
        f"{title}. Its quantiles are in the table below.",
        steps=True,
    )
    note = (
        f"{counted(first.images, 'image')}, {first.grid} x {first.grid} cells, fill {first.fill}."
        " Only images whose report is found with nothing hidden count. Shares are upper"
        " bounds: a smaller occlusion may exist."
    )
    return Breaking(
        title,
        note,
        drawing,
        tuple(f"{100 * share:g} %" for share in QUANTILES),
        tuple(_row(search, numbers[search.model]) for search in searches),
    )


def _axis_end(searches: Sequence[BreakingOutcome]) -> float:
    """The greatest share that broke an image, up to the next twentieth."""
    shares = [share for search in searches for share in search.shares if share < 1]
    return math.ceil(20 * max(shares, default=1.0)) / 20


def _row(search: BreakingOutcome, model_number: int) -> SearchRow:
    quantiles = [
        (percent(search.quantile(share)), _interval(search, share))
        for share in QUANTILES
    ]
    return SearchRow(
        model_number,
        short(search.model),
        tuple(quantiles),
        len(search.shares),
        search.unbroken,
        number(search.encodings, 0),
    )


def _interval(search: BreakingOutcome, share: float) -> str:
    low, high = breaking_bounds(search, share, _CONFIDENCE)
    return f"{percent(low, 0)}–{percent(high, 0)}"


def _steps(search: BreakingOutcome, end: float) -> list[Point]:
    """The share of images that break by hiding no more than x, up to `end`."""
    count = len(search.shares)
    if not count:
        return []
    points: list[Point] = [(0.0, 0.0, None, None)]
    broken = 0.0
    for number_broken, share in enumerate(search.shares, start=1):
        if share > end:
            break
        broken = number_broken / count
        # Images that break at the same share make one step.
        if len(points) > 1 and points[-1][0] == share:
            points.pop()
        points.append((share, broken, None, None))
    return [*points, (end, broken, None, None)]


def breaking_csv(searches: Sequence[BreakingOutcome]) -> list[list[object]]:
    """One row per image, without saying which, under `SHARE_COLUMNS`."""
    rows: list[list[object]] = []
    for search in searches:
        model = plain(search.model)
        dataset = plain(search.dataset)
        for share in search.shares:
            rows.append([model, dataset, search.k, search.grid, search.fill, share])
    return rows


@dataclass(frozen=True)
class Map:
    """Where hiding a cell makes the right report's score fall."""

    title: str
    text: str
    drawing: Markup


@dataclass(frozen=True)
class Maps:
    """The sensitivity maps of one model: over all images, and by finding."""

    whole: Map
    by_label: tuple[Map, ...]


def sensitivity_maps(
    searches: Sequence[BreakingOutcome], grounds: Mapping[tuple[str, str], str]
) -> list[Maps]:
    """The maps of each search.

    `grounds` has the ids of pictures to draw them on, by model and data set.
    """
    return [
        _maps(search, grounds.get((search.model, search.dataset)))
        for search in searches
    ]


def _maps(search: BreakingOutcome, ground: str | None) -> Maps:
    title = f"{short(search.model)} on {short(search.dataset)}"
    by_label = [
        _map(short(label), heat, ground)
        for label, heat in sorted(search.by_label.items())
    ]
    return Maps(_map(title, search.sensitivity, ground), tuple(by_label))


def _map(title: str, heat: HeatMap, ground: str | None) -> Map:
    row, column = heat.peak
    text = (
        f"{counted(heat.images, 'image')}; the greatest mean fall,"
        f" {number(heat.rows[row][column], 4)},"
        f" is in row {row + 1} of {len(heat.rows)} from the top, column {column + 1} of"
        f" {len(heat.rows[0])} from the left"
    )
    return Map(title, text, heat_map(heat.rows, f"{title}: {text}", ground))


def map_columns(searches: Sequence[BreakingOutcome]) -> tuple[str, ...]:
    side = _largest_side(searches)
    cells = [
        f"r{row}c{column}"
        for row in range(1, side + 1)
        for column in range(1, side + 1)
    ]
    return ("model", "data set", "finding", "images", "cells per side", *cells)


def map_csv(searches: Sequence[BreakingOutcome]) -> list[list[object]]:
    """One row per map, under `map_columns`: the mean fall in each cell.

    The cells that a smaller grid lacks are empty.
    """
    side = _largest_side(searches)
    rows: list[list[object]] = []
    for search in searches:
        maps = [("all images", search.sensitivity), *sorted(search.by_label.items())]
        for label, heat in maps:
            row: list[object] = [
                plain(search.model),
                plain(search.dataset),
                plain(label),
                heat.images,
                len(heat.rows),
            ]
            rows.append([*row, *_padded_cells(heat, side)])
    return rows


def _largest_side(searches: Sequence[BreakingOutcome]) -> int:
    return max((len(search.sensitivity.rows) for search in searches), default=0)


def _padded_cells(heat: HeatMap, side: int) -> Iterator[float | None]:
    digits = _digits(heat)
    missing = side - len(heat.rows)
    for row in heat.rows:
        for fall in row:
            yield round(fall, digits)
        yield from [None] * missing
    yield from [None] * side * missing


def _digits(heat: HeatMap) -> int:
    """Decimals that give the map's greatest number three digits."""
    falls = [abs(fall) for row in heat.rows for fall in row if math.isfinite(fall)]
    most = max(falls, default=0.0)
    if most <= 0:
        return 0
    return 3 - math.floor(math.log10(most)) - 1
