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

ROWS, COLUMNS = (
    2,
    4,
)  # tiles of queries and of the gallery that go into one product: what surrounds it takes time, too
# pairs of which one may be in doubt; where there are more, another way is faster than
# looking at each
_DOUBTS = 128
_PATIENCE = 3  # failures of a filter, beyond its successes, before it is given up


@dataclass(frozen=True)
class Problem:
    """Both sides, what each row has to reach (float64), and the pairs that do not count."""

    queries: Side
    gallery: Side
    q_floors: torch.Tensor
    g_floors: torch.Tensor
    right: RightPairs | None
    tile: int
    both: bool
    """Whether the gallery's items ask, too."""
    kernels: Kernels

    def scores(self, rows: int, columns: int) -> torch.Tensor:
        """Memory for a tile, the same each time: fresh memory costs page faults."""
        return self._buffer[: rows * columns].view(rows, columns)

    @cached_property
    def _buffer(self) -> torch.Tensor:
        size = min(ROWS * self.tile, len(self.queries)) * min(
            COLUMNS * self.tile, len(self.gallery)
        )
        return torch.empty(size, dtype=torch.float32, device=self.queries.rows.device)


def count_wrong(
    problem: Problem, filters: Sequence[Filter]
) -> tuple[torch.Tensor, torch.Tensor]:
    """(Q,) and (G,) int64, by the first filter that leaves few pairs in doubt, or else
    by float64.
    """
    q_counts, g_counts = (
        torch.zeros_like(side.groups) for side in (problem.queries, problem.gallery)
    )
    failures = [0] * len(filters)
    for others in parts(len(problem.gallery), COLUMNS * problem.tile):
        made: dict[int, torch.Tensor] = {}
        for some in parts(len(problem.queries), ROWS * problem.tile):
            tile = _Tile(problem, some, others)
            found = None
            for number, one in enumerate(filters):
                # One that mostly fails costs time and saves none, unless what follows is float64.
                usable = failures[number] < _PATIENCE or one is filters[-1]
                if found is None and usable:
                    if number not in made:
                        made[number] = one.gallery.matrix(others)
                    found = tile.counted(one, made[number])
                    failures[number] = max(
                        0, failures[number] + (1 if found is None else -1)
                    )
            of_rows, of_columns = found or tile.counted_exactly()
            q_counts[some] += of_rows
            g_counts[others] += of_columns
    return q_counts, g_counts


@dataclass(frozen=True)
class _Tile:
    problem: Problem
    some: slice
    others: slice

    def counted(
        self, one: Filter, right: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor] | None:
        """(q,) and (g,) int64 from a filter's scores; None where they overflow or leave
        too many pairs in doubt.
        """
        limits = self._limits(one)
        if limits is None:
            return None
        scores = self._scores(one.queries.matrix(self.some), right)
        self._hide_right(scores)
        tallies = self.problem.kernels.tally(
            scores, limits[0], limits[1] if self.problem.both else None
        )
        doubts = [tally.doubts() for tally in tallies]
        if max(doubts) > max(scores.numel() // _DOUBTS, 4 * max(scores.shape)):
            return None
        counts = [
            torch.zeros(n, dtype=torch.int64, device=scores.device)
            for n in scores.shape
        ]
        for dim, tally in enumerate(tallies):
            counts[dim] += tally.above
            if doubts[dim]:
                pairs = self.problem.kernels.in_doubt(scores, limits[dim], dim, tally)
                self._recheck(pairs, dim, counts[dim])
        return counts[0], counts[1]

    def counted_exactly(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The same from float64 scores of all pairs."""
        q_counts, g_counts = (torch.zeros_like(side.groups) for side in self._sides())
        for others in parts(self.others.stop, self.problem.tile, self.others.start):
            piece = _Tile(self.problem, self.some, others)
            scores = tile_bounds(*piece._sides(), 1)
            piece._hide_right(scores)
            q_floors, g_floors = piece._floors()
            q_counts += (scores >= q_floors[:, None]).sum(1)
            if self.problem.both:
                g_counts[
                    others.start - self.others.start : others.stop - self.others.start
                ] = (scores >= g_floors).sum(0)
        return q_counts, g_counts

    def _limits(self, one: Filter) -> tuple[Thresholds, Thresholds] | None:
        of_rows = one.thresholds(
            self.problem.q_floors, self.some, self.others, back=False
        )
        of_columns = one.thresholds(
            self.problem.g_floors, self.others, self.some, back=True
        )
        return None if of_rows is None or of_columns is None else (of_rows, of_columns)

    def _scores(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        scores = self.problem.scores(len(left), len(right))
        return (
            torch.mm(left, right.T, out=scores)
            if left.dtype == scores.dtype
            else scores.copy_(left @ right.T)
        )

    def _recheck(
        self, pairs: tuple[torch.Tensor, torch.Tensor], dim: int, counts: torch.Tensor
    ) -> None:
        highest = pair_bounds(self.problem.kernels, *self._sides(), *pairs, 1)
        lines = pairs[dim]
        counts.index_add_(0, lines, (highest >= self._floors()[dim][lines]).long())

    def _hide_right(self, scores: torch.Tensor) -> None:
        if self.problem.right is None:
            queries, gallery = self._sides()
            for piece in parts(scores.shape[1], self.problem.tile):
                scores[:, piece].masked_fill_(
                    queries.groups[:, None] == gallery.groups[piece], -torch.inf
                )
        else:
            rows, columns = self.problem.right.within(self.some, self.others)
            scores[rows, columns] = -torch.inf

    def _sides(self) -> tuple[Side, Side]:
        return self.problem.queries[self.some], self.problem.gallery[self.others]

    def _floors(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self.problem.q_floors[self.some], self.problem.g_floors[self.others]
