"""How many wrong partners score as high as a floor, counted in both directions from one
pass over tiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from ._checks import parts
from ._exact import Side, pair_bounds, tile_bounds
from ._filter import Filter
from ._kernels import Kernels
from ._right_pairs import RightPairs
from ._thresholds import Thresholds

# Tiles of queries and of the gallery that go into one product: what surrounds a product
# takes time too.
ROWS = 2
COLUMNS = 4
# Pairs of which one may be in doubt. Where there are more, another filter is faster than
# looking at each.
_PAIRS_PER_DOUBT = 128
# Failures of a filter, beyond its successes, before it is given up.
_PATIENCE = 3


@dataclass(frozen=True)
class Problem:
    """Both sides, what each row has to reach (float64), and the pairs that do not count."""

    queries: Side
    gallery: Side
    q_floors: torch.Tensor
    g_floors: torch.Tensor
    right: RightPairs | None
    tile: int
    both_directions: bool
    """Whether the gallery's items ask, too."""
    kernels: Kernels

    def scores(self, rows: int, columns: int) -> torch.Tensor:
        """Memory for a tile, the same each time: fresh memory costs page faults."""
        return self._buffer[: rows * columns].view(rows, columns)

    @cached_property
    def _buffer(self) -> torch.Tensor:
        rows = min(ROWS * self.tile, len(self.queries))
        columns = min(COLUMNS * self.tile, len(self.gallery))
        device = self.queries.rows.device
        return torch.empty(rows * columns, dtype=torch.float32, device=device)


def count_wrong(
    problem: Problem, filters: Sequence[Filter]
) -> tuple[torch.Tensor, torch.Tensor]:
    """(Q,) and (G,) int64, by the first filter that leaves few pairs in doubt, or else
    by float64.
    """
    q_counts = torch.zeros_like(problem.queries.groups)
    g_counts = torch.zeros_like(problem.gallery.groups)
    trials = [_Trial(filter_) for filter_ in filters]
    for g_part in parts(len(problem.gallery), COLUMNS * problem.tile):
        for trial in trials:
            trial.forget_matrix()
        for q_part in parts(len(problem.queries), ROWS * problem.tile):
            tile = _Tile(problem, q_part, g_part)
            of_queries, of_gallery = _count_tile(tile, trials)
            q_counts[q_part] += of_queries
            g_counts[g_part] += of_gallery
    return q_counts, g_counts


def _count_tile(
    tile: _Tile, trials: Sequence[_Trial]
) -> tuple[torch.Tensor, torch.Tensor]:
    for trial in trials:
        # One that mostly fails costs time and saves none, unless what follows is float64.
        if trial.is_given_up and trial is not trials[-1]:
            continue
        counts = tile.count_filtered(trial.filter_, trial.matrix(tile.g_part))
        if counts is not None:
            trial.failures = max(0, trial.failures - 1)
            return counts
        trial.failures += 1
    return tile.count_exactly()


class _Trial:
    """A filter, how often it failed, and its matrix of the current part of the gallery,
    which all tiles of queries share.
    """

    def __init__(self, filter_: Filter) -> None:
        self.filter_ = filter_
        self.failures = 0
        """Beyond its successes."""
        self._matrix: torch.Tensor | None = None

    @property
    def is_given_up(self) -> bool:
        return self.failures >= _PATIENCE

    def matrix(self, g_part: slice) -> torch.Tensor:
        if self._matrix is None:
            self._matrix = self.filter_.gallery.matrix(g_part)
        return self._matrix

    def forget_matrix(self) -> None:
        self._matrix = None


@dataclass(frozen=True)
class _Tile:
    problem: Problem
    q_part: slice
    g_part: slice

    def count_filtered(
        self, filter_: Filter, g_matrix: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor] | None:
        """(q,) and (g,) int64 from a filter's scores; None where they overflow or leave
        too many pairs in doubt.
        """
        limits = self._limits(filter_)
        if limits is None:
            return None
        q_limits, g_limits = limits
        scores = self._scores(filter_.queries.matrix(self.q_part), g_matrix)
        self._hide_right(scores)
        kernels = self.problem.kernels
        tallies = kernels.tally(
            scores, q_limits, g_limits if self.problem.both_directions else None
        )
        doubts = [tally.doubts() for tally in tallies]
        most = max(scores.numel() // _PAIRS_PER_DOUBT, 4 * max(scores.shape))
        if max(doubts) > most:
            return None

        q_counts = torch.zeros(len(scores), dtype=torch.int64, device=scores.device)
        g_counts = q_counts.new_zeros(scores.shape[1])
        counts = (q_counts, g_counts)
        for dim, tally in enumerate(tallies):
            # Above the upper threshold a pair surely counts, below the lower surely not.
            counts[dim].add_(tally.above)
            if doubts[dim]:
                pairs = kernels.in_doubt(scores, limits[dim], dim, tally)
                self._count_doubtful(pairs, dim, counts[dim])
        return counts

    def count_exactly(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The same from float64 scores of all pairs."""
        queries, gallery = self._sides()
        q_counts = torch.zeros_like(queries.groups)
        g_counts = torch.zeros_like(gallery.groups)
        # A piece of the gallery at a time: float64 takes twice the memory.
        start = self.g_part.start
        for g_part in parts(self.g_part.stop, self.problem.tile, start):
            piece = _Tile(self.problem, self.q_part, g_part)
            scores = tile_bounds(*piece._sides(), 1)
            piece._hide_right(scores)
            q_floors, g_floors = piece._floors()
            q_counts += (scores >= q_floors[:, None]).sum(1)
            if self.problem.both_directions:
                within = slice(g_part.start - start, g_part.stop - start)
                g_counts[within] = (scores >= g_floors).sum(0)
        return q_counts, g_counts

    def _limits(self, filter_: Filter) -> tuple[Thresholds, Thresholds] | None:
        """Of the rows, and of the columns."""
        problem = self.problem
        q_limits = filter_.thresholds(
            problem.q_floors, self.q_part, self.g_part, back=False
        )
        g_limits = filter_.thresholds(
            problem.g_floors, self.g_part, self.q_part, back=True
        )
        if q_limits is None or g_limits is None:
            return None
        return q_limits, g_limits

    def _scores(self, q_matrix: torch.Tensor, g_matrix: torch.Tensor) -> torch.Tensor:
        scores = self.problem.scores(len(q_matrix), len(g_matrix))
        if q_matrix.dtype == scores.dtype:
            return torch.mm(q_matrix, g_matrix.T, out=scores)
        return scores.copy_(q_matrix @ g_matrix.T)

    def _count_doubtful(
        self, pairs: tuple[torch.Tensor, torch.Tensor], dim: int, counts: torch.Tensor
    ) -> None:
        """Add the pairs that reach the floor of their row (`dim` 0) or column (1) in
        float64, or may reach it.
        """
        highest = pair_bounds(self.problem.kernels, *self._sides(), *pairs, 1)
        lines = pairs[dim]
        reaches = highest >= self._floors()[dim][lines]
        counts.index_add_(0, lines, reaches.long())

    def _hide_right(self, scores: torch.Tensor) -> None:
        """Right pairs get minus infinity, which reaches no floor."""
        if self.problem.right is not None:
            rows, columns = self.problem.right.within(self.q_part, self.g_part)
            scores[rows, columns] = -torch.inf
            return
        queries, gallery = self._sides()
        for piece in parts(scores.shape[1], self.problem.tile):
            is_right = queries.groups[:, None] == gallery.groups[piece]
            scores[:, piece].masked_fill_(is_right, -torch.inf)

    def _sides(self) -> tuple[Side, Side]:
        return self.problem.queries[self.q_part], self.problem.gallery[self.g_part]

    def _floors(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self.problem.q_floors[self.q_part], self.problem.g_floors[self.g_part]
