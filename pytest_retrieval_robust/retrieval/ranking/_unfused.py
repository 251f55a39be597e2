"""What a device counts without being waited for, in torch alone."""

from __future__ import annotations

import torch

from ._plain import moments, pair_scores
from ._thresholds import Counted, Doubts, Thresholds

__all__ = ["collect", "moments", "pair_scores"]


def collect(
    scores: torch.Tensor,
    of_rows: Counted,
    of_columns: Counted | None,
    first_query: int,
    first_item: int,
) -> None:
    directions = [of_rows] if of_columns is None else [of_rows, of_columns]
    for dim, counted in enumerate(directions):
        low, high = _along(counted.limits, dim)
        counted.above.add_((scores > high).sum(1 - dim))
        is_doubtful = (scores >= low).logical_and_(scores <= high)
        _append(is_doubtful, counted.doubts, first_query, first_item)


def _along(limits: Thresholds, dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Thresholds that broadcast over the rows (`dim` 0) or columns of scores."""
    return limits.low.unsqueeze(1 - dim), limits.high.unsqueeze(1 - dim)


def _append(
    is_doubtful: torch.Tensor, doubts: Doubts, first_query: int, first_item: int
) -> None:
    most = min(doubts.room, is_doubtful.numel())
    # As long as it may be: how many there are is only known on the device.
    pairs = is_doubtful.nonzero_static(size=most)
    pairs[:, 0] += first_query
    pairs[:, 1] += first_item
    count = is_doubtful.sum()
    numbers = torch.arange(most, device=is_doubtful.device)
    places = numbers + doubts.filled
    fits = (numbers < count) & (places < doubts.room)
    places = places.masked_fill_(~fits, doubts.room)
    doubts.pairs.index_copy_(0, places, pairs.int())
    doubts.filled.add_(count)
