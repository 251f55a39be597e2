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


def count_one_by_one(
    problem: Problem, filters: Sequence[Filter], loops: Loops
) -> tuple[torch.Tensor, torch.Tensor]:
    """(Q,) and (G,) int64, by the first filter that leaves few pairs in doubt, or else
    by float64.
    """
    q_counts = torch.zeros_like(problem.queries.groups)
    g_counts = torch.zeros_like(problem.gallery.groups)
    trials = [Trial(filter_) for filter_ in filters]
    for g_part in problem.g_parts():
        for trial in trials:
            trial.forget_matrix()
        for q_part in problem.q_parts():
            tile = Tile(problem, q_part, g_part)
            of_queries, of_gallery = _count_tile(tile, trials, loops)
            q_counts[q_part] += of_queries
            g_counts[g_part] += of_gallery
    return q_counts, g_counts


def _count_tile(
    tile: Tile, trials: Sequence[Trial], loops: Loops
) -> tuple[torch.Tensor, torch.Tensor]:
    for trial in worth_trying(trials):
        counts = _count_filtered(tile, trial, loops)
        if counts is not None:
            trial.note(successes=1, failures=0)
            return counts
        trial.note(successes=0, failures=1)
    return tile.count_exactly()


def _count_filtered(
    tile: Tile, trial: Trial, loops: Loops
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """(q,) and (g,) int64 from a filter's scores; None where they leave too many pairs
    in doubt.
    """
    limits = tile.limits(trial.filter_)
    scores = tile.scores(trial)
    q_limits, g_limits = limits
    tallies = loops.tally(
        scores, q_limits, g_limits if tile.problem.both_directions else None
    )
    doubts = [tally.doubts() for tally in tallies]
    share = tile.problem.engine.pairs_per_doubt
    if max(doubts) > max(scores.numel() // share, 4 * max(scores.shape)):
        return None

    q_counts = torch.zeros(len(scores), dtype=torch.int64, device=scores.device)
    g_counts = q_counts.new_zeros(scores.shape[1])
    counts = (q_counts, g_counts)
    for dim, tally in enumerate(tallies):
        # Above the upper threshold a pair surely counts, below the lower surely not.
        counts[dim].add_(tally.above)
        if doubts[dim]:
            pairs = loops.in_doubt(scores, limits[dim], dim, tally)
            _count_doubtful(tile, pairs, dim, counts[dim])
    return counts


def _count_doubtful(
    tile: Tile,
    pairs: tuple[torch.Tensor, torch.Tensor],
    dim: int,
    counts: torch.Tensor,
) -> None:
    """Add the pairs that reach the floor of their row (`dim` 0) or column (1) in
    float64, or may reach it.
    """
    engine = tile.problem.engine
    highest = pair_bounds(
        engine.kernels, *tile.sides(), *pairs, 1, piece=engine.sizes.piece
    )
    lines = pairs[dim]
    reaches = highest >= tile.floors()[dim][lines]
    counts.index_add_(0, lines, reaches.long())
