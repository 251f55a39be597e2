"""What passes between the filter and the loops that count."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Thresholds:
    """(n,) float32 each: a filter's score below `low` is surely under the floor, and one
    above `high` is surely not.
    """

    low: torch.Tensor
    high: torch.Tensor

    def __getitem__(self, part: slice) -> Thresholds:
        return Thresholds(self.low[part], self.high[part])


@dataclass(frozen=True)
class Tally:
    """(n,) whole numbers: how many scores of a row, or a column, are at least `low`,
    and how many are above `high`.
    """

    reach: torch.Tensor
    above: torch.Tensor

    def doubts(self) -> int:
        """How many scores lie between the thresholds."""
        return int(self.reach.sum() - self.above.sum())
