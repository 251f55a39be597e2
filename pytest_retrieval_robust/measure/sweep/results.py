"""What a sweep gives: its measured cells, and the data they were measured on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...core.cases import Cell, Json
    from ...core.errors import MetricError, RobustError
    from ...core.outcomes import Scores, Timing
    from ..counterfactual.numbers import CounterfactualNumbers
    from ..pairs import Pairs


_NO_RANKS: NDArray[np.int64] = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, repr=False)
class Measured:
    """One measured cell: scores and ranks of both directions, hidden shares, and time."""

    achieved_level: float
    """The share of the source images that was hidden, mean; else the severity."""
    visible_level: float
    """The share of their visible part that was hidden, mean; else the severity."""
    image_to_report: Scores
    report_to_image: Scores
    image_ranks: NDArray[np.int64]
    report_ranks: NDArray[np.int64]
    timing: Timing
    metric_error: MetricError | None = None
    """Why its scores lack a metric that was asked for."""
    counterfactual: CounterfactualNumbers | None = None
    """None where no edits were asked for, or they could not be encoded."""
    altered: float | None = None
    """The share of the images or reports that a corruption or text noise changed; None
    where that is not counted.
    """

    def without_ranks(self) -> Measured:
        """The same with no ranks, when another place keeps them."""
        return replace(self, image_ranks=_NO_RANKS, report_ranks=_NO_RANKS)


@dataclass(frozen=True, repr=False)
class SweepResult:
    """Every cell of a sweep: measured, or the error that it ended with."""

    cells: dict[Cell, Measured | RobustError]
    pairs: Pairs
    """What was evaluated: the pairs of the sweep without broken images that the data
    set skips.
    """
    dataset: Json
    truncated_reports: int | None
    edits_error: RobustError | None = None
    """Why edits of reports that were asked for could not be encoded."""
