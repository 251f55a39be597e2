"""How many wrong partners score as high as a floor, on a processor: each tile is looked
at before the next is made, while it is in the cache.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ._exact import pair_bounds
from ._filter import Filter
from ._kernels import Loops
from ._tiles import Problem, Tile, Trial, worth_trying

# Of the scores of a tile: so many pairs in doubt may wait to be decided together.
_SHARE_THAT_WAITS = 16


def count_one_by_one(
    problem: Problem, filters: Sequence[Filter], loops: Loops
) -> tuple[torch.Tensor, torch.Tensor]:
    """(Q,) and (G,) int64, by the first filter that leaves few pairs in doubt, or else
    by float64.
    """
    totals = _Totals(problem)
    trials = [Trial(problem, filter_) for filter_ in filters]
    for g_part in problem.g_parts():
        for q_part in problem.q_parts():
            tile = Tile(problem, q_part, g_part)
            if not _count_filtered(tile, trials, loops, totals):
                totals.add(tile, *tile.count_exactly())
    return totals.final()


class _Totals:
    """The counts of all tiles so far, and pairs that are still to be decided."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        q_counts = torch.zeros_like(problem.queries.groups)
        g_counts = torch.zeros_like(problem.gallery.groups)
        self._counts = (q_counts, g_counts)
        self._doubtful: tuple[list[torch.Tensor], ...] = ([], [])
        """For each direction, (2, P) numbers of queries and gallery items."""
        self._waiting = [0, 0]

    def add(
        self, tile: Tile, of_queries: torch.Tensor, of_gallery: torch.Tensor
    ) -> None:
        self._counts[0][tile.q_part] += of_queries
        self._counts[1][tile.g_part] += of_gallery

    def add_doubtful(
        self, tile: Tile, rows: torch.Tensor, columns: torch.Tensor, dim: int
    ) -> None:
        """Pairs whose float64 scores decide whether they count for their row (`dim` 0)
        or column (1).
        """
        pairs = (rows + tile.q_part.start, columns + tile.g_part.start)
        self._doubtful[dim].append(torch.stack(pairs))
        self._waiting[dim] += len(rows)
        if self._waiting[dim] > self._problem.engine.sizes.scores // _SHARE_THAT_WAITS:
            self._decide(dim)

    def final(self) -> tuple[torch.Tensor, torch.Tensor]:
        for dim in (0, 1):
            self._decide(dim)
        return self._counts

    def _decide(self, dim: int) -> None:
        """Add the pairs that reach the floor in float64, or may reach it."""
        if not self._waiting[dim]:
            return
        problem = self._problem
        pairs = torch.cat(self._doubtful[dim], 1)
        self._doubtful[dim].clear()
        self._waiting[dim] = 0
        highest = pair_bounds(
            problem.engine.kernels,
            problem.queries,
            problem.gallery,
            *pairs,
            1,
            piece=problem.engine.sizes.piece,
        )
        floors = (problem.q_floors, problem.g_floors)[dim]
        reaches = highest >= floors[pairs[dim]]
        self._counts[dim].index_add_(0, pairs[dim], reaches.long())


def _count_filtered(
    tile: Tile, trials: Sequence[Trial], loops: Loops, totals: _Totals
) -> bool:
    """Whether any filter left few enough pairs in doubt to be of use."""
    for trial in worth_trying(trials):
        if _count_by(tile, trial, loops, totals):
            trial.note(successes=1, failures=0)
            return True
        trial.note(successes=0, failures=1)
    return False


def _count_by(tile: Tile, trial: Trial, loops: Loops, totals: _Totals) -> bool:
    limits = tile.limits(trial)
    scores = tile.scores(trial)
    q_limits, g_limits = limits
    both_directions = tile.problem.both_directions
    tallies = loops.tally(scores, q_limits, g_limits if both_directions else None)
    share = tile.problem.engine.pairs_per_doubt
    most = max(scores.numel() // share, 4 * max(scores.shape))
    if max(tally.doubts for tally in tallies) > most:
        return False
    # Above the upper threshold a pair surely counts, below the lower surely not.
    above = [tally.above for tally in tallies]
    if not both_directions:
        above.append(above[0].new_zeros(scores.shape[1]))
    totals.add(tile, *above)
    for dim, tally in enumerate(tallies):
        if tally.doubts:
            pairs = loops.in_doubt(scores, limits[dim], dim, tally)
            totals.add_doubtful(tile, *pairs, dim)
    return True
