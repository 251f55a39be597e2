"""The loops beside the matrix product in torch and numpy."""

from __future__ import annotations

import numpy as np
import torch

from ._checks import parts
from ._thresholds import Tally, Thresholds

# Rows of scores at a time, so that they stay in the cache; fewer than a byte can add up.
_SCORE_ROWS = 128
_BYTES_OF_A_WORD = 8
# As many zeros and ones as a byte can add up.
_ADDENDS = 255


def moments(rows: torch.Tensor, others: torch.Tensor, piece: int) -> torch.Tensor:
    result = torch.empty((len(rows), 3), dtype=torch.float64, device=rows.device)
    for part in parts(len(rows), piece):
        exact = rows[part].double()
        result[part, 0] = torch.linalg.vector_norm(exact, dim=1)
        result[part, 1:] = exact @ others.T
    return result


def pair_scores(
    queries: torch.Tensor,
    gallery: torch.Tensor,
    q_index: torch.Tensor,
    g_index: torch.Tensor,
    piece: int,
) -> torch.Tensor:
    scores = torch.empty(len(q_index), dtype=torch.float64, device=queries.device)
    for part in parts(len(q_index), piece):
        q_rows = queries[q_index[part]].double()
        scores[part] = q_rows.mul_(gallery[g_index[part]]).sum(1)
    return scores


def tally(
    scores: torch.Tensor, q_limits: Thresholds, g_limits: Thresholds | None
) -> tuple[Tally, ...]:
    rows, columns = scores.shape
    # (2, n): how many reach the lower threshold, and how many are above the upper one.
    of_rows = torch.zeros((2, rows), dtype=torch.int64, device="cpu")
    of_columns = torch.zeros((2, columns), dtype=torch.int64, device="cpu")
    for part in parts(rows, _SCORE_ROWS):
        hits = _Hits(scores[part])
        own = q_limits[part]
        of_rows[0, part] = hits.of_rows(own.low, above=False)
        of_rows[1, part] = hits.of_rows(own.high, above=True)
        if g_limits is not None:
            of_columns[0].add_(hits.of_columns(g_limits.low, above=False))
            of_columns[1].add_(hits.of_columns(g_limits.high, above=True))
    if g_limits is None:
        return (_tally(of_rows),)
    return _tally(of_rows), _tally(of_columns)


def _tally(counts: torch.Tensor) -> Tally:
    reach, above = counts
    return Tally(reach, above, doubts=int(reach.sum() - above.sum()))


def in_doubt(
    scores: torch.Tensor, limits: Thresholds, dim: int, tally: Tally
) -> tuple[torch.Tensor, torch.Tensor]:
    # Most rows and columns have no doubts, and are not compared again.
    lines = (tally.reach != tally.above).nonzero()[:, 0]
    chosen = scores.index_select(dim, lines)
    low = limits.low[lines].unsqueeze(1 - dim)
    high = limits.high[lines].unsqueeze(1 - dim)
    rows, columns = ((chosen >= low) & (chosen <= high)).nonzero(as_tuple=True)
    if dim == 0:
        return lines[rows], columns
    return rows, lines[columns]


class _Hits:
    """Counts which of a few rows' scores reach a threshold.

    Ones are added eight at a time, as the bytes of a word.
    """

    def __init__(self, scores: torch.Tensor) -> None:
        rows, columns = scores.shape
        self._scores = scores
        # The bytes of a row beyond the scores stay False.
        words = -(-columns // _BYTES_OF_A_WORD)
        self._words = torch.zeros((rows, words), dtype=torch.int64, device="cpu")
        self._hits = self._words.view(torch.bool)[:, :columns]

    def of_rows(self, thresholds: torch.Tensor, *, above: bool) -> torch.Tensor:
        self._compare(thresholds[:, None], above)
        sums = [
            self._words[:, part].sum(1, keepdim=True)
            for part in parts(self._words.shape[1], _ADDENDS)
        ]
        return torch.cat(sums, 1).view(torch.uint8).sum(1)

    def of_columns(self, thresholds: torch.Tensor, *, above: bool) -> torch.Tensor:
        self._compare(thresholds[None], above)
        return self._words.sum(0).view(torch.uint8)[: self._scores.shape[1]]

    def _compare(self, thresholds: torch.Tensor, above: bool) -> None:
        # NumPy compares several times as fast as torch.
        compare = np.greater if above else np.greater_equal
        compare(self._scores.numpy(), thresholds.numpy(), out=self._hits.numpy())
