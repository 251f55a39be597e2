"""What passes between the filter and the loops that count."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Thresholds:
    """(n,) float32 each: a filter's score below `low` is surely under the floor, and one
    above `high` is surely not.

    Or (p, n), for each of several parts of the other side.
    """

    low: torch.Tensor
    high: torch.Tensor

    def __getitem__(self, part: slice | int) -> Thresholds:
        return Thresholds(self.low[part], self.high[part])


@dataclass(frozen=True, eq=False)
class Doubts:
    """Pairs in doubt of some tiles, on the device that finds them.

    `filled` says how many there were, of which no more than `room` are kept. So nobody
    need know of one tile before the device is given the next.
    """

    pairs: torch.Tensor
    """(room + 1, 2) int32 numbers of queries and gallery items, in the order of the
    tiles; the last place takes what does not fit.
    """
    filled: torch.Tensor
    """(1,) int64; above `room`, any number that is."""

    @staticmethod
    def make(room: int, device: torch.device) -> Doubts:
        pairs = torch.empty((room + 1, 2), dtype=torch.int32, device=device)
        return Doubts(pairs, torch.zeros(1, dtype=torch.int64, device=device))

    @property
    def room(self) -> int:
        return len(self.pairs) - 1


@dataclass(frozen=True, eq=False)
class Counted:
    """What is added up for the rows, or the columns, of one tile."""

    limits: Thresholds
    above: torch.Tensor
    """(n,) int32: how many scores are above `limits.high`."""
    doubts: Doubts
