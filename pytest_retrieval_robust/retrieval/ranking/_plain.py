"""The loops beside the matrix product in torch and numpy."""

from __future__ import annotations

import numpy as np
import torch

from ._checks import parts
from ._thresholds import Tally, Thresholds

_PIECE = 256  # rows, so that float64 copies stay in the cache
_ROWS = 128  # of scores, for the same; fewer than a byte can add up
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
    queries: torch.Tensor,
    gallery: torch.Tensor,
    q_index: torch.Tensor,
    g_index: torch.Tensor,
) -> torch.Tensor:
    found = torch.empty(len(q_index), dtype=torch.float64, device=queries.device)
    for part in parts(len(q_index), _PIECE):
        found[part] = (
            queries[q_index[part]].double().mul_(gallery[g_index[part]]).sum(1)
        )
    return found


def tally(
    scores: torch.Tensor, q_limits: Thresholds, g_limits: Thresholds | None
) -> tuple[Tally, ...]:
    return (_tally_by_words if scores.device.type == "cpu" else tally_whole)(
        scores, q_limits, g_limits
    )


def tally_whole(
    scores: torch.Tensor, q_limits: Thresholds, g_limits: Thresholds | None
) -> tuple[Tally, ...]:
    """The direct way, which other devices do fast."""
    rows = Tally(
        (scores >= q_limits.low[:, None]).sum(1),
        (scores > q_limits.high[:, None]).sum(1),
    )
    if g_limits is None:
        return (rows,)
    return rows, Tally((scores >= g_limits.low).sum(0), (scores > g_limits.high).sum(0))


def _tally_by_words(
    scores: torch.Tensor, q_limits: Thresholds, g_limits: Thresholds | None
) -> tuple[Tally, ...]:
    rows, columns = (
        torch.zeros((2, n), dtype=torch.int64, device="cpu") for n in scores.shape
    )
    for part in parts(len(scores), _ROWS):
        hits = _Hits(scores[part])
        for number, limit in enumerate((q_limits.low, q_limits.high)):
            rows[number, part] = hits.of_rows(limit[part], above=number == 1)
        if g_limits is not None:
            for number, limit in enumerate((g_limits.low, g_limits.high)):
                columns[number] += hits.of_columns(limit, above=number == 1)
    return tuple(
        Tally(*counts) for counts in ((rows,) if g_limits is None else (rows, columns))
    )


def in_doubt(
    scores: torch.Tensor, limits: Thresholds, dim: int, found: Tally
) -> tuple[torch.Tensor, torch.Tensor]:
    lines = (found.reach != found.above).nonzero()[:, 0]
    some = scores.index_select(dim, lines)
    low, high = (
        limits.low[lines].unsqueeze(1 - dim),
        limits.high[lines].unsqueeze(1 - dim),
    )
    rows, columns = ((some >= low) & (some <= high)).nonzero(as_tuple=True)
    return (lines[rows], columns) if dim == 0 else (rows, lines[columns])


class _Hits:
    """Counts which of a few rows' scores reach a threshold: ones are added eight at a
    time, as the bytes of a word.
    """

    def __init__(self, scores: torch.Tensor) -> None:
        rows, columns = scores.shape
        self._scores = scores
        # What a row has beyond the scores stays False.
        self._words = torch.zeros(
            (rows, -(-columns // _BYTES)), dtype=torch.int64, device="cpu"
        )
        self._hits = self._words.view(torch.bool)[:, :columns]

    def of_rows(self, thresholds: torch.Tensor, *, above: bool) -> torch.Tensor:
        self._compare(thresholds[:, None], above)
        pieces = [
            self._words[:, part].sum(1, keepdim=True)
            for part in parts(self._words.shape[1], _ADDENDS)
        ]
        return torch.cat(pieces, 1).view(torch.uint8).sum(1)

    def of_columns(self, thresholds: torch.Tensor, *, above: bool) -> torch.Tensor:
        self._compare(thresholds[None], above)
        return self._words.sum(0).view(torch.uint8)[: self._scores.shape[1]]

    def _compare(self, thresholds: torch.Tensor, above: bool) -> None:
        # numpy compares several times as fast as torch.
        compare = np.greater if above else np.greater_equal
        compare(self._scores.numpy(), thresholds.numpy(), out=self._hits.numpy())
