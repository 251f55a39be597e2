"""Recall over occlusion level or severity: retention, area under the curve, half level, slope.

Pure Python.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ..core.cases import Direction, Family, Json
from ..core.errors import ArgumentError
from ..core.outcomes import Outcome, Scores
from ..core.plain_text import plain
from ..core.words import ByLevel
from ._curve_tables import as_columns, as_dataframe, as_html, as_text, recall_rows
from .binomial import above_chance

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame


def retention(values: Sequence[float]) -> list[float]:
    """Each value divided by the first one, that at level 0.

    >>> retention([0.8, 0.4, 0.2])
    [1.0, 0.5, 0.25]

    Raises:
        ValueError: No values, or nothing at level 0 that could be retained.
    """
    if not values or values[0] <= 0:
        raise ValueError(
            f"Expected a value above 0 at level 0, got values={list(values)!r}. "
            "Retention needs clean recall above chance."
        )
    return [value / values[0] for value in values]


def area_under_curve(levels: Sequence[float], values: Sequence[float]) -> float:
    """The mean value over the range of levels: trapezoids, divided by the range.

    >>> area_under_curve([0.0, 0.5, 1.0], [1.0, 0.5, 0.0])
    0.5

    Raises:
        ValueError: Fewer than two levels, levels that do not rise, or another number of values.
    """
    _check(levels, values, at_least=2)
    steps = pairwise(zip(levels, values, strict=True))
    area = math.fsum((b - a) * (v + w) / 2 for (a, v), (b, w) in steps)
    return area / (levels[-1] - levels[0])


def half_level(levels: Sequence[float], values: Sequence[float]) -> float | None:
    """The first level at which the value is half of that at level 0, interpolated
    linearly; None if not reached.

    >>> half_level([0.0, 0.25, 0.5], [1.0, 0.75, 0.25])
    0.375

    Raises:
        ValueError: No levels, levels that do not rise, or another number of values.
    """
    _check(levels, values, at_least=1)
    half = values[0] / 2
    if half <= 0:
        return None
    for (a, v), (b, w) in pairwise(zip(levels, values, strict=True)):
        if w <= half:
            return a + (b - a) * (v - half) / (v - w)
    return None


def least_squares_slope(levels: Sequence[float], values: Sequence[float]) -> float:
    """The slope of the straight line that fits best: change of the value for a level
    rising from 0 to 1.

    >>> least_squares_slope([0.0, 0.5, 1.0], [1.0, 0.75, 0.5])
    -0.5

    Raises:
        ValueError: Fewer than two levels, levels that do not rise, or another number of values.
    """
    _check(levels, values, at_least=2)
    mean_level = math.fsum(levels) / len(levels)
    mean = math.fsum(values) / len(values)
    points = zip(levels, values, strict=True)
    covariance = math.fsum((a - mean_level) * (v - mean) for a, v in points)
    return covariance / math.fsum((a - mean_level) ** 2 for a in levels)


def _check(levels: Sequence[float], values: Sequence[float], at_least: int) -> None:
    rise = all(a < b for a, b in pairwise(levels))
    if len(levels) < at_least or len(levels) != len(values) or not rise:
        raise ValueError(
            f"Expected at least {at_least} rising levels and as many values, got"
            f" levels={list(levels)!r}, values={list(values)!r}. Sort the outcomes by"
            " level."
        )


def chance_k(scores: Scores) -> int:
    """The one k at which "above chance" is decided: the largest with a chance of at
    most 0.1, else the smallest.
    """
    low_chance = [k for k, chance in scores.chance.items() if chance <= 0.1]
    return max(low_chance, default=min(scores.chance))


def retrieves(scores: Scores) -> bool:
    """Whether recall is above chance (one-sided, 0.001) at `chance_k`."""
    k = chance_k(scores)
    hits = round(scores.recall[k] * scores.queries)
    return above_chance(hits, scores.queries, scores.chance[k])


@dataclass(frozen=True, repr=False)
class Curve:
    """Recall over occlusion level for one model, data set, occluder and seed: the
    outcomes in rising order of level. With a corruption or a text noise in place of the
    occluder, over its severity.

    `print(curve)` shows a table, and so does a notebook. `to_dict()` and
    `to_dataframe()` hold every number; `plot()` draws them.
    """

    outcomes: tuple[Outcome, ...]

    def __post_init__(self) -> None:
        if not self.outcomes:
            raise ArgumentError(
                "Expected a curve of at least one outcome, got outcomes=(). Measure"
                " level 0 first."
            )

    def __repr__(self) -> str:
        k = max(self.ks, default=None)
        if k is None:
            return f"<Curve {self._title()}>"
        by_level = self.recall(k).items()
        recalls = ", ".join(f"{value:.3f} at {level:g}" for level, value in by_level)
        return f"<Curve {self._title()}: Recall@{k} {recalls}>"

    def __str__(self) -> str:
        return as_text(self._title(), recall_rows(self))

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return as_html(self._title(), recall_rows(self))

    def _title(self) -> str:
        case = self.clean.case
        return plain(
            f"{case.model} on {case.dataset}, {case.occluder}, seed {case.seed}"
        )

    @property
    def ks(self) -> tuple[int, ...]:
        """The k of Recall@k that were measured, rising."""
        return tuple(sorted(self.clean.image_to_report.recall))

    @property
    def clean(self) -> Outcome:
        return self.outcomes[0]

    @property
    def family(self) -> Family:
        """Whether images are hidden or corrupted, or reports changed."""
        return self.clean.case.family

    @cached_property
    def levels(self) -> tuple[float, ...]:
        return tuple(outcome.case.level for outcome in self.outcomes)

    def recall(
        self, k: int, direction: Direction = "image-to-report"
    ) -> dict[float, float]:
        """Recall@k at each level: `{0.0: 0.99, 0.1: 0.93}`."""
        recalls = [outcome.recall(k, direction) for outcome in self.outcomes]
        return ByLevel(zip(self.levels, recalls, strict=True))

    def above_chance(self, direction: Direction = "image-to-report") -> bool:
        """Whether clean recall is above chance (one-sided, 0.001): without it retention
        means nothing.
        """
        return retrieves(self.clean.scores(direction))

    def has_something_to_lose(
        self, k: int, direction: Direction = "image-to-report"
    ) -> bool:
        """Whether retention and half level mean anything: clean recall above chance,
        and Recall@k above 0.
        """
        return self.above_chance(direction) and self.clean.recall(k, direction) > 0

    def retention(
        self, k: int, direction: Direction = "image-to-report"
    ) -> dict[float, float] | None:
        """Recall@k at each level divided by that at level 0; None where the clean
        recall is not above chance.
        """
        if not self.has_something_to_lose(k, direction):
            return None
        values = retention(self._values(k, direction))
        return ByLevel(zip(self.levels, values, strict=True))

    def area(self, k: int, direction: Direction = "image-to-report") -> float:
        """Mean Recall@k over the measured range of levels (trapezoid rule, divided by
        the range).
        """
        return area_under_curve(self.levels, self._values(k, direction))

    def half_level(
        self, k: int, direction: Direction = "image-to-report"
    ) -> float | None:
        """The level at which Recall@k falls to half of its clean value, interpolated;
        None if not reached.

        None also where the clean recall is not above chance: see `has_something_to_lose`.
        """
        if not self.has_something_to_lose(k, direction):
            return None
        return half_level(self.levels, self._values(k, direction))

    def slope(self, k: int, direction: Direction = "image-to-report") -> float:
        """Least-squares slope of Recall@k over level."""
        return least_squares_slope(self.levels, self._values(k, direction))

    def _values(self, k: int, direction: Direction) -> list[float]:
        return list(self.recall(k, direction).values())

    def to_dict(self) -> dict[str, list[Any]]:
        """Every number as columns of equal length: one row per direction, k and level.

        `pandas.DataFrame(curve.to_dict())` takes it, and so does JSON. `kept` is None
        where nothing is retained.
        """
        return as_columns([self])

    def to_dataframe(self) -> DataFrame:
        """`to_dict` as a table of pandas, which has to be installed."""
        return as_dataframe(self.to_dict())

    def plot(
        self,
        k: int | None = None,
        direction: Direction = "image-to-report",
        *,
        axes: Axes | None = None,
    ) -> Axes:
        """Draw Recall@k over the level, with 95 % bands and chance, by matplotlib.

        `k` is by default the largest that was measured. Without `axes` a new figure is
        made. Raises `NotOnThisMachineError` without matplotlib.
        """
        from .curve_plot import draw_curves

        return draw_curves([self], [self.clean.case.model], k, direction, axes)

    def as_json(self, direction: Direction = "image-to-report") -> Json:
        """What `run.json` holds of the curve in one direction, beside the outcomes."""
        case = self.clean.case
        ks = sorted(self.clean.scores(direction).recall)
        several = len(self.outcomes) > 1
        retentions = {k: self.retention(k, direction) for k in ks}
        half_levels = {k: self.half_level(k, direction) for k in ks}
        areas = {k: self.area(k, direction) if several else None for k in ks}
        slopes = {k: self.slope(k, direction) if several else None for k in ks}
        return {
            "model": case.model,
            "dataset": case.dataset,
            "occluder": case.occluder,
            "family": case.family,
            "seed": case.seed,
            "direction": direction,
            "levels": list(self.levels),
            "retention": {str(k): _by_level(v) for k, v in retentions.items()},
            "auc": _by_k(areas),
            "half_level": _by_k(half_levels),
            "slope": _by_k(slopes),
            "reasons": _reasons(retentions, half_levels, several),
        }


def _by_k(values: Mapping[int, float | None]) -> Json:
    return {str(k): value for k, value in values.items()}


def _by_level(values: Mapping[float, float] | None) -> Json | None:
    if values is None:
        return None
    return {f"{level:g}": value for level, value in values.items()}


def _reasons(
    retentions: Mapping[int, dict[float, float] | None],
    half_levels: Mapping[int, float | None],
    several: bool,
) -> Json:
    """Why a null of the curve is null."""
    reasons: Json = {}
    if any(value is None for value in retentions.values()):
        reasons["retention"] = "clean recall is not above chance"
    without_half_level = [k for k, value in half_levels.items() if value is None]
    if any(retentions[k] is not None for k in without_half_level):
        reasons["half_level"] = "not reached"
    elif without_half_level:
        reasons["half_level"] = "clean recall is not above chance"
    if not several:
        reasons["auc"] = "only one level was measured"
        reasons["slope"] = reasons["auc"]
    return reasons
