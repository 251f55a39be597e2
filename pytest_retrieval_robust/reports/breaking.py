"""The smallest breaking occlusions and the sensitivity maps, as text and as pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..core.searches import BreakingOutcome, HeatMap
from ..gate.breaking import breaking_bounds
from ._text import QUANTILES
from .lines import Line, Span

_NAME = 18
_SIDE = 256
"""Pixels along each side of a map's picture."""


def breaking_lines(
    searches: Sequence[BreakingOutcome], verbosity: int, blocks: str
) -> Iterable[Line]:
    """A table of the breaking shares' quantiles; with `-v` each model's sensitivity map too."""
    kinds = dict.fromkeys((one.dataset, one.k, one.grid, one.fill) for one in searches)
    for kind in kinds:
        yield from _table(
            [
                one
                for one in searches
                if (one.dataset, one.k, one.grid, one.fill) == kind
            ]
        )
        yield []
    if verbosity > 0:
        for one in searches:
            yield from _map_lines(one, blocks)
            yield []


def _table(searches: Sequence[BreakingOutcome]) -> Iterable[Line]:
    first = searches[0]
    yield [
        Span(
            f"{first.dataset}: smallest hidden area that pushes the report out of the"
            f" top {first.k}",
            "bold",
        ),
    ]
    cells = f"{first.grid} x {first.grid} cells, {first.fill}"
    yield [Span(f"in % of the image (upper bounds); {first.images} images, {cells}")]
    yield [Span("found: images whose report is found with nothing hidden")]
    yield [
        Span(f"{100 * QUANTILES[0]:g} %: this share of them breaks by hiding no more")
    ]
    heads = "".join(f"{f'{100 * share:g} %':>7}" for share in QUANTILES)
    yield [Span(f"{'':{_NAME}}{heads}   found  encodings")]
    for one in searches:
        if len(one.model) >= _NAME:
            yield [Span(one.model)]
        name = "" if len(one.model) >= _NAME else one.model
        values = "".join(_percent(one.quantile(share)) for share in QUANTILES)
        yield [
            Span(f"{name:{_NAME}}{values}{len(one.shares):>8}{one.encodings:>11.0f}")
        ]
        bounds = "".join(
            _interval(*breaking_bounds(one, share, 0.975)) for share in QUANTILES
        )
        yield [Span(f"{'':{_NAME}}{bounds}".rstrip())]


def _percent(share: float | None) -> str:
    return f"{'n/a':>7}" if share is None else f"{100 * share:>7.2f}"


def _interval(low: float, high: float) -> str:
    """The 95 % interval of a quantile, from the order of the images."""
    return f"{f'{100 * low:.0f}-{100 * high:.0f}':>7}"


def _map_lines(breaking: BreakingOutcome, blocks: str) -> Iterable[Line]:
    yield [
        Span(
            f"{breaking.model} on {breaking.dataset}: mean fall of the right report's"
            " score by hidden cell",
            "bold",
        )
    ]
    shades = shaded(breaking.sensitivity, len(blocks) + 1)
    for row in shades:
        yield [Span("  " + "".join((" " + blocks)[shade] * 2 for shade in row))]


def shaded(heat: HeatMap, shades: int) -> list[list[int]]:
    """Each cell's shade, 0 for no fall (or a rise) to `shades` - 1 for the greatest fall."""
    most = max((fall for row in heat.rows for fall in row), default=0.0)
    if most <= 0:
        return [[0] * len(row) for row in heat.rows]
    return [
        [min(shades - 1, int(shades * max(fall, 0.0) / most)) for fall in row]
        for row in heat.rows
    ]


def save_map(heat: HeatMap, path: Path) -> None:
    """The map as a grey PNG, white for the greatest fall: it shows no image and no patient."""
    from PIL import Image

    shades = shaded(heat, 256)
    picture = Image.new("L", (len(shades[0]), len(shades)))
    picture.putdata([shade for row in shades for shade in row])
    picture.resize((_SIDE, _SIDE), Image.Resampling.NEAREST).save(path, format="PNG")
