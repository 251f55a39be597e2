"""Gates of models of which everything is assumed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...core.errors import ArgumentError
from ...core.verdict import DecidedBy
from ..curve_statistics import Statistic
from ..difference import Errors
from .cell import CellPower
from .curve_floor import CurveFloorPower
from .pooled import PairedLevels, PooledPower
from .recall_floor import RecallFloorPower
from .sampling import Sampling


@dataclass(frozen=True)
class Assumed:
    """What is assumed of a model, its baseline and the patients."""

    recalls: tuple[float, ...]
    """True Recall@k at each level, the first of which has nothing done; the baseline's is
    the same.
    """
    correlation: float
    """Of the hits of the two models (phi)."""
    between: float
    """Correlation between two levels: of the hits of a query, and of its differences."""
    sampling: Sampling

    def __post_init__(self) -> None:
        for recall in self.recalls:
            if not 0 < recall < 1:
                raise ArgumentError(
                    f"Expected a recall between 0 and 1, got recall={recall!r}. Where"
                    " every query is hit, or none, nothing varies: give what you expect"
                    " on many more queries, such as 0.99."
                )
        for name, value in (
            ("correlation", self.correlation),
            ("level_correlation", self.between),
        ):
            if not 0 <= value < 1:
                raise ArgumentError(
                    f"Expected a correlation from 0 to below 1, got {name}={value!r}."
                    " Two models that hit the same queries have nothing to compare."
                )

    @property
    def levels(self) -> tuple[float, ...]:
        """Evenly spaced, because only their number matters to what is assumed."""
        return tuple(float(number) for number in range(len(self.recalls)))

    def recall_floor(
        self, minimum: float, decide: DecidedBy, confidence: float
    ) -> RecallFloorPower:
        """At the level with the lowest recall."""
        return RecallFloorPower(
            min(self.recalls), minimum, decide, confidence, self.sampling
        )

    def retention(
        self, minimum: float, decide: DecidedBy, confidence: float
    ) -> CurveFloorPower:
        """At the last level.

        Raises:
            ArgumentError: There is one level alone.
        """
        if len(self.recalls) < 2:
            raise ArgumentError(
                f"Expected two recalls or more for retention, got recall={self.recalls}."
                " Give the clean recall and that of the last level: --recall 0.9,0.7."
            )
        return CurveFloorPower(
            Statistic.RETENTION,
            (0.0, 1.0),
            (self.recalls[0], self.recalls[-1]),
            _equal_correlations(2, self.between),
            minimum,
            decide,
            confidence,
            self.sampling,
        )

    def cell(self, margin: float, errors: Errors) -> CellPower:
        """At the level where most queries differ: the recall next to a half."""
        hardest = hardest_recall(self.recalls)
        return CellPower(hardest, self.correlation, margin, errors, self.sampling)

    def pooled(self, margin: float, errors: Errors) -> PooledPower:
        """Over all levels."""
        count = len(self.recalls)
        levels = PairedLevels(
            self.recalls,
            (self.correlation,) * count,
            _equal_correlations(count, self.between),
        )
        weights = (1 / count,) * count
        return PooledPower(
            levels, weights, margin, errors, self.sampling, float(np.mean(self.recalls))
        )


def hardest_recall(recalls: tuple[float, ...]) -> float:
    """The one next to a half, at which most queries differ."""
    return min(recalls, key=lambda recall: abs(recall - 0.5))


def _equal_correlations(count: int, between: float) -> tuple[tuple[float, ...], ...]:
    return tuple(
        tuple(1.0 if row == column else between for column in range(count))
        for row in range(count)
    )
