"""Counts of the scores in a tile that reach a threshold, by row and by column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ._checks import parts
from ._filter import Thresholds

_BYTES = 8  # of a word
_ADDENDS = 255  # zeros and ones that a byte can add up


@dataclass(frozen=True)
class Tally:
    """(n,) int64 each: how many scores of a row, or a column, are at least `low`, and how many are above `high`."""

    reach: torch.Tensor
    above: torch.Tensor

    def in_doubt(self) -> int:
        return int((self.reach - self.above).sum())


def tally(scores: torch.Tensor, limits: Thresholds, dim: int) -> Tally:
    """Of (q, g) scores, against thresholds of the rows (`dim` 0) or columns (1)."""
    found = []
    for threshold, above in ((limits.low, False), (limits.high, True)):
        hits = _hits(scores, threshold.unsqueeze(1 - dim), above)
        found.append(_row_sums(hits) if dim == 0 else _column_sums(hits))
    width = scores.shape[dim]
    return Tally(found[0][:width], found[1][:width])


def in_doubt(scores: torch.Tensor, limits: Thresholds, dim: int, counted: Tally) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows and columns of the scores that lie between a row's (`dim` 0) or column's (1) thresholds."""
    lines = (counted.reach != counted.above).nonzero()[:, 0]
    some = scores.index_select(dim, lines)
    low, high = limits.low[lines].unsqueeze(1 - dim), limits.high[lines].unsqueeze(1 - dim)
    rows, columns = ((some >= low) & (some <= high)).nonzero(as_tuple=True)
    return (lines[rows], columns) if dim == 0 else (rows, lines[columns])


def _hits(scores: torch.Tensor, threshold: torch.Tensor, above: bool) -> torch.Tensor:
    """(q, g or a little more) bool; what is more is False, so that each row is a whole number of words."""
    rows, columns = scores.shape
    hits = torch.zeros((rows, -(-columns // _BYTES) * _BYTES), dtype=torch.bool, device=scores.device)
    found = hits[:, :columns]
    if scores.device.type == "cpu":  # numpy compares several times as fast
        compare = np.greater if above else np.greater_equal
        compare(scores.numpy(), threshold.numpy(), out=found.numpy())
    elif above:
        torch.gt(scores, threshold, out=found)
    else:
        torch.ge(scores, threshold, out=found)
    return hits


def _row_sums(hits: torch.Tensor) -> torch.Tensor:
    words = hits.view(torch.int64)
    sums = [words[:, part].sum(1, keepdim=True).view(torch.uint8) for part in parts(words.shape[1], _ADDENDS)]
    return torch.cat(sums, 1).sum(1)


def _column_sums(hits: torch.Tensor) -> torch.Tensor:
    words = hits.view(torch.int64)
    sums = [words[part].sum(0, keepdim=True).view(torch.uint8) for part in parts(len(words), _ADDENDS)]
    return torch.cat(sums, 0).sum(0)
