"""The loops beside the matrix product in torch and numpy."""

from __future__ import annotations

import numpy as np
import torch

from ._checks import parts
from ._thresholds import Counted

# Rows of scores at a time, so that they stay in the cache; fewer than a byte can add up.
_SCORE_ROWS = 248
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


def collect(
    scores: torch.Tensor,
    of_rows: Counted,
    of_columns: Counted | None,
    first_query: int,
    first_item: int,
) -> None:
    of_rows_here = _Tally(len(scores))
    of_columns_here = _Tally(scores.shape[1])
    for part in parts(len(scores), _SCORE_ROWS):
        hits = _Hits(scores[part])
        own = of_rows.limits[part]
        of_rows_here.reach[part] = hits.of_rows(own.low, above=False)
        of_rows_here.above[part] = hits.of_rows(own.high, above=True)
        if of_columns is not None:
            limits = of_columns.limits
            of_columns_here.reach += hits.of_columns(limits.low, above=False)
            of_columns_here.above += hits.of_columns(limits.high, above=True)
    first = (first_query, first_item)
    _add(scores, of_rows, of_rows_here, 0, first)
    if of_columns is not None:
        _add(scores, of_columns, of_columns_here, 1, first)


class _Tally:
    """How many scores of each row, or column, reach the lower threshold, and how many
    are above the upper one.
    """

    def __init__(self, count: int) -> None:
        self.reach = torch.zeros(count, dtype=torch.int64, device="cpu")
        self.above = torch.zeros_like(self.reach)


def _add(
    scores: torch.Tensor,
    counted: Counted,
    tally: _Tally,
    dim: int,
    first: tuple[int, int],
) -> None:
    """Add the counts, and the pairs of the rows (`dim` 0) or columns (1) that have some
    in doubt.
    """
    counted.above.add_(tally.above)
    doubts = counted.doubts
    in_doubt = tally.reach - tally.above
    start = int(doubts.filled)
    stop = start + int(in_doubt.sum())
    doubts.filled.fill_(stop)
    # Beyond what there is room for, the number alone tells enough.
    if start == stop or stop > doubts.room:
        return
    lines = in_doubt.nonzero()[:, 0]
    chosen = scores.index_select(dim, lines)
    low = counted.limits.low[lines].unsqueeze(1 - dim)
    high = counted.limits.high[lines].unsqueeze(1 - dim)
    places = ((chosen >= low) & (chosen <= high)).nonzero()
    places[:, dim] = lines[places[:, dim]]
    places += torch.tensor(first, device="cpu")
    doubts.pairs[start:stop] = places


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
