"""How many wrong partners score as high as a floor, counted in both directions from one pass over tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch

from ._checks import parts
from ._exact import Side, pair_bounds, tile_bounds
from ._filter import Filter
from ._kernels import Kernels
from ._right_pairs import RightPairs
from ._thresholds import Thresholds

_BLOCK = 4  # tiles of the gallery that a tile of queries meets before it is made again


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
        size = min(self.tile, len(self.queries)) * min(self.tile, len(self.gallery))
        return torch.empty(size, dtype=torch.float32, device=self.queries.rows.device)


@dataclass
class Counts:
    """(Q,) and (G,) int64."""

    queries: torch.Tensor
    gallery: torch.Tensor


def count_wrong(problem: Problem, filters: Sequence[Filter]) -> Counts:
    """By the first filter that leaves few pairs in doubt; the last one is used whatever it leaves."""
    device = problem.queries.rows.device
    counts = Counts(
        *(torch.zeros(len(s), dtype=torch.int64, device=device) for s in (problem.queries, problem.gallery))
    )
    usable = _Usable(list(filters))
    for block in parts(len(problem.gallery), _BLOCK * problem.tile):
        right: dict[int, torch.Tensor] = {}
        for part in parts(len(problem.queries), problem.tile):
            for number, one in usable.in_turn():
                if number not in right:
                    right[number] = one.gallery.matrix(block)
                found = _count_unit(problem, one, part, block, right[number], final=one is filters[-1])
                usable.note(number, found is not None)
                if found is not None:
                    counts.queries[part] += found.queries
                    counts.gallery[block] += found.gallery
                    break
    return counts


@dataclass
class _Usable:
    """Gives a filter up that mostly fails: it costs time and saves none."""

    filters: list[Filter]
    failures: dict[int, int] = field(default_factory=dict)

    def in_turn(self) -> list[tuple[int, Filter]]:
        return [(number, one) for number, one in enumerate(self.filters) if self.failures.get(number, 0) < 3]

    def note(self, number: int, done: bool) -> None:
        change = -1 if done else 1
        self.failures[number] = max(0, self.failures.get(number, 0) + change)


def _count_unit(
    problem: Problem, one: Filter, part: slice, block: slice, right: torch.Tensor, *, final: bool
) -> Counts | None:
    """For a tile of queries and a block of the gallery; None where too many pairs are in doubt to look at each."""
    device = right.device
    q_limits = one.thresholds(problem.q_floors, part, block, back=False)
    g_limits = one.thresholds(problem.g_floors, block, part, back=True)
    if (q_limits is None or g_limits is None) and not final:
        return None
    counts = Counts(
        torch.zeros(part.stop - part.start, dtype=torch.int64, device=device),
        torch.zeros(block.stop - block.start, dtype=torch.int64, device=device),
    )
    left = one.queries.matrix(part)
    for piece in parts(len(right), problem.tile):
        tile = _Tile(problem, part, slice(block.start + piece.start, block.start + piece.stop))
        limits = None if q_limits is None or g_limits is None else (q_limits, g_limits[piece])
        found = None if limits is None else tile.counted(left, right[piece], limits)
        if found is None and not final:
            return None
        q_counts, g_counts = tile.counted_exactly() if found is None else found
        counts.queries += q_counts
        counts.gallery[piece] += g_counts
    return counts


@dataclass(frozen=True)
class _Tile:
    problem: Problem
    part: slice
    other: slice

    def counted(
        self, left: torch.Tensor, right: torch.Tensor, limits: tuple[Thresholds, Thresholds]
    ) -> tuple[torch.Tensor, torch.Tensor] | None:
        """(q,) and (g,) int64 from a filter's scores; None where too many are in doubt."""
        scores = self.problem.scores(len(left), len(right))
        if left.dtype == torch.float32:
            torch.mm(left, right.T, out=scores)
        else:
            scores.copy_(left @ right.T)
        self._hide_right(scores)
        found = self.problem.kernels.tally(scores, limits[0], limits[1] if self.problem.both else None)
        counts = [torch.zeros(n, dtype=torch.int64, device=scores.device) for n in scores.shape]
        for dim, tally in enumerate(found):
            if tally is None:
                continue
            if (doubts := tally.doubts()) > 4 * max(scores.shape):
                return None
            counts[dim] += tally.above
            if doubts:
                pairs = self.problem.kernels.in_doubt(scores, limits[dim], dim, tally)
                self._recheck(pairs, dim, counts[dim])
        return counts[0], counts[1]

    def counted_exactly(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The same from float64 scores of all pairs."""
        queries, gallery = self._sides()
        scores = tile_bounds(queries, gallery, 1)
        self._hide_right(scores)
        q_floors, g_floors = self._floors()
        g_counts = (scores >= g_floors).sum(0) if self.problem.both else torch.zeros_like(gallery.groups)
        return (scores >= q_floors[:, None]).sum(1), g_counts

    def _recheck(self, pairs: tuple[torch.Tensor, torch.Tensor], dim: int, counts: torch.Tensor) -> None:
        highest = pair_bounds(self.problem.kernels, *self._sides(), *pairs, 1)
        lines = pairs[dim]
        counts.index_add_(0, lines, (highest >= self._floors()[dim][lines]).long())

    def _hide_right(self, scores: torch.Tensor) -> None:
        if self.problem.right is None:
            queries, gallery = self._sides()
            scores.masked_fill_(queries.groups[:, None] == gallery.groups, -torch.inf)
        else:
            rows, columns = self.problem.right.of(self.part.start, self.other.start)
            scores[rows, columns] = -torch.inf

    def _sides(self) -> tuple[Side, Side]:
        return self.problem.queries[self.part], self.problem.gallery[self.other]

    def _floors(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self.problem.q_floors[self.part], self.problem.g_floors[self.other]
