"""The loops beside the matrix product in torch and numpy."""

from __future__ import annotations

import numpy as np
import torch

from ._checks import parts
from ._thresholds import Tally, Thresholds

_PIECE = 256  # rows, so that float64 copies stay in the cache
_BYTES = 8  # of a word
_ADDENDS = 255  # zeros and ones that a byte can add up


def moments(rows: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    found = torch.empty((len(rows), 3), dtype=torch.float64, device=rows.device)
    for part in parts(len(rows), _PIECE):
        exact = rows[part].double()
        found[part, 0] = torch.linalg.vector_norm(exact, dim=1)
        found[part, 1:] = exact @ others.T
    return found


def pair_scores(
    queries: torch.Tensor, gallery: torch.Tensor, q_index: torch.Tensor, g_index: torch.Tensor
) -> torch.Tensor:
    found = torch.empty(len(q_index), dtype=torch.float64, device=queries.device)
    for part in parts(len(q_index), _PIECE):
        found[part] = queries[q_index[part]].double().mul_(gallery[g_index[part]]).sum(1)
    return found


def tally(scores: torch.Tensor, q_limits: Thresholds, g_limits: Thresholds | None) -> tuple[Tally, Tally | None]:
    hits = _Hits(scores)
    by_row = Tally(hits.rows(q_limits.low, above=False), hits.rows(q_limits.high, above=True))
    if g_limits is None:
        return by_row, None
    return by_row, Tally(hits.columns(g_limits.low, above=False), hits.columns(g_limits.high, above=True))


def in_doubt(scores: torch.Tensor, limits: Thresholds, dim: int, found: Tally) -> tuple[torch.Tensor, torch.Tensor]:
    lines = (found.reach != found.above).nonzero()[:, 0]
    some = scores.index_select(dim, lines)
    low, high = limits.low[lines].unsqueeze(1 - dim), limits.high[lines].unsqueeze(1 - dim)
    rows, columns = ((some >= low) & (some <= high)).nonzero(as_tuple=True)
    return (lines[rows], columns) if dim == 0 else (rows, lines[columns])


class _Hits:
    """Counts which scores reach a threshold: ones are added eight at a time, as the bytes of a word."""

    def __init__(self, scores: torch.Tensor) -> None:
        rows, columns = scores.shape
        self._scores, self._width = scores, columns
        # What a row has beyond the scores stays False.
        self._words = torch.zeros((rows, -(-columns // _BYTES)), dtype=torch.int64, device=scores.device)
        self._hits = self._words.view(torch.bool)[:, :columns]

    def rows(self, thresholds: torch.Tensor, *, above: bool) -> torch.Tensor:
        self._compare(thresholds[:, None], above)
        pieces = [self._words[:, part].sum(1, keepdim=True) for part in parts(self._words.shape[1], _ADDENDS)]
        return torch.cat(pieces, 1).view(torch.uint8).sum(1)

    def columns(self, thresholds: torch.Tensor, *, above: bool) -> torch.Tensor:
        self._compare(thresholds[None], above)
        pieces = [self._words[part].sum(0, keepdim=True) for part in parts(len(self._words), _ADDENDS)]
        return torch.cat(pieces).view(torch.uint8).sum(0)[: self._width]

    def _compare(self, thresholds: torch.Tensor, above: bool) -> None:
        if self._scores.device.type == "cpu":  # numpy compares several times as fast
            compare = np.greater if above else np.greater_equal
            compare(self._scores.numpy(), thresholds.numpy(), out=self._hits.numpy())
        else:
            torch_compare = torch.gt if above else torch.ge
            torch_compare(self._scores, thresholds, out=self._hits)
