"""How many wrong partners score as high as a floor.

A device is given a group of tiles at once, and the host looks at what came out one time
per group. While it looks, a GPU has nothing to do: about 0.1 ms after a group that takes
an H100 several ms. A second set of buffers would save that, and is not worth its memory.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ._checks import parts
from ._exact import pair_bounds
from ._filter import Filter
from ._thresholds import Counted, Doubts
from ._tiles import Problem, Tile, Trial, worth_trying


def count_wrong(
    problem: Problem, filters: Sequence[Filter]
) -> tuple[torch.Tensor, torch.Tensor]:
    """(Q,) and (G,) int64, by the first filter that leaves few pairs in doubt, or else
    by float64.
    """
    totals = _Totals(problem)
    buffers = _Buffers(problem)
    trials = [Trial(problem, filter_) for filter_ in filters]
    q_parts = list(problem.q_parts())
    for g_part in problem.g_parts():
        tiles = [Tile(problem, q_part, g_part) for q_part in q_parts]
        for part in parts(len(tiles), problem.engine.sizes.group):
            _count_group(tiles[part], trials, buffers, totals)
    return totals.counts


class _Totals:
    """The counts of all tiles so far."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        q_counts = torch.zeros_like(problem.queries.groups)
        g_counts = torch.zeros_like(problem.gallery.groups)
        self.counts = (q_counts, g_counts)

    def add(
        self, tile: Tile, of_queries: torch.Tensor, of_gallery: torch.Tensor
    ) -> None:
        self.counts[0][tile.q_part] += of_queries
        self.counts[1][tile.g_part] += of_gallery

    def add_doubtful(self, pairs: torch.Tensor, dim: int) -> None:
        """(P, 2): those that reach the floor of their query (`dim` 0) or gallery item
        (1) in float64, or may reach it.
        """
        problem = self._problem
        floors = (problem.q_floors, problem.g_floors)[dim]
        piece = problem.engine.sizes.piece
        # Kernels take all at once, or a piece after the other. What stands beside them
        # is short.
        for part in parts(len(pairs), max(piece, problem.engine.sizes.scores // 64)):
            q_index, g_index = pairs[part].long().T.contiguous()
            highest = pair_bounds(
                problem.engine.kernels,
                problem.queries,
                problem.gallery,
                q_index,
                g_index,
                1,
                piece=piece,
            )
            lines = (q_index, g_index)[dim]
            reaches = highest >= floors[lines]
            self.counts[dim].index_add_(0, lines, reaches.long())


class _Buffers:
    """What a group of tiles leaves on the device until the host has looked."""

    def __init__(self, problem: Problem) -> None:
        sizes = problem.engine.sizes
        rows = min(sizes.rows, len(problem.queries))
        columns = min(sizes.columns, len(problem.gallery))
        # Aligned, as the kernels for a GPU expect it.
        lengths = (-(-rows // 16) * 16, -(-columns // 16) * 16)
        tiles = min(sizes.group, -(-len(problem.queries) // sizes.rows))
        # Small tiles get room for some doubts in each row and column.
        share = max(
            rows * columns // problem.engine.pairs_per_doubt, 4 * max(rows, columns)
        )
        room = min(tiles * share, tiles * rows * columns)
        device = problem.device
        directions = 2 if problem.both_directions else 1
        self.doubts = [Doubts.make(room, device) for _ in range(directions)]
        self.filled = torch.zeros((tiles, directions), dtype=torch.int64, device=device)
        """How many doubts there were after each tile."""
        self.above = (
            torch.zeros((tiles, lengths[0]), dtype=torch.int32, device=device),
            torch.zeros((tiles, lengths[1]), dtype=torch.int32, device=device),
        )

    def clear(self) -> None:
        for buffer in (*self.above, *(doubts.filled for doubts in self.doubts)):
            buffer.zero_()


def _count_group(
    tiles: Sequence[Tile],
    trials: Sequence[Trial],
    buffers: _Buffers,
    totals: _Totals,
) -> None:
    left = tiles
    for trial in worth_trying(trials):
        if not left:
            return
        buffers.clear()
        for number, tile in enumerate(left):
            _queue(tile, trial, buffers, number)
        # The one time that the host waits.
        filled = buffers.filled[: len(left)].tolist()
        settled = _settle(left, filled, buffers, totals)
        trial.note(successes=settled, failures=len(left) - settled)
        left = left[settled:]
    for tile in left:
        totals.add(tile, *tile.count_exactly())


def _queue(tile: Tile, trial: Trial, buffers: _Buffers, number: int) -> None:
    """Have the device count a tile, the group's `number`-th."""
    limits = tile.limits(trial)
    scores = tile.scores(trial)
    counted = [
        Counted(own_limits, above[number, :length], doubts)
        for own_limits, above, length, doubts in zip(
            limits, buffers.above, scores.shape, buffers.doubts, strict=False
        )
    ]
    of_rows = counted[0]
    of_columns = counted[1] if tile.problem.both_directions else None
    tile.problem.engine.kernels.collect(
        scores, of_rows, of_columns, tile.q_part.start, tile.g_part.start
    )
    for direction, doubts in enumerate(buffers.doubts):
        buffers.filled[number, direction : direction + 1].copy_(doubts.filled)


def _settle(
    tiles: Sequence[Tile],
    filled: Sequence[Sequence[int]],
    buffers: _Buffers,
    totals: _Totals,
) -> int:
    """Add what was counted, up to the first tile whose doubts had no room; how many
    tiles that is.
    """
    rooms = [doubts.room for doubts in buffers.doubts]
    settled = 0
    for counts in filled:
        if any(count > room for count, room in zip(counts, rooms, strict=True)):
            break
        settled += 1
    if not settled:
        return 0
    q_above, g_above = buffers.above
    for number, tile in enumerate(tiles[:settled]):
        # Above the upper threshold a pair surely counts, below the lower surely not.
        rows = tile.q_part.stop - tile.q_part.start
        columns = tile.g_part.stop - tile.g_part.start
        totals.add(tile, q_above[number, :rows], g_above[number, :columns])
    for dim, doubts in enumerate(buffers.doubts):
        totals.add_doubtful(doubts.pairs[: filled[settled - 1][dim]], dim)
    return settled
