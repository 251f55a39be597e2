"""A tile of the similarity matrix, and what both ways of counting have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from ._checks import parts
from ._exact import Side, tile_bounds
from ._filter import Filter
from ._kernels import Engine
from ._right_pairs import RightPairs
from ._thresholds import Thresholds

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
    both_directions: bool
    """Whether the gallery's items ask, too."""
    engine: Engine

    @property
    def device(self) -> torch.device:
        return self.queries.rows.device

    def scores(self, rows: int, columns: int) -> torch.Tensor:
        """Memory for a tile, the same each time: fresh memory costs page faults."""
        return self._buffer[: rows * columns].view(rows, columns)

    def q_parts(self) -> Iterator[slice]:
        return parts(len(self.queries), self.engine.sizes.rows)

    def g_parts(self) -> Iterator[slice]:
        return parts(len(self.gallery), self.engine.sizes.columns)

    @cached_property
    def _buffer(self) -> torch.Tensor:
        rows = min(self.engine.sizes.rows, len(self.queries))
        columns = min(self.engine.sizes.columns, len(self.gallery))
        return torch.empty(rows * columns, dtype=torch.float32, device=self.device)

    @cached_property
    def hidden(self) -> torch.Tensor:
        """The score of a right pair, on the device: a number of the host's would be
        waited for.
        """
        return torch.full((), -torch.inf, dtype=torch.float32, device=self.device)


@dataclass(frozen=True, eq=False)
class Column:
    """What all tiles of one part of the gallery share, for one filter."""

    g_part: slice
    matrix: torch.Tensor
    """The part's rows, as the filter multiplies them."""
    q_limits: Thresholds
    """(Q,)."""
    g_limits: Thresholds
    """(p, g): against each part of the queries."""


class Trial:
    """A filter, how often it failed, and what it made of the current part of the gallery."""

    def __init__(self, problem: Problem, filter_: Filter) -> None:
        self.filter_ = filter_
        self.failures = 0
        """Beyond its successes."""
        self._problem = problem
        self._of_queries = filter_.against(list(problem.q_parts()), back=True)
        self._column: Column | None = None

    @property
    def is_given_up(self) -> bool:
        return self.failures >= _PATIENCE

    def note(self, successes: int, failures: int) -> None:
        self.failures = max(0, self.failures - successes) + failures

    def column(self, g_part: slice) -> Column:
        if self._column is None or self._column.g_part != g_part:
            # The former one's memory is free before the next is made.
            self._column = None
            self._column = self._column_of(g_part)
        return self._column

    def _column_of(self, g_part: slice) -> Column:
        problem = self._problem
        filter_ = self.filter_
        q_limits = filter_.thresholds(
            problem.q_floors,
            slice(None),
            filter_.against([g_part], back=False),
            back=False,
        )
        g_limits = filter_.thresholds(
            problem.g_floors, g_part, self._of_queries, back=True
        )
        matrix = filter_.gallery.matrix(g_part)
        return Column(g_part, matrix, q_limits[0], g_limits)


def worth_trying(trials: Sequence[Trial]) -> Iterator[Trial]:
    """A filter that mostly fails costs time and saves none, unless what follows is float64."""
    for trial in trials:
        if not trial.is_given_up or trial is trials[-1]:
            yield trial


@dataclass(frozen=True)
class Tile:
    problem: Problem
    q_part: slice
    g_part: slice

    def scores(self, trial: Trial) -> torch.Tensor:
        """(q, g) float32 in the problem's memory; right pairs have minus infinity, which
        reaches no floor.
        """
        q_matrix = trial.filter_.queries.matrix(self.q_part)
        g_matrix = trial.column(self.g_part).matrix
        scores = self.problem.scores(len(q_matrix), len(g_matrix))
        for part in parts(len(scores), self.problem.engine.sizes.product):
            trial.filter_.multiply(q_matrix[part], g_matrix, scores[part])
        self._hide_right(scores)
        return scores

    def limits(self, trial: Trial) -> tuple[Thresholds, Thresholds]:
        """Of the rows, and of the columns."""
        column = trial.column(self.g_part)
        number = self.q_part.start // self.problem.engine.sizes.rows
        return column.q_limits[self.q_part], column.g_limits[number]

    def count_exactly(self) -> tuple[torch.Tensor, torch.Tensor]:
        """(q,) and (g,) int64 from float64 scores of all pairs."""
        queries, gallery = self.sides()
        q_counts = torch.zeros_like(queries.groups)
        g_counts = torch.zeros_like(gallery.groups)
        # A piece of the gallery at a time: float64 takes twice the memory.
        start = self.g_part.start
        for g_part in parts(self.g_part.stop, self.problem.engine.sizes.tile, start):
            piece = Tile(self.problem, self.q_part, g_part)
            scores = tile_bounds(*piece.sides(), 1)
            piece._hide_right(scores)
            q_floors, g_floors = piece.floors()
            q_counts += (scores >= q_floors[:, None]).sum(1)
            if self.problem.both_directions:
                within = slice(g_part.start - start, g_part.stop - start)
                g_counts[within] = (scores >= g_floors).sum(0)
        return q_counts, g_counts

    def sides(self) -> tuple[Side, Side]:
        return self.problem.queries[self.q_part], self.problem.gallery[self.g_part]

    def floors(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self.problem.q_floors[self.q_part], self.problem.g_floors[self.g_part]

    def _hide_right(self, scores: torch.Tensor) -> None:
        if self.problem.right is not None:
            pairs = self.problem.right.within(self.q_part, self.g_part)
            scores.index_put_(pairs, self.problem.hidden.to(scores.dtype))
            return
        queries, gallery = self.sides()
        for piece in parts(scores.shape[1], self.problem.engine.sizes.tile):
            is_right = queries.groups[:, None] == gallery.groups[piece]
            scores[:, piece].masked_fill_(is_right, -torch.inf)
